"""What transcribe says of itself while the table, its sessions and its end come and go."""

import asyncio
import json
import socket
from contextlib import closing

import pytest

from contracts.link import OpenedSession
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from emulators.deepgram.script import encode_call
from services.transcribe.service import serving
from services.transcribe.settings import Settings
from tests.integration.delivery.in_between import in_between
from tests.integration.transcribe.conftest import SECRET
from tests.integration.transcribe.link_client import Caller, dial
from tests.integration.transcribe.outcome import put_header, request

HOST = "127.0.0.1"


def free_port() -> int:
    with closing(socket.create_server((HOST, 0))) as probe:
        return probe.getsockname()[1]


async def reasons(port: int, path: str) -> list[str]:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    found: list[str] = json.loads(body)["reasons"]
    assert int(head.split()[1]) == (503 if found else 200)
    return found


async def until_said(port: int, said: str) -> None:
    async with asyncio.timeout(15):
        while not any(reason.startswith(said) for reason in await reasons(port, "/ready")):
            pass


async def test_a_full_process_says_so_and_is_alive(
    aws: AwsEndpoint, stack: Resources, settings: Settings
) -> None:
    for name in "ab":
        put_header(aws, stack, name)
    port = free_port()
    chosen = settings.model_copy(update={"health_port": port, "max_sessions": 2})
    async with serving(chosen) as link, dial(link, SECRET) as peer:
        assert await reasons(port, "/ready") == []
        for handle, name in enumerate("ab"):
            assert isinstance(await peer.open(handle, request(name), f"m{handle}"), OpenedSession)
        assert await reasons(port, "/ready") == ["full: 2 of 2 sessions"]
        assert await reasons(port, "/live") == []


async def test_a_table_that_is_not_there_is_said_so(settings: Settings) -> None:
    port = free_port()
    chosen = settings.model_copy(update={"health_port": port, "sessions_table": "no-such-table"})
    async with serving(chosen):
        await until_said(port, "table not found since 20")
        assert await reasons(port, "/live") == []


async def test_a_table_that_may_be_read_and_not_written_is_said_so(
    aws: AwsEndpoint, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    async with in_between(aws.url) as between:
        between.denied = "PutItem"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", between.url)
        async with serving(settings.model_copy(update={"health_port": port})):
            await until_said(port, "table refuses access since 20")


async def test_a_queue_that_takes_nothing_is_said_so(
    aws: AwsEndpoint, stack: Resources, settings: Settings
) -> None:
    put_header(aws, stack, "s")
    port = free_port()
    gone = settings.transcripts_queue_url.replace(".fifo", "-gone.fifo")
    chosen = settings.model_copy(update={"health_port": port, "transcripts_queue_url": gone})
    async with serving(chosen) as link, dial(link, SECRET) as peer:
        opened = await peer.open(1, request("s"))
        assert isinstance(opened, OpenedSession)
        caller = Caller(peer, opened, encode_call(3, 5).samples.tobytes(), 1)
        async with asyncio.TaskGroup() as tasks:
            playing = tasks.create_task(caller.play())
            await until_said(port, "queue not found since 20")
            playing.cancel()

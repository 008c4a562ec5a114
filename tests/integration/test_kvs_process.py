"""The KVS emulator as its own process, read by botocore's blocking clients led there by variables."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Mapping

import aiohttp

from emulators.connect.uplink import open_uplink
from emulators.kvs.fragments import Lane
from emulators.kvs.uplink import Open
from tests.integration.kvs_client import READ_TIMEOUT_S, blocks, pcm
from tests.unit.emulators.ebml_reader import audio_of, fragments_of

READER = """
import botocore.session, sys
session = botocore.session.get_session()
video = session.create_client("kinesisvideo")
endpoint = video.get_data_endpoint(StreamARN=sys.argv[1], APIName="GET_MEDIA")["DataEndpoint"]
media = session.create_client("kinesis-video-media", endpoint_url=endpoint)
reply = media.get_media(StreamARN=sys.argv[1], StartSelector={"StartSelectorType": "EARLIEST"})
sys.stdout.buffer.write(reply["Payload"].read())
"""


@contextlib.asynccontextmanager
async def emulator(*arguments: str) -> AsyncGenerator[tuple[str, asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "emulators.kvs", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            ready = json.loads(await process.stdout.readline())
        assert ready["event"] == "kvs.ready"
        yield f"http://127.0.0.1:{ready['port']}", process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def output_of(*arguments: str, environment: Mapping[str, str]) -> bytes:
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, env={**os.environ, **environment}
    )
    async with asyncio.timeout(READ_TIMEOUT_S):
        output, _ = await process.communicate()
    assert process.returncode == 0
    return output


async def test_botocore_reads_a_call_from_the_process() -> None:
    sent = blocks(40)
    async with emulator("--idle-s", "0.3") as (url, process), aiohttp.ClientSession() as session:
        async with open_uplink(session, url, Open(contact_id="contact", instance_id="instance")) as uplink:
            await uplink.send(sent)
        environment = {
            "AWS_ENDPOINT_URL_KINESIS_VIDEO": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-west-2",
        }
        body = await output_of("-c", READER, uplink.opened.stream_arn, environment=environment)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    fragments = fragments_of(body)
    for lane in Lane:
        assert audio_of(fragments, lane.track_name) == pcm(lane, sent)


async def test_help_tells_of_the_faults() -> None:
    told = await output_of("-m", "emulators.kvs", "--help", environment={})
    assert b"--body-limit-s" in told
    assert b'"kind": "freeze"' in told

"""Ingest and transcribe, linked, are told to end while AWS is gone."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded import resources
from embedded.aws import AwsEndpoint, embedded_aws
from embedded.process import Child, Children, Program
from tests.integration.delivery.in_between import in_between

LINK = {"LINK_SECRET": "a-secret-of-at-least-thirty-two-characters"}
DEEPGRAM = {"DEEPGRAM_API": "ws://127.0.0.1:9/v1/listen", "DEEPGRAM_API_KEY": "key"}
WITHIN_S = 25.0


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.mark.parametrize("is_silent", [True, False])
async def test_processes_end_in_time_when_aws_is_gone(
    aws: AwsEndpoint, tmp_path: Path, *, is_silent: bool
) -> None:
    stack = resources.create(aws, f"stopping-{is_silent}".lower())
    with Children(tmp_path) as children:
        async with in_between(aws.url) as between:
            between.operation, between.holding = "ReceiveMessage", stack.session_requests_url.encode()
            known = {**aws.environment, **stack.environment, **LINK, "AWS_ENDPOINT_URL": between.url}

            def start(name: str, **more: str) -> tuple[Child, dict[str, object]]:
                command = (sys.executable, "-m", f"services.{name}")
                child = children.start(Program(name, command, {**known, **more}))
                return child, child.ready()

            transcribe, said = await asyncio.to_thread(start, "transcribe", **DEEPGRAM)
            peer = {"TRANSCRIBE_ENDPOINTS": f"127.0.0.1:{said['port']}"}
            ingest, _ = await asyncio.to_thread(start, "ingest", **peer)
            await asyncio.wait_for(between.held.wait(), 30)
            between.is_silent = True
            if is_silent:
                assert await ended(transcribe, ingest) == [0, 0]
        if not is_silent:
            assert await ended(transcribe, ingest) == [0, 0]


async def ended(*children: Child) -> list[int]:
    for child in children:
        child.terminate()
    return list(await asyncio.gather(*(asyncio.to_thread(child.stop, WITHIN_S) for child in children)))

"""The server as a process of its own, as `make demo` starts it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

TIMEOUT_S = 30
QUERY = "?encoding=linear16&sample_rate=8000"


@contextlib.asynccontextmanager
async def running(*arguments: str) -> AsyncGenerator[tuple[Process, int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "emulators.deepgram", "--port", "0", *arguments, stdout=PIPE
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            assert process.stdout is not None
            ready = json.loads(await process.stdout.readline())
        assert ready["event"] == "deepgram.ready"
        yield process, ready["port"]
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended may wait a moment for its parent to be told."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def until_ended(pids: list[int]) -> None:
    """Waits for processes that are no children of this one."""
    loop = asyncio.get_running_loop()
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)


@pytest.mark.parametrize("recogniser", ["codec", "pocketsphinx"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_serves_and_ends_cleanly_on_a_signal(recogniser: str, number: signal.Signals) -> None:
    async with running("--recogniser", recogniser, "--key", "k", "--workers", "1") as (process, port):
        workers = children(process.pid)
        assert len(workers) == (1 if recogniser == "pocketsphinx" else 0)
        url = f"ws://127.0.0.1:{port}/v1/listen{QUERY}"
        async with connect(url, additional_headers={"Authorization": "Token k"}) as websocket:
            await websocket.send(bytes(1600))
            await websocket.send('{"type":"CloseStream"}')
            assert json.loads([message async for message in websocket][-1])["type"] == "Metadata"
        process.send_signal(number)
        async with asyncio.timeout(TIMEOUT_S):
            assert await process.wait() == 0
        assert not any(is_running(pid) for pid in workers)


async def test_workers_do_not_outlive_a_killed_server() -> None:
    async with running("--recogniser", "pocketsphinx", "--workers", "2") as (process, _):
        workers = children(process.pid)
        assert len(workers) == 2
        process.kill()
        await process.wait()
        await until_ended(workers)
        assert not any(is_running(pid) for pid in workers)


async def test_help_tells_what_there_is() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "emulators.deepgram", "--help", stdout=PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    assert all(
        word in output.decode() for word in ("--recogniser", "--key", "--tls-cert", "/_emulator/faults")
    )

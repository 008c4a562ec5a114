"""One connection to an emulated Deepgram."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from emulators.deepgram.faults import Fault, Order
from emulators.deepgram.server import DeepgramEmulator
from services.transcribe.adapters import deepgram as module
from services.transcribe.adapters.deepgram import DeepgramConnection
from services.transcribe.deepgram_url import listen_url
from services.transcribe.inputs import (
    DeepgramClosed,
    DeepgramInput,
    DeepgramMessage,
    DeepgramOpened,
    DeepgramRefused,
)
from tests.integration.transcribe.conftest import KEY

SECOND = bytes(32_000)


class Heard:
    def __init__(self) -> None:
        self.inbox: asyncio.Queue[DeepgramInput] = asyncio.Queue()

    async def next(self, timeout_s: float = 5.0) -> DeepgramInput:
        async with asyncio.timeout(timeout_s):
            return await self.inbox.get()

    async def last(self, timeout_s: float = 5.0) -> DeepgramInput:
        while isinstance(happened := await self.next(timeout_s), DeepgramMessage):
            pass
        return happened


@asynccontextmanager
async def connected(api: str, key: str = KEY) -> AsyncGenerator[tuple[DeepgramConnection, Heard]]:
    heard = Heard()
    connection = DeepgramConnection(3, listen_url(api, ()), key, heard.inbox.put_nowait)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(connection.run())
        yield connection, heard
        running.cancel()


async def test_a_call_from_the_handshake_to_metadata_and_close(deepgram: DeepgramEmulator) -> None:
    async with connected(deepgram.url) as (connection, heard):
        assert await heard.next() == DeepgramOpened(3)
        connection.send(SECOND)
        connection.send('{"type":"CloseStream"}')
        texts: list[str] = []
        while isinstance(happened := await heard.next(), DeepgramMessage):
            texts.append(happened.text)
        assert '"Metadata"' in texts[-1]
        assert happened == DeepgramClosed(3, 1000, "")
    [seen] = deepgram.observations
    assert seen.samples == 8_000


async def test_a_refusal_carries_deepgrams_own_words(deepgram: DeepgramEmulator) -> None:
    async with connected(deepgram.url, key="wrong") as (_, heard):
        refused = await heard.next()
    assert refused == DeepgramRefused(3, 401, "INVALID_AUTH: Invalid credentials.")


async def test_the_concurrency_limit_is_a_status(deepgram: DeepgramEmulator) -> None:
    await deepgram.order(Order(Fault("refuse", status=429, reason="Too many requests")))
    async with connected(deepgram.url) as (_, heard):
        refused = await heard.next()
    assert isinstance(refused, DeepgramRefused)
    assert refused.status == 429


async def test_nobody_there_is_a_refusal_without_a_status() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    async with connected(f"ws://127.0.0.1:{port}/v1/listen") as (_, heard):
        refused = await heard.next()
    assert isinstance(refused, DeepgramRefused)
    assert refused.status is None


async def test_a_redirect_of_the_handshake_is_a_refusal_and_is_not_followed(
    deepgram: DeepgramEmulator,
) -> None:
    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {deepgram.url}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(redirect, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connected(f"ws://127.0.0.1:{port}/v1/listen") as (_, heard):
            refused = await heard.next()
    assert isinstance(refused, DeepgramRefused)
    assert refused.status == 302
    assert not list(deepgram.observations)


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault("drop"), 1006), (Fault("close", code=1011, reason="NET-0000"), 1011)]
)
async def test_an_end_is_told_with_its_code(deepgram: DeepgramEmulator, fault: Fault, code: int) -> None:
    await deepgram.order(Order(fault))
    async with connected(deepgram.url) as (connection, heard):
        assert await heard.next() == DeepgramOpened(3)
        connection.send(SECOND)
        closed = await heard.last()
    assert isinstance(closed, DeepgramClosed)
    assert closed.code == code


async def test_a_peer_that_stops_reading_is_cut_after_the_send_time_out(deepgram: DeepgramEmulator) -> None:
    await deepgram.order(Order(Fault("block")))
    async with connected(deepgram.url) as (connection, heard):
        assert await heard.next() == DeepgramOpened(3)
        for _ in range(1_500):
            connection.send(SECOND)
        closed = await heard.last(module.SEND_TIMEOUT_S + module.PING_S * 2)
    assert closed == DeepgramClosed(3, 1006, "broken")


async def test_a_connection_that_is_cut_is_gone_at_once(deepgram: DeepgramEmulator) -> None:
    async with connected(deepgram.url) as (connection, heard):
        await heard.next()
        connection.send(SECOND)
        await deepgram.until(lambda seen: any(one.samples for one in seen))
    await deepgram.until(lambda seen: all(one.closed_at_ms for one in seen), timeout_s=1.0)
    assert deepgram.open_connections == 0

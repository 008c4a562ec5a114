"""The link's server with a real websockets client over TLS-PSK."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake

from contracts.link import (
    DEAD_AFTER_S,
    FROM_TRANSCRIBE,
    PATH,
    AudioChunk,
    Credit,
    Hello,
    Open,
    Started,
    encode_audio,
)
from services.transcribe.adapters.link import Link, LinkServer
from services.transcribe.inputs import LinkInput
from tests.integration.transcribe.conftest import SECRET
from tests.integration.transcribe.link_client import dial, tls
from tests.integration.transcribe.outcome import request


class Attending:
    """Remembers what the links said."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.dead: list[Link] = []
        self.opened: list[tuple[Link, Open]] = []
        self.happened: list[tuple[Link, int, LinkInput]] = []
        self._changed = asyncio.Event()

    def greet(self, link: Link) -> None:
        self.links.append(link)
        self._changed.set()

    def bereave(self, link: Link) -> None:
        self.dead.append(link)
        self._changed.set()

    def open(self, link: Link, frame: Open) -> None:
        self.opened.append((link, frame))
        self._changed.set()

    def deliver(self, link: Link, handle: int, happened: LinkInput) -> None:
        self.happened.append((link, handle, happened))
        self._changed.set()

    async def until(self, reached: Callable[[], object], timeout_s: float = 5.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not reached():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
def attending() -> Attending:
    return Attending()


@pytest.fixture
async def port(attending: Attending) -> AsyncIterator[int]:
    async with LinkServer(attending, lambda: [SECRET], "transcribe-1").listening("127.0.0.1", 0) as port:
        yield port


def connecting(port: int, context: ssl.SSLContext | None = None, path: str = PATH) -> connect:
    return connect(
        f"wss://127.0.0.1:{port}{path}",
        ssl=context or tls(SECRET),
        compression=None,
        proxy=None,
        close_timeout=0.2,
    )


async def closed_with(connection: ClientConnection) -> int | None:
    async with asyncio.timeout(5):
        await connection.wait_closed()
    return connection.close_code


async def test_frames_of_many_sessions_arrive_in_order(attending: Attending, port: int) -> None:
    chunks = [AudioChunk(handle, 800 * n, bytes([handle]) * 3_200) for n in range(3) for handle in (1, 2)]
    async with dial(port, SECRET) as peer:
        await peer.send(Open(handle=1, request=request("s"), message_id="m", receipt_handle="r"))
        await peer.send(Started(handle=1, t0_ms=5))
        for frame in encode_audio(chunks):
            await peer.connection.send(frame)
        await attending.until(lambda: len(attending.happened) == 7)
        attending.links[0].send(Credit(handle=1, until_samples=9))
        assert await peer.next(1) == Credit(handle=1, until_samples=9)
    [link] = attending.links
    assert link.peer == "test"
    assert [frame.message_id for _, frame in attending.opened] == ["m"]
    expected = [(1, Started(handle=1, t0_ms=5)), *((one.handle, one) for one in chunks)]
    assert attending.happened == [(link, *one) for one in expected]
    await attending.until(lambda: attending.dead == attending.links)


async def test_a_peer_without_the_secret_gets_no_handshake(attending: Attending, port: int) -> None:
    with pytest.raises((ssl.SSLError, OSError, InvalidHandshake)):
        await connecting(port, tls("another secret of thirty-two characters"))
    keyless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    keyless.check_hostname = False
    keyless.verify_mode = ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, OSError, InvalidHandshake)):
        await connecting(port, keyless)
    assert attending.links == []


async def test_there_is_nothing_but_the_link(port: int) -> None:
    with pytest.raises(InvalidHandshake, match="404"):
        await connecting(port, path="/")


@pytest.mark.parametrize(
    "first",
    [
        Started(handle=1, t0_ms=5).model_dump_json(),
        Hello(versions=(99,), peer="future").model_dump_json(),
        "{}",
        b"\0",
    ],
)
async def test_whoever_does_not_begin_with_a_hello_in_our_version_is_sent_away(
    attending: Attending, port: int, first: str | bytes
) -> None:
    async with connecting(port) as connection:
        await connection.send(first)
        assert await closed_with(connection) == 1002
    assert attending.links == []


async def test_an_ingest_of_the_next_release_is_answered_in_the_version_of_this_one(
    attending: Attending, port: int
) -> None:
    async with connecting(port) as connection:
        await connection.send(Hello(versions=(2, 1), peer="next").model_dump_json())
        hello = FROM_TRANSCRIBE.validate_json(await connection.recv())
        assert hello == Hello(versions=(1,), peer="transcribe-1")
        await attending.until(lambda: len(attending.links) == 1)
        assert attending.links[0].version == 1


@pytest.mark.parametrize("frame", [b"\0\0", '{"type":"open"}', "not json", '{"type":"hello","peer":"again"}'])
async def test_a_malformed_frame_ends_the_link(attending: Attending, port: int, frame: str | bytes) -> None:
    async with connecting(port) as connection:
        await connection.send(Hello(peer="test").model_dump_json())
        hello = FROM_TRANSCRIBE.validate_json(await connection.recv())
        assert hello == Hello(versions=(1,), peer="transcribe-1")
        await connection.send(frame)
        assert await closed_with(connection) == 1002
    await attending.until(lambda: len(attending.dead) == 1)


async def test_a_silent_peer_is_dead_in_time(attending: Attending, port: int) -> None:
    async with AsyncExitStack() as links:
        peer = await links.enter_async_context(dial(port, SECRET))
        loop = asyncio.get_running_loop()
        began = loop.time()
        peer.connection.transport.pause_reading()  # alive for TCP, and frozen
        await attending.until(lambda: attending.dead)
        assert loop.time() - began <= DEAD_AFTER_S + 0.5
        peer.connection.transport.abort()

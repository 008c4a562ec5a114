"""The link's server side: websockets over TLS 1.3 with a pre-shared key, sessions multiplexed."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus
from typing import Protocol, override

from pydantic import BaseModel, ValidationError
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Event

from contracts.link import (
    DEAD_AFTER_S,
    FROM_INGEST,
    HEARTBEAT_S,
    MAX_FRAME_BYTES,
    PATH,
    FromIngest,
    Hello,
    MalformedFrame,
    Open,
    accepted_keys,
    agreed,
    decode_audio,
)
from services.transcribe.errors import LinkRefused
from services.transcribe.inputs import LinkInput
from telemetry.log import logger

CLOSE_S = 0.2
HELLO_S = 5.0
MAX_OUTBOX = 20_000
"""Frames that a peer has not read; a peer that lets so many wait is as good as dead."""
PROTOCOL_ERROR = 1002
_MESSAGE = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class Attendant(Protocol):
    """Who serves the sessions of the links."""

    def open(self, link: "Link", frame: Open) -> None:
        """A session is asked for; the answer is sent on the link in time."""
        ...

    def deliver(self, link: "Link", handle: int, happened: LinkInput) -> None:
        """Something happened to an open session; ignored when the handle is unknown."""
        ...

    def greet(self, link: "Link") -> None:
        """A link is there."""
        ...

    def bereave(self, link: "Link") -> None:
        """The link is dead."""
        ...


class _Direct(ServerConnection):
    """Audio is taken as it comes: a queue and a task's turn for each frame would cost more than the frame.

    Whatever waits for `recv` goes first: audio never overtakes a control frame.
    """

    take: Callable[[bytes], None] | None = None
    waiting = 0
    """Messages for `recv`; its caller counts them down."""

    @override
    def process_event(self, event: Event) -> None:
        if isinstance(event, Frame) and event.opcode in _MESSAGE:
            whole_audio = event.opcode is Opcode.BINARY and event.fin
            if whole_audio and self.take is not None and not self.waiting:
                with suppress(MalformedFrame):  # found again, and answered, by the reader
                    self.take(bytes(event.data))
                    return
            self.waiting += event.fin
        super().process_event(event)


class Link:
    """One connection of an ingest."""

    def __init__(self, connection: ServerConnection, peer: str, version: int) -> None:
        self.peer = peer
        self.version = version
        self._connection = connection
        self._outbox: deque[str] = deque()
        self._wake = asyncio.Event()
        self._empty = asyncio.Event()

    def send(self, frame: BaseModel) -> None:
        """Queues a frame; nothing happens once the link is dead."""
        self._outbox.append(frame.model_dump_json())
        self._empty.clear()
        self._wake.set()
        if len(self._outbox) > MAX_OUTBOX:
            self._connection.transport.abort()

    async def drained(self) -> None:
        """Returns when every frame was handed to the socket, or the link is dead."""
        await self._empty.wait()

    async def send_all(self) -> None:
        """Sends until the link is dead."""
        try:
            while True:
                while self._outbox:
                    *together, last = self._outbox
                    self._outbox.clear()
                    for frame in together:
                        broadcast((self._connection,), frame)  # without a pause; the last one waits for all
                    await self._connection.send(last)
                self._empty.set()
                self._wake.clear()
                await self._wake.wait()
        except ConnectionClosed:
            return
        finally:
            self._empty.set()


type Secrets = Callable[[], Sequence[str]]
"""The present one first, then those that are still accepted."""


class LinkServer:
    """Accepts links and hands what they say to the attendant."""

    def __init__(self, attendant: Attendant, secrets: Secrets, process: str) -> None:
        self._attendant = attendant
        self._process = process
        self._tls = _tls(secrets)

    @asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncGenerator[int]:
        """Listens while the context lasts; yields the port."""
        async with serve(
            self._serve,
            host,
            port,
            ssl=self._tls,
            process_request=_check_path,
            compression=None,
            max_size=MAX_FRAME_BYTES,
            ping_interval=HEARTBEAT_S,
            ping_timeout=DEAD_AFTER_S - HEARTBEAT_S - CLOSE_S,
            close_timeout=CLOSE_S,
            server_header=None,
            create_connection=_Direct,
        ) as server:
            yield next(iter(server.sockets)).getsockname()[1]

    async def _serve(self, connection: ServerConnection) -> None:
        assert isinstance(connection, _Direct)  # noqa: S101 -- as it was asked for
        try:
            link = await self._greet(connection)
        except (LinkRefused, MalformedFrame, ValidationError, TimeoutError, ConnectionClosed) as error:
            logger().warning("transcribe.link_refused", exc_info=error)
            await connection.close(PROTOCOL_ERROR)
            return
        logger().info("transcribe.link_up", peer=link.peer, version=link.version)
        self._attendant.greet(link)
        try:
            async with asyncio.TaskGroup() as tasks:
                sender = tasks.create_task(link.send_all())
                await self._read(connection, link)
                sender.cancel()
        finally:
            self._attendant.bereave(link)
            logger().info("transcribe.link_down", peer=link.peer, close_code=connection.close_code)

    async def _greet(self, connection: _Direct) -> Link:
        async with asyncio.timeout(HELLO_S):
            first = await connection.recv()
        connection.waiting -= 1
        frame = FROM_INGEST.validate_json(first)
        if not isinstance(frame, Hello):
            raise LinkRefused("the first frame was not hello")
        version = agreed(frame.versions)
        if version is None:
            raise LinkRefused("no version in common")
        link = Link(connection, frame.peer, version)
        link.send(Hello(versions=(version,), peer=self._process))
        return link

    async def _read(self, connection: _Direct, link: Link) -> None:
        """Reads until the link is dead; a malformed frame ends it."""

        def take(audio: bytes) -> None:
            for chunk in list(decode_audio(audio)):
                self._attendant.deliver(link, chunk.handle, chunk)

        connection.take = take
        try:
            async for frame in connection:
                if isinstance(frame, bytes):
                    take(frame)
                else:
                    self._dispatch(link, FROM_INGEST.validate_json(frame))
                connection.waiting -= 1
        except (MalformedFrame, ValidationError) as error:
            logger().warning("transcribe.link_malformed", peer=link.peer, exc_info=error)
            await connection.close(PROTOCOL_ERROR)
        except ConnectionClosed:
            return

    def _dispatch(self, link: Link, frame: FromIngest) -> None:
        match frame:
            case Open():
                self._attendant.open(link, frame)
            case Hello():
                raise MalformedFrame("a second hello")
            case _:
                self._attendant.deliver(link, frame.handle, frame)


def _check_path(connection: ServerConnection, request: Request) -> Response | None:
    return None if request.path == PATH else connection.respond(HTTPStatus.NOT_FOUND, "")


def _tls(secrets: Secrets) -> ssl.SSLContext:
    """TLS 1.3 with a pre-shared key alone: who does not have one gets no handshake (RFC 8446, 2.2)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3

    def key_of(identity: str | None) -> bytes:
        return accepted_keys(secrets()).get(identity or "", b"")

    context.set_psk_server_callback(key_of)
    return context

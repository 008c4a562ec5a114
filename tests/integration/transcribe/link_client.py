"""A peer of the link, as ingest is one: dials, opens sessions, plays a call within its credit."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from pydantic import BaseModel
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from contracts.audio import STEREO_SAMPLE_BYTES
from contracts.events import SessionRequested
from contracts.link import (
    FROM_TRANSCRIBE,
    HEARTBEAT_S,
    PATH,
    PSK_IDENTITY,
    AudioChunk,
    ClosedSession,
    Credit,
    End,
    FromTranscribe,
    Hello,
    Open,
    OpenedSession,
    Refused,
    Rewind,
    Started,
    encode_audio,
    pre_shared_key,
)

CHUNK = 800
WAIT_S = 20.0


def tls(secret: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_psk_client_callback(lambda _hint: (PSK_IDENTITY, pre_shared_key(secret)))
    return context


class Peer:
    """One link; frames of a handle wait in `inbox(handle)`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._inboxes: dict[int, asyncio.Queue[FromTranscribe]] = {}
        self.others: list[FromTranscribe] = []

    def inbox(self, handle: int) -> asyncio.Queue[FromTranscribe]:
        return self._inboxes.setdefault(handle, asyncio.Queue())

    async def send(self, frame: BaseModel) -> None:
        await self.connection.send(frame.model_dump_json())

    async def read(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self.connection:
                frame = FROM_TRANSCRIBE.validate_json(message)
                handle = getattr(frame, "handle", None)
                if handle is None:
                    self.others.append(frame)
                else:
                    self.inbox(handle).put_nowait(frame)

    async def next(self, handle: int) -> FromTranscribe:
        async with asyncio.timeout(WAIT_S):
            return await self.inbox(handle).get()

    async def open(
        self, handle: int, request: SessionRequested, message_id: str = "m1", receipt: str = "r1"
    ) -> OpenedSession | Refused:
        await self.send(Open(handle=handle, request=request, message_id=message_id, receipt_handle=receipt))
        frame = await self.next(handle)
        assert isinstance(frame, OpenedSession | Refused)
        return frame

    async def closed(self, handle: int) -> ClosedSession:
        while not isinstance(frame := await self.next(handle), ClosedSession):
            pass
        return frame


@asynccontextmanager
async def dial(port: int, secret: str) -> AsyncGenerator[Peer]:
    address = f"wss://127.0.0.1:{port}{PATH}"
    async with connect(
        address, ssl=tls(secret), compression=None, ping_interval=HEARTBEAT_S, close_timeout=0.2, proxy=None
    ) as connection:
        await connection.send(Hello(peer="test").model_dump_json())
        hello = FROM_TRANSCRIBE.validate_json(await connection.recv())
        assert isinstance(hello, Hello)
        peer = Peer(connection)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(peer.read())
            yield peer
            reading.cancel()


class Caller:
    """Plays `pcm` (stereo s16le) on a session that is open, from where transcribe wants it."""

    def __init__(self, peer: Peer, opened: OpenedSession, pcm: bytes, t0_ms: int) -> None:
        self._peer = peer
        self._handle = opened.handle
        self._pcm = pcm
        self._t0_ms = t0_ms
        self._known = opened.t0_ms is not None
        self.position = opened.position_samples
        self.credit = 0
        self.rewinds: list[int] = []
        self.closed: ClosedSession | None = None

    @property
    def length(self) -> int:
        return len(self._pcm) // STEREO_SAMPLE_BYTES

    async def play(self, until: int | None = None) -> None:
        """Sends up to `until`, as fast as credit allows."""
        if not self._known:
            await self._peer.send(Started(handle=self._handle, t0_ms=self._t0_ms))
            self._known = True
        end = self.length if until is None else until
        while self.position < end and self.closed is None:
            if self.position >= self.credit:
                self._take(await self._peer.next(self._handle))
                continue
            stop = min(self.position + CHUNK, end, self.credit)
            pcm = self._pcm[self.position * STEREO_SAMPLE_BYTES : stop * STEREO_SAMPLE_BYTES]
            for frame in encode_audio([AudioChunk(self._handle, self.position, pcm)]):
                await self._peer.connection.send(frame)
            self.position = stop
            while not self._peer.inbox(self._handle).empty():
                self._take(self._peer.inbox(self._handle).get_nowait())

    async def finish(self, reason: str = "idle") -> ClosedSession:
        """Says that the call is over and goes on until transcribe has closed the session."""
        await self.play()
        await self._peer.send(End(handle=self._handle, position_samples=self.length, reason=reason))
        while self.closed is None:
            self._take(await self._peer.next(self._handle))
            if self.position < self.length and self.closed is None:
                await self.play()
                await self._peer.send(End(handle=self._handle, position_samples=self.length, reason=reason))
        return self.closed

    def _take(self, frame: FromTranscribe) -> None:
        match frame:
            case Credit(until_samples=until):
                self.credit = max(self.credit, until)
            case Rewind(position_samples=position):
                self.rewinds.append(position)
                self.position = position
            case ClosedSession():
                self.closed = frame
            case _:
                raise AssertionError(frame)

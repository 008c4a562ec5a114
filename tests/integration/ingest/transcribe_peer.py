"""A transcribe process as far as the link shows it: answers `open`, gives credit, keeps what it gets."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from contracts.audio import STEREO_SAMPLE_BYTES
from contracts.link import (
    FROM_INGEST,
    MAX_FRAME_BYTES,
    PSK_IDENTITY,
    VERSIONS,
    AudioChunk,
    ClosedSession,
    Credit,
    End,
    FromIngest,
    FromTranscribe,
    Hello,
    Open,
    OpenedSession,
    Release,
    decode_audio,
    pre_shared_key,
)

SECRET = "s" * 32
WAIT_S = 20.0
EVERYTHING = 1 << 40


def tls(secret: str = SECRET) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    key = pre_shared_key(secret)
    context.set_psk_server_callback(lambda identity: key if identity == PSK_IDENTITY else b"")
    return context


@dataclass(slots=True)
class Heard:
    """One session as the peer heard it."""

    opened: Open
    frames: list[FromIngest | AudioChunk] = field(default_factory=list[FromIngest | AudioChunk])

    def of(self, kind: type[Any]) -> list[Any]:
        return [frame for frame in self.frames if isinstance(frame, kind)]

    @property
    def pcm(self) -> bytes:
        return b"".join(chunk.pcm for chunk in self.of(AudioChunk))

    @property
    def end_samples(self) -> int:
        chunks: list[AudioChunk] = self.of(AudioChunk)
        return chunks[-1].position_samples + len(chunks[-1].pcm) // STEREO_SAMPLE_BYTES if chunks else 0


class TranscribePeer:
    """Gives every session all credit and closes it after `end` or `release`, unless told otherwise."""

    def __init__(self) -> None:
        self.port = 0
        self.versions: tuple[int, ...] = VERSIONS
        self.answer: Callable[[Open], list[FromTranscribe]] = self.claim
        self.sessions: list[Heard] = []
        self.connections: list[ServerConnection] = []
        self.messages = 0
        """Websocket messages that held audio."""
        self.hear: Callable[[Heard, AudioChunk], None] = lambda heard, chunk: heard.frames.append(chunk)
        """What becomes of audio; it is kept, unless told otherwise."""
        self._changed = asyncio.Condition()

    def claim(self, frame: Open) -> list[FromTranscribe]:
        """The answer of a peer that has room, to a session that nobody served before."""
        handle = frame.handle
        return [
            OpenedSession(handle=handle, epoch=1, t0_ms=None, position_samples=0),
            Credit(handle=handle, until_samples=EVERYTHING),
        ]

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(true)

    async def until_linked(self, times: int = 1) -> None:
        await self.until(lambda: len(self.connections) >= times)

    async def send(self, *frames: FromTranscribe) -> None:
        for frame in frames:
            await self.connections[-1].send(frame.model_dump_json())

    async def attend(self, connection: ServerConnection) -> None:
        """One link."""
        with contextlib.suppress(ConnectionClosed):
            FROM_INGEST.validate_json(await connection.recv())
            await connection.send(Hello(versions=self.versions, peer="peer").model_dump_json())
            self.connections.append(connection)
            async with self._changed:
                self._changed.notify_all()
            heard: dict[int, Heard] = {}
            async for message in connection:
                if isinstance(message, bytes):
                    self.messages += 1
                    for chunk in decode_audio(message):
                        self.hear(heard[chunk.handle], chunk)
                else:
                    await self._control(connection, heard, FROM_INGEST.validate_json(message))
                async with self._changed:
                    self._changed.notify_all()

    async def _control(
        self, connection: ServerConnection, heard: dict[int, Heard], frame: FromIngest
    ) -> None:
        answers: list[FromTranscribe] = []
        match frame:
            case Open():
                heard[frame.handle] = Heard(frame)
                self.sessions.append(heard[frame.handle])
                answers = self.answer(frame)
            case End(handle=handle):
                answers = [ClosedSession(handle=handle, disposition="delete", reason="completed")]
            case Release(handle=handle):
                answers = [ClosedSession(handle=handle, disposition="put_back", reason="released")]
            case _:
                pass
        if not isinstance(frame, Hello | Open):
            heard[frame.handle].frames.append(frame)
        for answer in answers:
            await connection.send(answer.model_dump_json())


@contextlib.asynccontextmanager
async def transcribe_peer(
    port: int = 0, *, context: ssl.SSLContext | None = None
) -> AsyncGenerator[TranscribePeer]:
    """Listens while the context lasts."""
    peer = TranscribePeer()
    async with serve(
        peer.attend,
        "127.0.0.1",
        port,
        ssl=context or tls(),
        compression=None,
        max_size=MAX_FRAME_BYTES,
        close_timeout=0.2,
    ) as server:
        peer.port = next(iter(server.sockets)).getsockname()[1]
        yield peer

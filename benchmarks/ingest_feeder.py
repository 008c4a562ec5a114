"""The world around one ingest process: calls in real time over GetMedia, and a transcribe that takes all.

`python -m benchmarks.ingest_feeder SESSIONS SECONDS TIMES`: prints the ports of GetMedia and of the link, and
writes into the file TIMES when each block was sent and when each chunk was there (CLOCK_MONOTONIC, seconds;
see `Times`).
"""

import asyncio
import contextlib
import itertools
import json
import mmap
import ssl
import struct
import sys
import time
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.connect_stream import BLOCK_BYTES, BLOCK_MS, pieces
from contracts.audio import MONO_SAMPLE_BYTES, samples_of_ms
from contracts.link import (
    FROM_INGEST,
    MAX_FRAME_BYTES,
    PSK_IDENTITY,
    ClosedSession,
    Credit,
    Hello,
    Open,
    OpenedSession,
    Release,
    pre_shared_key,
)

SECRET = "s" * 32
STREAM = "arn:aws:kinesisvideo:eu-west-2:1:stream/bench-{}/1"
PERIOD_S = BLOCK_MS / 2000
"""Between two blocks of a call, lanes taking turns."""
STEP_S = 0.001
BLOCK_SAMPLES = BLOCK_BYTES // MONO_SAMPLE_BYTES
CHUNK_MS = 100
CHUNK_SAMPLES = samples_of_ms(CHUNK_MS)
_CHUNK_HEAD = struct.Struct("<IQI")
"""As in `contracts.link`: handle, position, length. Chunks are not cut out here: that would cost time."""


class Times:
    """When each block of each call was sent and each of its chunks was there, in memory of both processes."""

    def __init__(self, path: Path, sessions: int, call_s: int) -> None:
        self.sessions = sessions
        self.blocks, self.chunks = block_count(call_s), call_s * 1000 // CHUNK_MS
        size = 8 * sessions * (self.blocks + self.chunks)
        if not path.exists() or path.stat().st_size < size:
            path.write_bytes(bytes(size))
        with path.open("r+b") as file:
            self._times = memoryview(mmap.mmap(file.fileno(), size)).cast("d")
        self._heard = sessions * self.blocks

    def sent(self, session: int, block: int, at: float) -> None:
        """Block `block` of call `session`, lanes taking turns."""
        self._times[session * self.blocks + block] = at

    def heard(self, session: int, position: int, at: float) -> None:
        """The chunk of call `session` that begins at sample `position`."""
        self._times[self._heard + session * self.chunks + position // CHUNK_SAMPLES] = at

    def late_ms(self, since: float, until: float) -> list[float]:
        """Of the chunks that were there in this time: how long after the last block that they are made of."""
        late: list[float] = []
        for session in range(self.sessions):
            for chunk in range(self.chunks):
                at = self._times[self._heard + session * self.chunks + chunk]
                if since <= at < until:
                    pair = session * self.blocks + 2 * (((chunk + 1) * CHUNK_SAMPLES - 1) // BLOCK_SAMPLES)
                    late.append((at - max(self._times[pair], self._times[pair + 1])) * 1000)
        return late


class Feeder:
    """Serves GetDataEndpoint and GetMedia by hand: a framework would cost more than what is measured."""

    def __init__(self, sessions: int, times: Times) -> None:
        self._times = times
        blocks = itertools.islice(pieces(), times.blocks)
        self._chunks = [b"%x\r\n%b\r\n" % (len(piece.data), piece.data) for piece in blocks]
        self._calls: list[asyncio.StreamWriter | None] = [None] * sessions
        self._next = [0] * sessions

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection; a GetMedia body stays open for the whole call."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
                wish = json.loads(await reader.readexactly(int(fields[b"content-length"])))
                if head.startswith(b"POST /getDataEndpoint "):
                    address = writer.get_extra_info("sockname")
                    body = json.dumps({"DataEndpoint": f"http://{address[0]}:{address[1]}"}).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                else:
                    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    self._calls[int(wish["StreamARN"].split("/")[1].removeprefix("bench-"))] = writer

    async def feed(self) -> None:
        """Each call's blocks at their times, calls out of phase."""
        sessions = len(self._calls)
        begun = time.monotonic()
        due = 0
        while due < sessions * len(self._chunks):
            now = time.monotonic()
            until = int((now - begun) / PERIOD_S * sessions)
            for turn in range(due, until):
                self._send(turn % sessions)
            due = max(due, until)
            await asyncio.sleep(STEP_S)

    def _send(self, session: int) -> None:
        writer, block = self._calls[session], self._next[session]
        if writer is None or writer.is_closing() or block >= len(self._chunks):
            return
        self._next[session] = block + 1
        self._times.sent(session, block, time.monotonic())
        writer.write(self._chunks[block])


class Transcribe:
    """Takes every session and all of its audio, and notes when each chunk is there."""

    def __init__(self, times: Times) -> None:
        self._times = times
        self._sessions: dict[int, int] = {}
        """By handle."""

    async def serve(self, connection: ServerConnection) -> None:
        """One link."""
        with contextlib.suppress(ConnectionClosed):
            await connection.recv()
            await connection.send(Hello(peer="bench").model_dump_json())
            async for message in connection:
                if isinstance(message, bytes):
                    self._note(message)
                    continue
                frame = FROM_INGEST.validate_json(message)
                if isinstance(frame, Open):
                    self._sessions[frame.handle] = int(frame.request.session_id)
                    opened = OpenedSession(handle=frame.handle, epoch=1, t0_ms=None, position_samples=0)
                    await connection.send(opened.model_dump_json())
                    credit = Credit(handle=frame.handle, until_samples=1 << 40)
                    await connection.send(credit.model_dump_json())
                elif isinstance(frame, Release):
                    closed = ClosedSession(handle=frame.handle, disposition="leave", reason="bench")
                    await connection.send(closed.model_dump_json())

    def _note(self, frame: bytes) -> None:
        at, offset = time.monotonic(), 0
        while offset < len(frame):
            handle, position, length = _CHUNK_HEAD.unpack_from(frame, offset)
            self._times.heard(self._sessions[handle], position, at)
            offset += _CHUNK_HEAD.size + length


def block_count(seconds: int) -> int:
    """Blocks of a call of `seconds`, both lanes."""
    return seconds * 1000 // BLOCK_MS * 2


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    key = pre_shared_key(SECRET)
    context.set_psk_server_callback(lambda identity: key if identity == PSK_IDENTITY else b"")
    return context


async def _main(sessions: int, seconds: int, times: Path) -> None:
    noted = Times(times, sessions, seconds)
    feeder = Feeder(sessions, noted)
    media = await asyncio.start_server(feeder.answer, "127.0.0.1", 0, backlog=2_000)
    async with serve(
        Transcribe(noted).serve,
        "127.0.0.1",
        0,
        ssl=_tls(),
        compression=None,
        max_size=MAX_FRAME_BYTES,
        ping_interval=None,
    ) as link:
        ports = [server.sockets[0].getsockname()[1] for server in (media, link)]
        print(json.dumps(ports), flush=True)
        await feeder.feed()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))

"""Sessions of one process on one stream share a reader: KVS gives a stream three connections.

A shared reader keeps what it read, so that others can join it from its beginning. Whoever comes to its end
reads on for all: nobody who waits holds up the others, and nothing is read that nobody wants.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from services.ingest.errors import MediaFailure
from services.ingest.ports import MediaBody, MediaStreams

MAX_KEPT_BYTES: Final = 8 * 1024 * 1024
"""Of a reader: four minutes of a call. Who is further behind sees the body end, and opens another."""
MAX_READERS: Final = 2
"""Per stream; one of KVS's three connections is left to a successor in another process."""
GATHER_S: Final = 0.1
"""Sessions that open a shared stream within it get one reader, from the earliest of their times on."""


class _Reader:
    """One body and what is kept of it; opened for its first follower, closed after its last."""

    def __init__(self, start_ms: int, *, shared: bool, max_kept_bytes: int) -> None:
        self.start_ms = start_ms
        self._max_kept_bytes = max_kept_bytes
        self.shared = shared
        """Whether everything is kept, so that others can join."""
        self.superseded = False
        self.followers: set[_Follower] = set()
        self._asked = False
        self._body: MediaBody | None = None
        self._failure: MediaFailure | None = None
        self._closing = AsyncExitStack()
        self._turn = asyncio.Lock()
        """To open the body, and to read on."""
        self._pieces: deque[bytes] = deque()
        self._first = 0
        """Number of the first piece that is kept."""
        self._kept_bytes = 0

    def join(self, start_ms: int) -> bool:
        """Whether a body from `start_ms` on is to be had here."""
        if self._failure is not None or self._first:
            return False
        if not self._asked:
            self.shared = True
            self.start_ms = min(self.start_ms, start_ms)
        return self.shared and start_ms >= self.start_ms

    async def opened(self, streams: MediaStreams, stream_arn: str) -> MediaBody:
        """The body; what fails, fails for all followers.

        Raises:
            MediaFailure: there is none.
        """
        async with self._turn:
            if self._failure is not None:
                raise self._failure
            if self._body is None:
                if self.shared:
                    await asyncio.sleep(GATHER_S)
                self._asked = True
                try:
                    opening = streams.open(stream_arn, self.start_ms)
                    self._body = await self._closing.enter_async_context(opening)
                except MediaFailure as failure:
                    self._failure = failure
                    raise
            return self._body

    async def close(self) -> None:
        """Frees the connection."""
        await self._closing.aclose()

    async def piece(self, number: int, body: MediaBody) -> bytes:
        """Piece `number`, read if need be; empty at the end, and when it is not kept any more.

        Raises:
            MediaFailure: the body broke off here.
        """
        if number - self._first >= len(self._pieces):
            async with self._turn:
                if number - self._first >= len(self._pieces) and not self.superseded:
                    await self._read_on(body)
        if self.superseded or number < self._first:
            return b""
        return self._pieces[number - self._first]

    async def _read_on(self, body: MediaBody) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            piece = await body.read()
        except MediaFailure as failure:
            self._failure = failure
            raise
        self._pieces.append(piece)
        self._kept_bytes += len(piece)
        while self._kept_bytes > self._max_kept_bytes and len(self._pieces) > 1:
            self._kept_bytes -= len(self._pieces.popleft())
            self._first += 1


class _Follower:
    """One session's way through a reader's body."""

    def __init__(self, reader: _Reader) -> None:
        self._reader = reader
        self._next = 0
        self.body: MediaBody | None = None

    async def read(self) -> bytes:
        """As `ports.MediaBody`."""
        if self.body is None or self._reader.superseded:
            return b""
        if not self._reader.shared:
            return await self.body.read()
        piece = await self._reader.piece(self._next, self.body)
        self._next += 1
        return piece


class SharedMedia:
    """`ports.MediaStreams` over those of `streams`."""

    def __init__(self, streams: MediaStreams, *, max_kept_bytes: int = MAX_KEPT_BYTES) -> None:
        self._streams = streams
        self._max_kept_bytes = max_kept_bytes
        self._readers: dict[str, list[_Reader]] = {}

    @asynccontextmanager
    async def open(self, stream_arn: str, start_ms: int) -> AsyncGenerator[MediaBody]:
        """As `ports.MediaStreams`; the body may begin earlier than with the fragment that was asked for."""
        reader = self._reader(stream_arn, start_ms)
        follower = _Follower(reader)
        reader.followers.add(follower)
        try:
            follower.body = await reader.opened(self._streams, stream_arn)
            yield follower
        finally:
            reader.followers.discard(follower)
            if not reader.followers:
                self._forget(stream_arn, reader)
                await reader.close()

    def _reader(self, stream_arn: str, start_ms: int) -> _Reader:
        readers = self._readers.setdefault(stream_arn, [])
        for reader in readers:
            if reader.join(start_ms):
                return reader
        if len(readers) >= MAX_READERS:
            # Its followers see the body end, open again, and gather with this one.
            least = min(readers, key=lambda reader: len(reader.followers))
            least.superseded = True
            readers.remove(least)
        reader = _Reader(start_ms, shared=bool(readers), max_kept_bytes=self._max_kept_bytes)
        readers.append(reader)
        return reader

    def _forget(self, stream_arn: str, reader: _Reader) -> None:
        readers = self._readers.get(stream_arn, [])
        if reader in readers:
            readers.remove(reader)
        if not readers:
            self._readers.pop(stream_arn, None)

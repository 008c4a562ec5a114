"""Who shares a reader with whom, against scripted streams that count their connections."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from services.ingest.adapters.shared_media import MAX_READERS, SharedMedia
from services.ingest.ports import MediaBody

ARN = "arn:x"


class Body:
    """Pieces that name their body's start and their number."""

    def __init__(self, start_ms: int, pieces: int) -> None:
        self.start_ms = start_ms
        self.reads = 0
        self._pieces = pieces

    async def read(self) -> bytes:
        self.reads += 1
        return b"%d/%d" % (self.start_ms, self.reads) if self.reads <= self._pieces else b""


class Streams:
    """As `ports.MediaStreams`."""

    def __init__(self, pieces: int = 100) -> None:
        self.bodies: list[Body] = []
        self.open_now = 0
        self._pieces = pieces

    @asynccontextmanager
    async def open(self, stream_arn: str, start_ms: int) -> AsyncGenerator[MediaBody]:
        assert stream_arn == ARN
        body = Body(start_ms, self._pieces)
        self.bodies.append(body)
        self.open_now += 1
        try:
            yield body
        finally:
            self.open_now -= 1

    @property
    def starts(self) -> list[int]:
        return [body.start_ms for body in self.bodies]


async def test_a_lone_reader_that_is_superseded_sees_its_body_end() -> None:
    streams = Streams()
    media = SharedMedia(streams)
    async with media.open(ARN, 9000) as lone, media.open(ARN, 8000) as shared:
        assert await lone.read() == b"9000/1"
        async with media.open(ARN, 0) as earlier:
            assert await lone.read() == b""
            assert await earlier.read() == b"0/1"
            assert await shared.read() == b"8000/1"
    assert streams.open_now == 0


async def test_who_opens_again_after_that_joins_the_reader_that_took_his_place() -> None:
    streams = Streams()
    media = SharedMedia(streams)
    async with AsyncExitStack() as held:
        async with media.open(ARN, 9000), media.open(ARN, 8000):
            await held.enter_async_context(media.open(ARN, 0))
        again = await held.enter_async_context(media.open(ARN, 9000))
        assert await again.read() == b"0/1"
        assert streams.starts == [9000, 8000, 0]
        assert streams.open_now == 1


async def test_the_reader_with_the_fewest_sessions_is_superseded() -> None:
    streams = Streams()
    media = SharedMedia(streams)
    async with AsyncExitStack() as held:
        async with media.open(ARN, 9500):
            two = [await held.enter_async_context(media.open(ARN, 9000)) for _ in range(2)]
        one = await held.enter_async_context(media.open(ARN, 8000))
        assert streams.starts == [9500, 9000, 8000]
        await held.enter_async_context(media.open(ARN, 0))
        assert [await body.read() for body in two] == [b"9000/1", b"9000/1"]
        assert await one.read() == b""


async def test_a_stream_never_has_more_readers_that_others_may_join_than_two() -> None:
    streams = Streams()
    media = SharedMedia(streams)
    async with AsyncExitStack() as held:
        bodies = [await held.enter_async_context(media.open(ARN, ms)) for ms in (9000, 8000, 7000, 6000)]
        living = [body for body in bodies if await body.read()]
        assert len(living) == MAX_READERS == 2
        assert living == bodies[2:]


async def test_who_joins_gets_everything_from_the_readers_beginning() -> None:
    streams = Streams(pieces=2)
    media = SharedMedia(streams)
    async with media.open(ARN, 9000), media.open(ARN, 100) as first:
        assert [await first.read() for _ in range(3)] == [b"100/1", b"100/2", b""]
        async with media.open(ARN, 100) as second:
            assert [await second.read() for _ in range(3)] == [b"100/1", b"100/2", b""]
    assert streams.starts == [9000, 100]


async def test_nobody_joins_a_reader_that_no_longer_has_its_beginning() -> None:
    streams = Streams()
    media = SharedMedia(streams, max_kept_bytes=12)
    async with media.open(ARN, 9000), media.open(ARN, 100) as first:
        for _ in range(3):
            assert await first.read()
        async with media.open(ARN, 200) as second:
            assert await second.read() == b"200/1"
    assert streams.starts == [9000, 100, 200]


async def test_what_a_lone_session_reads_is_read_for_it_alone() -> None:
    streams = Streams(pieces=1)
    media = SharedMedia(streams)
    async with media.open(ARN, 100) as lone, media.open(ARN, 100) as second:
        assert [await lone.read(), await lone.read()] == [b"100/1", b""]
        assert await second.read() == b"100/1"
    assert [body.reads for body in streams.bodies] == [2, 1]

"""Many sessions on one stream, against the emulator and its three connections."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from emulators.kvs.faults import Fault as Armed
from emulators.kvs.server import RunningKvs
from services.ingest.adapters.kinesis_video import KinesisVideo
from services.ingest.adapters.shared_media import SharedMedia
from services.ingest.errors import MediaFailure
from services.ingest.media_faults import Fault
from services.ingest.ports import MediaBody
from services.ingest.scanned import Block
from tests.integration.kvs_client import BLOCK_MS, START_MS, blocks, contact
from tests.unit.ingest.test_stream_cases import scanned

SESSIONS = 89


@pytest.fixture
async def media(kvs: RunningKvs) -> AsyncIterator[SharedMedia]:
    assert kvs.port
    async with KinesisVideo(read_timeout_s=2.0, max_bodies=10) as streams:
        yield SharedMedia(streams)


async def rest(body: MediaBody) -> bytes:
    pieces: list[bytes] = []
    while piece := await body.read():
        pieces.append(piece)
    return b"".join(pieces)


async def whole(media: SharedMedia, arn: str, start_ms: int = START_MS) -> bytes:
    async with media.open(arn, start_ms) as body:
        return await rest(body)


def found(body: bytes) -> list[tuple[int, int, bytes]]:
    values, error = scanned([body])
    assert error is None
    return [(v.channel, v.at_ms, v.payload) for v in values if isinstance(v, Block)]


def connections(kvs: RunningKvs) -> int:
    return sum(kvs.account.connections(stream) for stream in kvs.account.streams)


async def test_a_load_test_of_one_and_89_sessions_needs_two_connections(
    kvs: RunningKvs, media: SharedMedia
) -> None:
    sent = blocks(60)
    async with contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        await uplink.send(sent)
        async with media.open(arn, START_MS) as first:
            begun = await first.read()
            async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(whole(media, arn)) for _ in range(SESSIONS)]
                bodies = [begun + await rest(first)]
            assert connections(kvs) <= 2
        bodies += [task.result() for task in others]
    expected = [(block.lane, block.at_ms, block.pcm) for block in sent]
    assert len(bodies) == 1 + SESSIONS
    assert all(found(body) == expected for body in bodies)


async def test_a_session_that_waits_holds_up_nobody(kvs: RunningKvs, media: SharedMedia) -> None:
    async with contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        await uplink.send(blocks(40))
        async with media.open(arn, START_MS) as lone, media.open(arn, START_MS) as slow:
            assert await lone.read()
            assert len(found(await whole(media, arn))) == 80
            assert len(found(await rest(slow))) == 80


async def test_sessions_that_open_together_begin_with_the_earliest_time(
    kvs: RunningKvs, media: SharedMedia
) -> None:
    async with contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        await uplink.send(blocks(170))
        starts = [START_MS + seconds * 1000 for seconds in (6, 2, 9, 0, 4)]
        async with asyncio.TaskGroup() as tasks:
            opened = [tasks.create_task(whole(media, arn, start_ms)) for start_ms in starts]
        for start_ms, task in zip(starts, opened, strict=True):
            read = found(task.result())
            assert read[0][1] <= start_ms + BLOCK_MS
            assert read[-1][1] == START_MS + 169 * BLOCK_MS


async def test_who_is_served_by_no_reader_takes_the_place_of_one(kvs: RunningKvs, media: SharedMedia) -> None:
    async with contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        await uplink.send(blocks(170))
        async with media.open(arn, START_MS + 9000) as one, media.open(arn, START_MS + 8000) as two:
            assert await one.read()
            assert await two.read()
            assert found(await whole(media, arn))[0][1] == START_MS
            assert b"" in (await one.read(), await two.read())
            assert connections(kvs) <= 3


async def test_who_falls_too_far_behind_sees_the_body_end(kvs: RunningKvs) -> None:
    async with KinesisVideo(read_timeout_s=2.0, max_bodies=10) as streams, contact(kvs) as uplink:
        media = SharedMedia(streams, max_kept_bytes=100_000)
        arn = uplink.opened.stream_arn
        await uplink.send(blocks(170))
        async with media.open(arn, START_MS), media.open(arn, START_MS) as slow:
            quick = asyncio.create_task(whole(media, arn))
            assert len(found(await quick)) == 340
            assert await slow.read() == b""


async def test_a_failure_is_that_of_all_and_the_next_one_tries_again(
    kvs: RunningKvs, media: SharedMedia
) -> None:
    async with contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        await uplink.send(blocks(20))
        kvs.account.arm("*", Armed(kind="deny", times=2, error="AccessDeniedException"))
        results = await asyncio.gather(*(whole(media, arn) for _ in range(5)), return_exceptions=True)
        assert [result.fault for result in results if isinstance(result, MediaFailure)] == [Fault.DENIED] * 5
        assert len(found(await whole(media, arn))) == 40


async def test_the_last_one_to_leave_frees_the_connection(kvs: RunningKvs, media: SharedMedia) -> None:
    async with contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        await uplink.send(blocks(20))
        for _ in range(3):
            async with media.open(arn, START_MS) as one, media.open(arn, START_MS) as two:
                assert await one.read()
                assert await two.read()


async def test_one_who_is_cancelled_while_he_reads_for_all_costs_the_others_nothing(
    kvs: RunningKvs, media: SharedMedia
) -> None:
    sent = blocks(40)
    async with contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        await uplink.send(sent[:40])
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            readers = [tasks.create_task(whole(media, arn)) for _ in range(6)]
            async with media.open(arn, START_MS) as watching:
                assert await watching.read()
                for reader in readers[:3]:
                    reader.cancel()
                await uplink.send(sent[40:])
    assert [len(found(reader.result())) for reader in readers[3:]] == [80] * 3

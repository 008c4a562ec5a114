"""The KVS adapter against the emulator: bodies, faults, quotas."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from botocore.exceptions import ClientError

from emulators.kvs.faults import Fault as Armed
from emulators.kvs.server import RunningKvs
from services.ingest.adapters.kinesis_video import KinesisVideo
from services.ingest.errors import MediaFailure
from services.ingest.fragment_scanner import FragmentScanner
from services.ingest.media_faults import Fault
from services.ingest.ports import MediaBody
from services.ingest.scanned import Block, Scanned
from tests.integration.kvs_client import START_MS, blocks, contact
from tests.unit.ingest.test_stream_cases import scanned


@pytest.fixture
async def video(kvs: RunningKvs) -> AsyncIterator[KinesisVideo]:
    assert kvs.port
    async with KinesisVideo(read_timeout_s=1.0, max_bodies=10) as adapter:
        yield adapter


async def rest(body: MediaBody) -> bytes:
    pieces: list[bytes] = []
    while piece := await body.read():
        pieces.append(piece)
    return b"".join(pieces)


async def whole(video: KinesisVideo, arn: str, start_ms: int = START_MS) -> bytes:
    async with video.open(arn, start_ms) as body:
        return await rest(body)


def found(body: bytes) -> list[tuple[int, int, bytes]]:
    values, error = scanned([body])
    assert error is None
    return [(v.channel, v.at_ms, v.payload) for v in values if isinstance(v, Block)]


async def fault_of(video: KinesisVideo, arn: str) -> Fault:
    with pytest.raises(MediaFailure) as caught:
        await whole(video, arn)
    return caught.value.fault


async def test_a_body_holds_every_block_from_the_start_on(kvs: RunningKvs, video: KinesisVideo) -> None:
    sent = blocks(60)
    async with contact(kvs) as uplink:
        await uplink.send(sent)
        body = await whole(video, uplink.opened.stream_arn)
    assert found(body) == [(block.lane, block.at_ms, block.pcm) for block in sent]


@pytest.mark.parametrize("start_ms", [10**17, 10**40])
async def test_a_time_that_is_none_is_refused(video: KinesisVideo, start_ms: int) -> None:
    with pytest.raises(MediaFailure) as caught:
        await whole(video, "arn:aws:kinesisvideo:eu-west-2:111111111111:stream/any/1", start_ms)
    assert caught.value.fault is Fault.REFUSED


async def test_reading_begins_with_the_fragment_that_contains_the_time(
    kvs: RunningKvs, video: KinesisVideo
) -> None:
    async with contact(kvs) as uplink:
        await uplink.send(blocks(170))
        body = await whole(video, uplink.opened.stream_arn, START_MS + 5000)
    assert START_MS + 5000 - 1088 - 1000 <= found(body)[0][1] <= START_MS + 5000


async def test_blocks_are_read_as_they_come(kvs: RunningKvs, video: KinesisVideo) -> None:
    async with contact(kvs) as uplink:
        await uplink.send(blocks(1))
        async with video.open(uplink.opened.stream_arn, START_MS) as body:
            scanner = FragmentScanner()
            for number in range(1, 5):
                seen: list[Scanned] = []
                while not [value for value in seen if isinstance(value, Block)]:
                    seen += scanner.feed(await body.read())
                await uplink.send(blocks(1, first=number))


async def test_a_closed_body_frees_its_connection(kvs: RunningKvs, video: KinesisVideo) -> None:
    async with contact(kvs) as uplink:
        await uplink.send(blocks(20))
        for _ in range(8):
            async with video.open(uplink.opened.stream_arn, START_MS) as body:
                assert await body.read()


async def test_a_fourth_connection_is_throttled(kvs: RunningKvs, video: KinesisVideo) -> None:
    arn = await stream(kvs)
    async with video.open(arn, START_MS), video.open(arn, START_MS), video.open(arn, START_MS):
        assert await fault_of(video, arn) is Fault.THROTTLED


async def test_our_own_calls_stay_inside_the_quota(kvs: RunningKvs, video: KinesisVideo) -> None:
    arn = await stream(kvs)
    for _ in range(12):
        async with video.open(arn, START_MS) as body:
            assert await body.read()


async def test_the_endpoint_is_asked_for_once_and_again_after_a_failure(
    kvs: RunningKvs, video: KinesisVideo
) -> None:
    arn = await stream(kvs)
    async with video.open(arn, START_MS) as body:
        assert await body.read()
    refused: list[str] = []
    for _ in range(2):
        kvs.account.arm("*", Armed(kind="deny"))
        with pytest.raises(MediaFailure) as caught:
            await whole(video, arn)
        assert isinstance(caught.value.__cause__, ClientError)
        refused.append(caught.value.__cause__.operation_name)
    assert refused == ["GetMedia", "GetDataEndpoint"]


async def test_a_stream_that_is_not_there_is_not_found(kvs: RunningKvs, video: KinesisVideo) -> None:
    arn = (await stream(kvs)).replace("stream/", "stream/no-")
    assert await fault_of(video, arn) is Fault.NOT_FOUND


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ("NotAuthorizedException", Fault.DENIED),
        ("AccessDeniedException", Fault.DENIED),
        ("ClientLimitExceededException", Fault.THROTTLED),
        ("InvalidArgumentException", Fault.REFUSED),
    ],
)
async def test_errors_of_the_service_have_a_kind(
    kvs: RunningKvs, video: KinesisVideo, error: str, fault: Fault
) -> None:
    arn = await stream(kvs)
    kvs.account.arm("*", Armed(kind="deny", error=error))
    assert await fault_of(video, arn) is fault


async def test_a_cut_connection_is_a_broken_body(kvs: RunningKvs, video: KinesisVideo) -> None:
    arn = await stream(kvs)
    kvs.account.arm("*", Armed(kind="drop", times=1))
    assert await fault_of(video, arn) is Fault.BROKEN


async def test_a_body_that_says_nothing_is_silent(kvs: RunningKvs, video: KinesisVideo) -> None:
    arn = await stream(kvs)
    kvs.account.arm("*", Armed(kind="freeze", seconds=5))
    assert await fault_of(video, arn) is Fault.SILENT


async def test_a_service_that_is_not_there_is_broken(kvs: RunningKvs) -> None:
    arn = await stream(kvs)
    async with KinesisVideo(read_timeout_s=1.0, max_bodies=1) as video:
        assert await whole(video, arn)
        kvs.account.arm("*", Armed(kind="drop", times=1))
        assert await fault_of(video, arn) is Fault.BROKEN
        assert await whole(video, arn)


async def test_a_reader_that_is_cancelled_frees_its_connection(kvs: RunningKvs, video: KinesisVideo) -> None:
    async with contact(kvs) as uplink:
        await uplink.send(blocks(5))
        for _ in range(5):
            began = asyncio.Event()

            async def read(began: asyncio.Event = began) -> None:
                async with video.open(uplink.opened.stream_arn, START_MS) as body:
                    assert await body.read()
                    began.set()
                    await rest(body)

            reading = asyncio.create_task(read())
            await began.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading


async def stream(kvs: RunningKvs) -> str:
    """The ARN of a stream with some blocks in it."""
    async with contact(kvs) as uplink:
        await uplink.send(blocks(40))
        return uplink.opened.stream_arn

"""The KVS emulator through aiobotocore's own clients: what GetMedia sends."""

import asyncio
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import aiohttp
import av
import pytest

from emulators.connect.uplink import UplinkRefused
from emulators.kvs.fragments import Lane
from emulators.kvs.options import KvsOptions
from emulators.kvs.server import RunningKvs, serve
from tests.integration.kvs_client import (
    BLOCK_MS,
    FRAGMENT_MS,
    READ_TIMEOUT_S,
    START_MS,
    blocks,
    clients,
    contact,
    pcm,
    read,
    reading,
    send,
)
from tests.unit.emulators.ebml_reader import CLUSTER, audio_of, fragments_of

if TYPE_CHECKING:
    from types_aiobotocore_kinesis_video_media.client import KinesisVideoMediaClient

FROM, TO = Lane.FROM_CUSTOMER.track_name, Lane.TO_CUSTOMER.track_name
UNHURRIED = KvsOptions(idle_s=1.5)
"""For readers that are there before the audio."""
QUICK = KvsOptions(idle_s=0.2, reuse_after_s=0, calls_per_s=100)


@pytest.fixture
async def kvs() -> AsyncIterator[RunningKvs]:
    async with serve(QUICK) as running:
        yield running


@pytest.fixture
async def media(kvs: RunningKvs) -> "AsyncIterator[KinesisVideoMediaClient]":
    async with clients(kvs) as (_, client):
        yield client


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)


async def test_the_data_endpoint_is_where_the_media_is_read(kvs: RunningKvs) -> None:
    async with clients(kvs) as (video, _), contact(kvs) as uplink:
        arn = uplink.opened.stream_arn
        endpoint = await video.get_data_endpoint(StreamARN=arn, APIName="GET_MEDIA")
        described = await video.describe_stream(StreamARN=arn)
        listed = await video.list_streams()
    assert endpoint["DataEndpoint"] == kvs.base_url
    assert described["StreamInfo"].get("StreamName") == uplink.opened.stream_name
    assert [info.get("StreamARN") for info in listed["StreamInfoList"]] == [arn]


async def test_a_body_holds_every_block_of_both_sides(
    kvs: RunningKvs, media: "KinesisVideoMediaClient"
) -> None:
    sent = blocks(100)
    async with contact(kvs) as uplink:
        await uplink.send(sent)
    fragments = fragments_of(await read(media, uplink.opened.stream_arn))
    assert [len(fragment.blocks) for fragment in fragments] == [34] * 5 + [30]
    assert audio_of(fragments, FROM) == pcm(Lane.FROM_CUSTOMER, sent)
    assert audio_of(fragments, TO) == pcm(Lane.TO_CUSTOMER, sent)
    times = [ms for fragment in fragments for name, ms, _ in fragment.blocks if name == FROM]
    assert times == [START_MS + number * BLOCK_MS for number in range(100)]


async def test_fragments_have_the_shape_of_connects(
    kvs: RunningKvs, media: "KinesisVideoMediaClient"
) -> None:
    async with contact(kvs) as uplink:
        await uplink.send(blocks(17 * 7))
    fragments = fragments_of(await read(media, uplink.opened.stream_arn))
    for fragment in fragments:
        assert fragment.cluster_size is None
        assert fragment.block_size_widths == {8}
        assert fragment.codecs == {("A_AAC", b"\x11\x90", False)}
        assert fragment.order.count(CLUSTER) == 1
        assert set(fragment.leading_tags) == {
            "AWS_KINESISVIDEO_FRAGMENT_NUMBER",
            "AWS_KINESISVIDEO_SERVER_TIMESTAMP",
            "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP",
        }
        assert [list(tags) for tags in fragment.trailing_tags] == [
            ["ContactId"],
            ["InstanceId"],
            ["MimeType"],
            ["AUDIO_FROM_CUSTOMER"],
            ["AUDIO_TO_CUSTOMER"],
            ["Events"],
            ["AWS_KINESISVIDEO_MILLIS_BEHIND_NOW", "AWS_KINESISVIDEO_CONTINUATION_TOKEN"],
        ]
        assert fragment.tags["ContactId"] == "contact-1"
        assert fragment.tags["AWS_KINESISVIDEO_CONTINUATION_TOKEN"] == fragment.number
    tracks = [fragment.tracks for fragment in fragments]
    assert tracks == [[(1, FROM), (2, TO)]] * 3 + [[(1, TO), (2, FROM)]] * 3 + [[(1, FROM), (2, TO)]]
    numbers = [int(fragment.number) for fragment in fragments]
    assert numbers == sorted(set(numbers))
    assert fragments[0].number == uplink.opened.start_fragment_number
    assert len({fragment.segment_uid for fragment in fragments}) == 1


async def test_pyav_demuxes_the_same_bytes(kvs: RunningKvs, media: "KinesisVideoMediaClient") -> None:
    sent = blocks(60)
    async with contact(kvs, swap_every=0) as uplink:
        await uplink.send(sent)
    body = await read(media, uplink.opened.stream_arn)
    demuxed: dict[int, bytes] = {0: b"", 1: b""}
    with av.open(io.BytesIO(body), mode="r", format="matroska") as container:
        for packet in container.demux():
            demuxed[packet.stream.index] += bytes(packet)
    assert demuxed == {lane.value: pcm(lane, sent) for lane in Lane}


async def test_each_selector_begins_where_aws_says(kvs: RunningKvs, media: "KinesisVideoMediaClient") -> None:
    async with contact(kvs) as uplink:
        await uplink.send(blocks(17 * 4))
    arn = uplink.opened.stream_arn
    everything = fragments_of(await read(media, arn, "EARLIEST"))
    numbers = [fragment.number for fragment in everything]

    async def began(kind: str, **selector: object) -> list[str]:
        return [fragment.number for fragment in fragments_of(await read(media, arn, kind, **selector))]

    assert await began("FRAGMENT_NUMBER", AfterFragmentNumber=numbers[1]) == numbers[2:]
    assert await began("CONTINUATION_TOKEN", ContinuationToken=numbers[2]) == numbers[3:]
    inside = START_MS + 2 * FRAGMENT_MS + 500
    assert await began("PRODUCER_TIMESTAMP", StartTimestamp=at(inside)) == numbers[2:]
    assert await began("PRODUCER_TIMESTAMP", StartTimestamp=at(START_MS)) == numbers
    assert await began("PRODUCER_TIMESTAMP", StartTimestamp=at(START_MS - 60_000)) == numbers
    assert await began("PRODUCER_TIMESTAMP", StartTimestamp=at(START_MS + 60_000)) == []
    assert await began("SERVER_TIMESTAMP", StartTimestamp=datetime.now(UTC) - timedelta(minutes=1)) == numbers
    assert await began("NOW") == []


async def test_now_begins_with_the_fragment_that_grows() -> None:
    async with serve(UNHURRIED) as kvs, clients(kvs) as (_, media), contact(kvs) as uplink:
        await send(kvs, uplink, blocks(20))
        async with reading(media, uplink.opened.stream_arn, "NOW") as body:
            await uplink.send(blocks(17, first=20))
            fragments = fragments_of(await body.read())
    assert [fragment.cluster_ms for fragment in fragments] == [
        START_MS + FRAGMENT_MS,
        START_MS + 2 * FRAGMENT_MS,
    ]


async def test_the_number_that_connect_names_starts_after_the_first_fragment() -> None:
    async with serve(UNHURRIED) as kvs, clients(kvs) as (_, media), contact(kvs) as uplink:
        arn, number = uplink.opened.stream_arn, uplink.opened.start_fragment_number
        async with reading(media, arn, "FRAGMENT_NUMBER", AfterFragmentNumber=number) as body:
            await uplink.send(blocks(34))
            fragments = fragments_of(await body.read())
    assert [fragment.cluster_ms for fragment in fragments] == [START_MS + FRAGMENT_MS]


async def test_an_unknown_fragment_is_an_error_inside_the_body(
    kvs: RunningKvs, media: "KinesisVideoMediaClient"
) -> None:
    async with contact(kvs) as uplink:
        await uplink.send(blocks(1))
    (fragment,) = fragments_of(
        await read(media, uplink.opened.stream_arn, "FRAGMENT_NUMBER", AfterFragmentNumber="17")
    )
    assert fragment.tags["AWS_KINESISVIDEO_ERROR_ID"] == "4000"
    assert fragment.cluster_ms is None


async def test_trickled_blocks_arrive_before_their_fragment_is_complete() -> None:
    async with (
        serve(KvsOptions(idle_s=30)) as kvs,
        clients(kvs) as (_, media),
        contact(kvs) as uplink,
        reading(media, uplink.opened.stream_arn, "NOW") as body,
        asyncio.timeout(READ_TIMEOUT_S),
    ):
        received = b""
        for number, block in enumerate(blocks(3)):
            await uplink.send([block])
            while block.pcm not in received:
                fresh = await body.read(65_536)
                assert fresh, "the body ended"
                received += fresh
            assert received.count(b"\xa3\x01\x00\x00\x00\x00\x00\x04") == number + 1


async def test_whole_fragments_arrive_when_they_are_complete() -> None:
    async with (
        serve(KvsOptions(delivery="whole", idle_s=0.2)) as kvs,
        clients(kvs) as (_, media),
        contact(kvs) as uplink,
    ):
        await send(kvs, uplink, blocks(20))
        body = await read(media, uplink.opened.stream_arn)
        assert [len(fragment.blocks) for fragment in fragments_of(body)] == [34]


async def test_a_body_ends_when_the_stream_idles_and_goes_on_from_its_token(
    kvs: RunningKvs, media: "KinesisVideoMediaClient"
) -> None:
    async with contact(kvs) as uplink:
        await send(kvs, uplink, blocks(17))
        arn = uplink.opened.stream_arn
        first = fragments_of(await read(media, arn))
        await send(kvs, uplink, blocks(17, first=17))
        token = first[-1].tags["AWS_KINESISVIDEO_CONTINUATION_TOKEN"]
        second = fragments_of(await read(media, arn, "CONTINUATION_TOKEN", ContinuationToken=token))
    assert audio_of(first + second, FROM) == pcm(Lane.FROM_CUSTOMER, blocks(34))


async def test_a_body_ends_after_its_time_at_the_end_of_a_fragment() -> None:
    async with (
        serve(KvsOptions(body_limit_s=0.1, idle_s=30)) as kvs,
        clients(kvs) as (_, media),
        contact(kvs) as uplink,
        reading(media, uplink.opened.stream_arn, "NOW") as body,
        asyncio.timeout(READ_TIMEOUT_S),
    ):
        ended = asyncio.ensure_future(body.read())
        number = 0
        while not ended.done():
            await uplink.send(blocks(1, first=number))
            await asyncio.wait([ended], timeout=0.01)
            number += 1
        fragments = fragments_of(ended.result())
    assert all(len(fragment.blocks) == 34 for fragment in fragments)
    assert fragments[-1].tags["AWS_KINESISVIDEO_CONTINUATION_TOKEN"] == fragments[-1].number


async def test_a_stream_is_used_again_by_the_next_contact(
    kvs: RunningKvs, media: "KinesisVideoMediaClient"
) -> None:
    async with contact(kvs, "contact-1") as first:
        await first.send(blocks(20))
    async with contact(kvs, "contact-2") as second:
        await second.send(blocks(20, start_ms=START_MS + 600_000))
    assert second.opened.stream_arn == first.opened.stream_arn
    fragments = fragments_of(await read(media, first.opened.stream_arn))
    assert [fragment.tags["ContactId"] for fragment in fragments] == ["contact-1"] * 2 + ["contact-2"] * 2
    assert len({fragment.segment_uid for fragment in fragments}) == 2


async def test_a_stream_carries_one_contact_at_a_time(kvs: RunningKvs) -> None:
    async with contact(kvs, "contact-1") as first, contact(kvs, "contact-2") as second:
        assert first.opened.stream_name != second.opened.stream_name
        with pytest.raises(UplinkRefused, match="carries contact contact-1"):
            async with contact(kvs, "contact-3", stream_name=first.opened.stream_name):
                pass


async def test_the_last_fragment_may_lack_the_contacts_tags(
    kvs: RunningKvs, media: "KinesisVideoMediaClient"
) -> None:
    async with contact(kvs, tagless_tail=True) as uplink:
        await uplink.send(blocks(20))
    whole, tail = fragments_of(await read(media, uplink.opened.stream_arn))
    assert "ContactId" in whole.tags
    assert "ContactId" not in tail.tags
    assert tail.segment_uid == whole.segment_uid


async def test_identity_tags_may_stand_before_the_cluster(
    kvs: RunningKvs, media: "KinesisVideoMediaClient"
) -> None:
    async with contact(kvs, identity_first=True) as uplink:
        await uplink.send(blocks(17))
    (fragment,) = fragments_of(await read(media, uplink.opened.stream_arn))
    assert fragment.leading_tags["ContactId"] == "contact-1"


async def test_the_arrival_of_each_contacts_first_block_is_told(kvs: RunningKvs) -> None:
    before_ms = datetime.now(UTC).timestamp() * 1000 - 1
    async with contact(kvs) as uplink, aiohttp.ClientSession() as session:
        await uplink.send(blocks(17))
        url = f"{kvs.base_url}/_emulator/streams/{uplink.opened.stream_name}"
        async with asyncio.timeout(READ_TIMEOUT_S):
            while not (told := await (await session.get(url)).json())["fragments"]:
                pass
    (record,) = told["contacts"]
    assert record["contact_id"] == "contact-1"
    assert before_ms <= record["first_block_at_ms"] <= datetime.now(UTC).timestamp() * 1000
    assert record["first_producer_ms"] == START_MS
    assert record["start_fragment_number"] == told["fragments"][0]["number"]
    assert told["fragments"][0]["first_block_at_ms"] == record["first_block_at_ms"]

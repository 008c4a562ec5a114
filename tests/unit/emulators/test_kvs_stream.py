"""What a stream keeps, where readers begin, and what they are given."""

import pytest

from emulators.kvs.cursor import MAX_TAKE_BYTES, Cursor
from emulators.kvs.errors import AwsError
from emulators.kvs.faults import Fault, Faults
from emulators.kvs.fragments import Block, Lane, Shape
from emulators.kvs.options import KvsOptions
from emulators.kvs.quota import Quota
from emulators.kvs.selectors import Containing, FragmentNotFound, after_fragment, earliest, latest
from emulators.kvs.stream import Retention, Stream
from emulators.kvs.streams import StreamBusy, Streams
from emulators.kvs.uplink import MalformedBlocks, Open, decode, encode
from tests.unit.emulators.ebml_reader import ReadFragment, fragments_of

NOW = 1_790_000_000_000
FRAGMENT_MS = 17 * 64
PCM = bytes(1024)


def stream_with(fragments: int, retention: Retention | None = None, *, end: bool = True) -> Stream:
    stream = Stream("stream", "arn", NOW, retention or Retention())
    stream.open_contact("one", "instance", Shape(), now_ms=NOW)
    feed(stream, 17 * fragments)
    if end:
        stream.end_contact(now_ms=NOW)
    return stream


def feed(stream: Stream, count: int, first: int = 0) -> None:
    assert stream.audio is not None
    for number in range(first, first + count):
        at_ms = NOW + 64 * number
        stream.audio.push([Block(lane, at_ms, PCM) for lane in Lane], now_ms=at_ms + 64)


def taken(cursor: Cursor) -> list[ReadFragment]:
    body = b""
    while fresh := cursor.take(now_ms=NOW):
        body += fresh
    return fragments_of(body)


def test_a_fragment_is_complete_with_its_seventeenth_blocks() -> None:
    stream = stream_with(1, end=False)
    assert [fragment.complete for fragment in stream.fragments] == [True]
    assert stream.fragments[0].producer_end_ms == NOW + FRAGMENT_MS


def test_a_side_that_misses_blocks_does_not_hold_a_fragment_open() -> None:
    stream = Stream("stream", "arn", NOW, Retention())
    stream.open_contact("one", "instance", Shape(), now_ms=NOW)
    assert stream.audio is not None
    for number in range(18):
        stream.audio.push([Block(Lane.FROM_CUSTOMER, NOW + 64 * number, PCM)], now_ms=NOW)
    assert [fragment.complete for fragment in stream.fragments] == [True, False]


def test_a_jump_of_the_clock_begins_a_fragment() -> None:
    stream = Stream("stream", "arn", NOW, Retention())
    stream.open_contact("one", "instance", Shape(), now_ms=NOW)
    assert stream.audio is not None
    for at_ms in (NOW, NOW + 40_000, NOW - 40_000):
        stream.audio.push([Block(Lane.FROM_CUSTOMER, at_ms, PCM)], now_ms=NOW)
    assert [fragment.producer_ms for fragment in stream.fragments] == [NOW, NOW + 40_000, NOW - 40_000]


def test_retention_drops_the_oldest_complete_fragments() -> None:
    stream = stream_with(5)
    size = stream.fragments[0].size_bytes
    aged = stream_with(5, Retention(age_ms=2 * FRAGMENT_MS))
    aged.expire(now_ms=NOW + 5 * FRAGMENT_MS)
    assert [fragment.index for fragment in aged.fragments] == [3, 4]
    big = stream_with(5, Retention(size_bytes=3 * size))
    assert big.expire(now_ms=NOW) <= 3 * size
    assert [fragment.index for fragment in big.fragments] == [2, 3, 4]


def test_a_growing_fragment_is_never_dropped() -> None:
    stream = stream_with(1, Retention(age_ms=0, size_bytes=0), end=False)
    feed(stream, 3, first=17)
    stream.expire(now_ms=NOW + 3_600_000)
    assert [fragment.index for fragment in stream.fragments] == [1]


def test_a_reader_that_falls_behind_goes_on_with_what_is_left() -> None:
    stream = stream_with(5)
    cursor = Cursor(stream, earliest(), whole=False)
    while stream.fragments[0].index < 3:
        stream.fragments.popleft()
    assert [int(fragment.number) for fragment in taken(cursor)] == [int(stream.number(n)) for n in (3, 4)]


def test_a_fragment_that_was_begun_is_finished_though_it_was_dropped() -> None:
    stream = stream_with(1, end=False)
    feed(stream, 3, first=17)
    cursor = Cursor(stream, after_fragment(stream, stream.number(0)), whole=False)
    body = cursor.take(now_ms=NOW)
    assert not cursor.at_boundary
    feed(stream, 14, first=20)
    stream.fragments.clear()
    body += cursor.take(now_ms=NOW)
    assert cursor.at_boundary
    assert [len(fragment.blocks) for fragment in fragments_of(body)] == [34]


def test_a_reader_whose_time_is_up_finishes_its_fragment_and_begins_no_other() -> None:
    stream = stream_with(1, end=False)
    feed(stream, 1, first=17)
    cursor = Cursor(stream, latest(stream), whole=False)
    body = cursor.take(now_ms=NOW)
    feed(stream, 20, first=18)
    body += cursor.take(now_ms=NOW, last=True)
    assert cursor.at_boundary
    assert cursor.take(now_ms=NOW, last=True) == b""
    assert [len(fragment.blocks) for fragment in fragments_of(body)] == [34]


def test_a_slow_reader_is_given_bounded_pieces() -> None:
    cursor = Cursor(stream_with(30), earliest(), whole=False)
    first = cursor.take(now_ms=NOW)
    assert MAX_TAKE_BYTES <= len(first) < MAX_TAKE_BYTES + 50_000


def test_a_time_inside_a_growing_fragment_is_waited_for() -> None:
    stream = stream_with(1, end=False)
    feed(stream, 1, first=17)
    cursor = Cursor(stream, Containing(NOW + FRAGMENT_MS + 100, by_producer=True), whole=False)
    assert cursor.take(now_ms=NOW) == b""
    feed(stream, 1, first=18)
    assert [len(fragment.blocks) for fragment in taken(cursor)] == [4]


def test_a_time_in_a_hole_begins_with_the_fragment_after_it() -> None:
    stream = stream_with(1)
    stream.open_contact("two", "instance", Shape(), now_ms=NOW)
    feed(stream, 17, first=1_000)
    cursor = Cursor(stream, Containing(NOW + 30_000, by_producer=True), whole=True)
    assert [fragment.cluster_ms for fragment in taken(cursor)] == [NOW + 64_000]


def test_now_is_the_growing_fragment_or_the_next_one() -> None:
    stream = stream_with(2, end=False)
    assert taken(Cursor(stream, latest(stream), whole=False)) == []
    feed(stream, 1, first=34)
    assert len(taken(Cursor(stream, latest(stream), whole=False))) == 1


def test_fragments_that_are_not_kept_cannot_be_named() -> None:
    stream = stream_with(2)
    oldest = stream.fragments.popleft()
    with pytest.raises(FragmentNotFound):
        after_fragment(stream, oldest.number)


def test_calls_are_counted_by_the_second_and_key() -> None:
    quota = Quota(2)
    assert [quota.allows("a", now_ms=at) for at in (0, 500, 999, 1_000, 1_001)] == [
        True,
        True,
        False,
        True,
        False,
    ]
    assert quota.allows("b", now_ms=999)


def test_streams_are_reused_after_their_rest_longest_free_first() -> None:
    streams = Streams(KvsOptions(reuse_after_s=10))
    made: list[Stream] = []
    for number in range(2):
        stream, _ = streams.open_contact(wish(f"c{number}"), now_ms=NOW, token=str(number))
        made.append(stream)
    made[1].end_contact(now_ms=NOW + 1_000)
    made[0].end_contact(now_ms=NOW + 2_000)
    assert streams.open_contact(wish("c3"), now_ms=NOW + 5_000, token="3")[0] not in made
    assert streams.open_contact(wish("c4"), now_ms=NOW + 11_000, token="4")[0] is made[1]


def test_a_named_stream_is_made_once_and_carries_one_contact() -> None:
    streams = Streams(KvsOptions(max_streams=1))
    stream, _ = streams.open_contact(wish("one", stream_name="named"), now_ms=NOW, token="")
    with pytest.raises(StreamBusy):
        streams.open_contact(wish("two", stream_name="named"), now_ms=NOW, token="")
    with pytest.raises(AwsError, match="AccountStreamLimitExceeded"):
        streams.open_contact(wish("two"), now_ms=NOW, token="")
    assert streams.find(name=None, arn=stream.arn) is stream


def test_all_streams_together_keep_to_one_bound_oldest_first() -> None:
    streams = Streams(KvsOptions(total_retention_bytes=100_000))
    for number in range(3):
        stream, _ = streams.open_contact(wish(f"c{number}"), now_ms=NOW, token=str(number))
        feed(stream, 34, first=100 * number)
    streams.expire(now_ms=NOW)
    held = {stream.name[-1]: len(stream.fragments) for stream in streams}
    assert held == {"0": 0, "1": 0, "2": 2}


def test_blocks_travel_as_they_are() -> None:
    sent = [Block(Lane.TO_CUSTOMER, NOW, b"\x01\x02"), Block(Lane.FROM_CUSTOMER, 0, b"")]
    assert decode(encode(sent)) == sent


@pytest.mark.parametrize(
    "message",
    [b"\x00", encode([Block(Lane(0), 0, PCM)])[:-1], encode([Block(Lane(0), -1, b"")]), b"\x07" + bytes(10)],
)
def test_a_message_that_is_no_sequence_of_blocks_is_refused(message: bytes) -> None:
    with pytest.raises(MalformedBlocks):
        decode(message)


def test_faults_of_a_stream_come_before_those_of_all() -> None:
    faults = Faults()
    faults.arm("*", Fault(kind="error", code=4500, times=1), now_ms=NOW)
    faults.arm("stream", Fault(kind="drop", times=1), now_ms=NOW)
    struck = [faults.body("stream"), faults.body("stream"), faults.body("stream")]
    assert [fault and fault.kind for fault in struck] == ["drop", "error", None]


def test_a_fault_needs_a_code_that_exists() -> None:
    with pytest.raises(ValueError, match="code is one of"):
        Fault(kind="error", code=1)
    with pytest.raises(ValueError, match="error is one of"):
        Fault(kind="deny", error="Nonsense")


def wish(contact_id: str, stream_name: str | None = None) -> Open:
    return Open(contact_id=contact_id, instance_id="instance", stream_name=stream_name)

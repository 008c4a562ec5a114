"""What the scanner says beside the blocks."""

import pytest

from services.ingest.errors import MalformedFragment
from services.ingest.fragment_scanner import FragmentScanner
from services.ingest.scanned import (
    Block,
    BlockDropped,
    ClusterStarted,
    FragmentEnded,
    FragmentStarted,
    SegmentUid,
    Tag,
)
from tests.unit.ingest.cases import C, fragment, pairs, pcm, segment
from tests.unit.ingest.matroska_writer import (
    BOTH,
    CONTACT,
    CUSTOMER_TRACK,
    T0_MS,
    UID,
    cluster,
    ebml_header,
    element,
    info,
    simple_block,
    size8,
    tags,
    tracks,
    unknown_size,
)


def test_a_fragment_is_told_in_its_order() -> None:
    found = FragmentScanner().feed(fragment(pairs(0, 1)))
    kinds = [type(value) for value in found]
    assert kinds[:3] == [FragmentStarted, SegmentUid, Tag]
    assert kinds[3:6] == [ClusterStarted, Block, Block]
    assert set(kinds[6:]) == {Tag}
    assert SegmentUid(UID.hex()) in found
    assert Tag("ContactId", CONTACT) in found
    assert ClusterStarted(T0_MS) in found


def test_a_block_is_given_out_with_its_last_byte() -> None:
    scanner = FragmentScanner()
    head = segment(cluster(T0_MS))
    block = simple_block(1, 0, pcm("now"))
    assert not [value for value in scanner.feed(head + block[:-1]) if isinstance(value, Block)]
    assert scanner.feed(block[-1:]) == [Block(C, T0_MS, pcm("now"))]


def test_a_tag_is_given_out_with_its_last_byte() -> None:
    scanner = FragmentScanner()
    scanner.feed(segment(cluster(T0_MS)))
    assert scanner.feed(tags({"ContactId": CONTACT})) == [Tag("ContactId", CONTACT)]


def test_nothing_of_a_fragment_holds_for_the_next() -> None:
    bare = ebml_header() + unknown_size("18538067") + info(None)
    found = FragmentScanner().feed(fragment(pairs(0, 1)) + bare + cluster(T0_MS, simple_block(1, 0, b"ab")))
    assert found[-1] == BlockDropped("unknown_track", 6)


def test_a_second_track_of_the_same_name_is_no_lane() -> None:
    twice = ((1, CUSTOMER_TRACK), (2, CUSTOMER_TRACK))
    head = ebml_header() + unknown_size("18538067") + tracks(twice)
    body = cluster(T0_MS, simple_block(1, 0, b"ab"), simple_block(2, 0, b"cd"))
    found = FragmentScanner().feed(head + body)
    assert found[-2:] == [Block(C, T0_MS, b"ab"), BlockDropped("unknown_track", 6)]


def test_a_legacy_name_beside_another_track_is_no_lane() -> None:
    head = ebml_header() + unknown_size("18538067") + tracks(((1, "Track_audio/L16"), (2, "")))
    found = FragmentScanner().feed(head + cluster(T0_MS, simple_block(1, 0, b"ab")))
    assert found[-1] == BlockDropped("unknown_track", 6)


def test_a_body_that_ends_may_have_cut_the_fragments_tags_off() -> None:
    body = fragment(pairs(0, 1))
    whole, cut, empty = FragmentScanner(), FragmentScanner(), FragmentScanner()
    whole.feed(body)
    cut.feed(body[:-1])
    assert whole.feed_eof() == cut.feed_eof() == [FragmentEnded(complete=False)]
    assert empty.feed_eof() == []


def test_the_next_fragment_completes_the_one_before() -> None:
    scanner = FragmentScanner()
    scanner.feed(fragment(pairs(0, 1)))
    assert scanner.feed(ebml_header()) == [FragmentEnded(complete=True), FragmentStarted()]


def test_a_segment_uid_of_nothing_is_none() -> None:
    for uid in (b"", bytes(16)):
        head = ebml_header() + unknown_size("18538067") + element("1549a966", element("73a4", uid))
        assert FragmentScanner().feed(head) == [FragmentStarted()]


def test_an_element_may_have_64_kib_and_no_more() -> None:
    largest = simple_block(1, 0, bytes(64 * 1024 - 4))
    assert FragmentScanner().feed(segment(cluster(T0_MS, largest)))[-1] == Block(
        C, T0_MS, bytes(64 * 1024 - 4)
    )
    with pytest.raises(MalformedFragment):
        FragmentScanner().feed(segment(cluster(T0_MS), b"\xa3" + size8(64 * 1024 + 1)))


def test_an_error_names_element_offset_and_size() -> None:
    head = segment(cluster(T0_MS))
    with pytest.raises(MalformedFragment) as caught:
        FragmentScanner().feed(head + b"\xa3" + size8(200 << 20))
    assert (caught.value.element, caught.value.offset, caught.value.size) == (
        "SIMPLE_BLOCK",
        len(head),
        200 << 20,
    )
    assert "SIMPLE_BLOCK" in str(caught.value)


def test_what_came_before_an_error_is_told_with_it() -> None:
    head = ebml_header() + unknown_size("18538067") + info() + tracks(BOTH)
    with pytest.raises(MalformedFragment) as caught:
        FragmentScanner().feed(head + b"\x00")
    assert caught.value.scanned == (FragmentStarted(), SegmentUid(UID.hex()))


def test_a_large_block_that_trickles_in_is_not_copied_each_time() -> None:
    scanner = FragmentScanner()
    scanner.feed(segment(cluster(T0_MS)))
    payload = pcm("large", 60_000)
    block = simple_block(1, 0, payload)
    found = [value for at in range(0, len(block), 3) for value in scanner.feed(block[at : at + 3])]
    assert found == [Block(C, T0_MS, payload)]

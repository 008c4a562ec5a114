"""The gate, value by value."""

from collections.abc import Iterable

import pytest

from contracts.audio import Channel
from contracts.model import ContactId
from services.ingest.contact_gate import (
    CONTINUES_MS,
    LAST_TAG,
    MAX_HELD_BLOCKS,
    MAX_HELD_BYTES,
    MAX_SEGMENT_UIDS,
    Confirmed,
    ContactGate,
    OtherContact,
    Passed,
    Withheld,
)
from services.ingest.scanned import (
    Block,
    ClusterStarted,
    FragmentEnded,
    FragmentStarted,
    Scanned,
    SegmentUid,
    Tag,
)

OURS, THEIRS = ContactId("ours"), ContactId("theirs")
START, CLUSTER, END = FragmentStarted(), ClusterStarted(1000), FragmentEnded(complete=True)
UID, OUR_TAG, THEIR_TAG = SegmentUid("ab"), Tag("ContactId", OURS), Tag("ContactId", THEIRS)


def block(number: int, size: int = 4) -> Block:
    return Block(Channel.CUSTOMER, 1000 + number, bytes(size))


def passed(gate: ContactGate, *values: Scanned) -> list[Passed]:
    return [passed for value in values for passed in gate.feed(value)]


def gate(uids: Iterable[str] = ()) -> ContactGate:
    return ContactGate([OURS], uids)


def test_blocks_wait_for_the_trailing_tag_and_keep_their_order() -> None:
    it = gate()
    assert passed(it, START, UID, CLUSTER, block(1), block(2)) == []
    assert passed(it, OUR_TAG) == [Confirmed(), block(1), block(2)]
    assert passed(it, block(3)) == [block(3)]


def test_a_leading_tag_lets_blocks_pass_at_once() -> None:
    assert passed(gate(), START, OUR_TAG, CLUSTER, block(1)) == [block(1)]


def test_a_fragment_that_goes_on_with_a_confirmed_segment_uid_passes_at_once() -> None:
    it = gate()
    passed(it, START, UID, CLUSTER, block(1), OUR_TAG, END)
    it.heard(1000, 1064)
    assert passed(it, START, UID, ClusterStarted(1064 + CONTINUES_MS), block(2)) == [block(2)]
    assert it.segment_uids == ("ab",)


@pytest.mark.parametrize("at_ms", [1064 + CONTINUES_MS + 1, 999])
def test_a_confirmed_segment_uid_elsewhere_waits_for_its_own_tag(at_ms: int) -> None:
    for tag, outcome in ((OUR_TAG, [block(2)]), (THEIR_TAG, [OtherContact(THEIRS, at_ms)])):
        it = gate(["ab"])
        it.heard(1000, 1064)
        assert passed(it, START, UID, ClusterStarted(at_ms), block(2)) == []
        assert passed(it, tag) == outcome


def test_a_confirmed_segment_uid_confirms_nothing_before_any_audio_was_heard() -> None:
    assert passed(gate(["ab"]), START, UID, CLUSTER, block(1)) == []


def test_a_complete_fragment_without_tags_passes_by_its_confirmed_segment_uid() -> None:
    assert passed(gate(["ab"]), START, UID, CLUSTER, block(1), END) == [block(1)]


def test_a_fragment_that_ends_with_the_body_is_complete_with_the_last_of_its_tags() -> None:
    it, cut = gate(["ab"]), FragmentEnded(complete=False)
    assert passed(it, START, UID, CLUSTER, block(1), Tag(LAST_TAG, "9"), cut) == [block(1)]
    assert passed(it, START, UID, CLUSTER, block(1), cut) == [Withheld(4)]
    values = START, UID, CLUSTER, block(1), THEIR_TAG, Tag(LAST_TAG, "9"), cut
    assert passed(it, *values) == [OtherContact(THEIRS, 1000), Withheld(4)]


def test_a_fragment_cut_before_its_tags_does_not() -> None:
    cut = FragmentEnded(complete=False)
    assert passed(gate(["ab"]), START, UID, CLUSTER, block(1), cut) == [Withheld(4)]


def test_two_segment_uids_in_one_fragment_shut_it() -> None:
    it = gate(["ab"])
    it.heard(1000, 1064)
    values = START, SegmentUid("cd"), UID, CLUSTER, block(1), OUR_TAG, END
    assert passed(it, *values) == [Withheld(4)]


def test_a_successor_starts_with_what_was_confirmed() -> None:
    it = gate(["ab"])
    it.heard(0, 1000)
    assert passed(it, START, UID, CLUSTER, block(1)) == [block(1)]


def test_another_contact_is_never_released_and_told_with_its_time() -> None:
    it = gate()
    assert passed(it, START, UID, CLUSTER, block(1), THEIR_TAG) == [OtherContact(THEIRS, 1000)]
    assert passed(it, block(2), OUR_TAG, END) == [Withheld(8)]


def test_another_contact_named_before_its_audio_is_told_with_the_cluster() -> None:
    it = gate()
    assert passed(it, START, THEIR_TAG) == []
    assert passed(it, CLUSTER) == [OtherContact(THEIRS, 1000)]
    assert passed(it, block(1), START) == [Withheld(4)]


def test_a_leading_tag_outweighs_a_confirmed_segment_uid_which_is_then_none() -> None:
    it = gate(["ab"])
    assert passed(it, START, UID, THEIR_TAG, CLUSTER, block(1)) == [OtherContact(THEIRS, 1000)]
    assert it.segment_uids == ()


def test_what_nothing_confirms_is_withheld() -> None:
    assert passed(gate(), START, UID, CLUSTER, block(1), END) == [Withheld(4)]
    assert passed(gate(), START, CLUSTER, block(1), START) == [Withheld(4)]


def test_blocks_before_any_fragment_are_withheld() -> None:
    assert passed(gate(["ab"]), block(1), START) == [Withheld(4)]


def test_a_segment_uid_without_a_tag_confirms_nothing() -> None:
    it = gate()
    passed(it, START, CLUSTER, block(1), OUR_TAG, END)
    assert passed(it, START, UID, CLUSTER, block(2), END) == [Withheld(4)]


def test_held_bytes_are_bounded_and_the_rest_of_the_fragment_stays_shut() -> None:
    it = gate()
    passed(it, START, CLUSTER, *(block(n, 64 * 1024) for n in range(17)))
    assert passed(it, block(18), OUR_TAG, block(19), END) == [Withheld(MAX_HELD_BYTES + 64 * 1024 + 8)]


def test_held_blocks_are_bounded_also_when_they_are_empty() -> None:
    it = gate()
    passed(it, START, CLUSTER, *(block(n, 0) for n in range(MAX_HELD_BLOCKS + 1)))
    assert passed(it, OUR_TAG, block(1), END) == [Withheld(4)]


def test_an_abandoned_body_leaves_nothing_held() -> None:
    it = gate()
    passed(it, START, CLUSTER, block(1))
    assert list(it.abandon()) == [Withheld(4)]
    assert passed(it, OUR_TAG, block(2)) == []


def test_an_accepted_contact_passes_from_its_next_fragment_on() -> None:
    it = gate()
    it.accept([THEIRS])
    assert passed(it, START, THEIR_TAG, CLUSTER, block(1)) == [block(1)]
    assert it.contact_ids == (OURS, THEIRS)


def test_confirmed_segment_uids_are_bounded_newest_last() -> None:
    it = gate()
    for number in range(MAX_SEGMENT_UIDS + 1):
        passed(it, START, SegmentUid(f"{number}"), OUR_TAG, END)
    assert it.segment_uids == tuple(f"{number}" for number in range(1, MAX_SEGMENT_UIDS + 1))

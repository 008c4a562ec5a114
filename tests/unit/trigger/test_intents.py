import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.intents import ContactIntents, Disconnect, PauseIntent
from contracts.model import ContactId
from services.trigger import intents
from services.trigger.refusal import Reason, Refused

A, B, C = ContactId("a"), ContactId("b"), ContactId("c")
NOW_MS = 1_571_360_130_000
NONE = intents.none_yet(A)


def test_a_pause_begins_two_seconds_before_it_is_asked_for_and_ends_two_seconds_after() -> None:
    paused = intents.paused(NONE, NOW_MS)
    assert paused.pauses == (PauseIntent(from_ms=NOW_MS - 2_000, to_ms=None),)
    resumed = intents.resumed(paused, NOW_MS + 30_000)
    assert resumed.pauses == (PauseIntent(from_ms=NOW_MS - 2_000, to_ms=NOW_MS + 32_000),)
    assert (NONE.revision, paused.revision, resumed.revision) == (0, 1, 2)


def test_what_is_so_already_changes_nothing() -> None:
    paused = intents.paused(NONE, NOW_MS)
    assert intents.paused(paused, NOW_MS + 500) is paused
    assert intents.resumed(NONE, NOW_MS) is NONE
    gone = intents.disconnected(NONE, A, NOW_MS)
    assert intents.disconnected(gone, A, NOW_MS + 1) is gone
    taken = intents.accepted(NONE, B)
    assert intents.accepted(taken, B) is taken
    assert intents.accepted(NONE, A) is NONE


def test_a_second_pause_is_an_interval_of_its_own() -> None:
    once = intents.resumed(intents.paused(NONE, NOW_MS), NOW_MS + 1_000)
    twice = intents.paused(once, NOW_MS + 2_000)
    assert len(twice.pauses) == 2
    assert twice.pauses[0] == once.pauses[0]


def test_more_pauses_than_can_be_kept_are_refused() -> None:
    asked = NONE
    for number in range(intents.MAX_PAUSES):
        asked = intents.resumed(intents.paused(asked, NOW_MS + number), NOW_MS + number)
    with pytest.raises(Refused) as refused:
        intents.paused(asked, NOW_MS)
    assert refused.value.refusal.reason is Reason.TOO_MANY_PAUSES
    assert len(asked.model_dump_json()) < 100_000


def test_a_stop_moves_on_only() -> None:
    stopped = intents.stopped(NONE, NOW_MS)
    assert stopped.stopped_at_ms == NOW_MS
    assert intents.stopped(stopped, NOW_MS) is stopped
    assert intents.stopped(stopped, NOW_MS + 1).stopped_at_ms == NOW_MS + 1


def test_a_call_is_over_when_its_contact_is() -> None:
    assert NONE.ended_at_ms is None
    assert intents.disconnected(NONE, A, NOW_MS).ended_at_ms == NOW_MS


def test_a_transferred_call_is_over_when_all_of_its_contacts_are() -> None:
    taken = intents.accepted(NONE, B)
    first = intents.disconnected(taken, A, NOW_MS)
    assert first.ended_at_ms is None
    assert intents.disconnected(first, B, NOW_MS + 9).ended_at_ms == NOW_MS + 9


def test_a_strangers_end_is_nothing_to_a_contact() -> None:
    assert intents.disconnected(NONE, C, NOW_MS) is NONE


steps = st.lists(
    st.sampled_from(["pause", "resume", "stop", "accept b", "accept c", "end a", "end b"]), max_size=30
)


@given(steps)
def test_no_pause_ever_goes_and_none_is_made_smaller_but_by_a_resume(asked: list[str]) -> None:
    now, now_ms = NONE, NOW_MS
    for step in asked:
        before, now_ms = now, now_ms + 700
        now = _after(step, now, now_ms)
        assert now.revision == before.revision + (now is not before)
        assert now.pauses[: len(before.pauses) - 1] == before.pauses[:-1]
        if step != "resume":
            assert now.pauses[: len(before.pauses)] == before.pauses
    assert ContactIntents.model_validate_json(now.model_dump_json()) == now
    assert all(isinstance(disconnect, Disconnect) for disconnect in now.disconnects)


def _after(step: str, before: ContactIntents, now_ms: int) -> ContactIntents:
    match step.split():
        case ["pause"]:
            return intents.paused(before, now_ms)
        case ["resume"]:
            return intents.resumed(before, now_ms)
        case ["accept", contact_id]:
            return intents.accepted(before, ContactId(contact_id))
        case ["end", contact_id]:
            return intents.disconnected(before, ContactId(contact_id), now_ms)
        case _:
            return intents.stopped(before, now_ms)

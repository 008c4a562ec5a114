from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.delivery import ParkCause, ParkedSession, UndeliveredMessage
from contracts.queue import ReplayCause, ReplayRequest
from services.delivery.outcome import Answered, Outcome
from services.delivery.retry import Delivered, GiveUp, RetryAfter, Schedules
from services.delivery.session_lane import (
    Abandon,
    Forget,
    Held,
    HeldReplay,
    Park,
    Post,
    Replay,
    SessionLane,
    Wait,
)
from tests.unit.delivery.messages import CONTACT, SESSION, held

SCHEDULES = Schedules(logged=(1, 2, 4), logged_for_s=60, rejected=(1,), unlogged=(0.5,))
REQUEST = ReplayRequest(session_id=SESSION, contact_id=CONTACT, cause=ReplayCause.DUE, requested_at_ms=0)
OK = Answered(200)
DOWN = Answered(503)


def lane(*messages: Held) -> SessionLane:
    made = SessionLane(SCHEDULES)
    for message in messages:
        made.take(message)
    return made


def run(lane: SessionLane, outcomes: Iterable[Outcome], now_ms: int = 0) -> list[str]:
    """What a shell would do, waits included in `now_ms`; one outcome per request, 200 when they run out."""
    done: list[str] = []
    answers = iter(outcomes)
    while (step := lane.next(now_ms)) is not None:
        match step:
            case Post(message, attempt):
                done.append(f"post {message.message.n}.{message.message.k} #{attempt}")
                lane.conclude(next(answers, OK), 0.5, now_ms)
            case Forget(message, cause):
                done.append(f"forget {message.message.n}.{message.message.k} {cause}")
            case Abandon(message, reason):
                done.append(f"abandon {message.message.n}.{message.message.k} {reason}")
            case Wait(until_ms):
                now_ms = until_ms
            case Park(cause, wake_at_ms):
                done.append(f"park {cause}")
                now_ms = wake_at_ms  # a lane from the log takes up where this one was
            case Replay():
                pytest.fail("nothing was asked for")
    return done


def test_messages_are_posted_in_order() -> None:
    assert run(lane(held(1, 1), held(2), held(2, 1), held(3)), []) == [
        "post 1.1 #1",
        "post 2.0 #1",
        "post 2.1 #1",
        "post 3.0 #1",
    ]


def test_a_retry_holds_back_what_is_behind_it() -> None:
    made = lane(held(1), held(2))
    assert made.next(0) == Post(held(1), 1)
    assert made.conclude(DOWN, 0.5, 0) == (held(1), RetryAfter(0.5))
    assert made.next(0) == Wait(500)
    assert made.next(500) == Post(held(1), 2)
    assert made.conclude(OK, 0.5, 500) == (held(1), Delivered())
    assert made.next(500) == Post(held(2), 1)


def test_what_is_not_above_the_mark_is_dropped() -> None:
    made = lane(held(4), held(5), held(5, 2), held(5, 3), held(6))
    made.raise_mark((5, 2))
    assert run(made, []) == [
        "forget 4.0 delivered_before",
        "forget 5.0 delivered_before",
        "forget 5.2 delivered_before",
        "post 5.3 #1",
        "post 6.0 #1",
    ]


def test_what_a_stale_writer_sends_late_is_dropped() -> None:
    assert run(lane(held(7), held(6, 4, kind="interim")), []) == [
        "post 7.0 #1",
        "forget 6.4 delivered_before",
    ]


def test_a_mark_never_falls() -> None:
    made = lane()
    made.raise_mark((5, 0))
    made.raise_mark((3, 9))
    assert made.mark == (5, 0)


def test_a_message_received_again_keeps_its_place_and_gets_the_new_receipt() -> None:
    made = lane(held(1), held(2))
    again = Held(held(1).message, "newer")
    assert made.take(again) == held(1)
    assert made.next(0) == Post(again, 1)
    assert len(made) == 2


def test_a_final_is_given_up_only_when_the_schedule_ends() -> None:
    made = lane(held(1))
    for attempt in range(1, 61):
        assert made.next(attempt * 1_000) == Post(held(1), attempt)
        assert isinstance(made.conclude(DOWN, 0.0, attempt * 1_000)[1], RetryAfter)
    assert made.next(61_001) == Post(held(1), 61)
    assert made.conclude(DOWN, 0.0, 61_001) == (held(1), GiveUp("exhausted"))
    assert made.mark == (1, 0)


def test_after_gone_finals_are_given_up_without_a_request() -> None:
    made = lane(held(1), held(1, 1), held(2))
    assert run(made, [Answered(410)]) == ["post 1.0 #1", "forget 1.1 gone", "abandon 2.0 gone"]
    made.take(held(3))
    assert run(made, []) == ["abandon 3.0 gone"]


def test_superseded_interim_results_are_dropped_while_the_endpoint_is_behind() -> None:
    waiting = lane(
        held(1),
        held(1, 1, channel=0),
        held(1, 2, channel=1),
        held(1, 3, channel=0),
        held(1, 4, kind="UtteranceEnd"),
        held(2, channel=0),
    )
    assert run(waiting, [], now_ms=60_000) == [
        "post 1.0 #1",
        "forget 1.1 superseded",
        "post 1.2 #1",
        "forget 1.3 superseded",
        "post 1.4 #1",
        "post 2.0 #1",
    ]


def test_interim_results_are_all_delivered_while_the_endpoint_keeps_up() -> None:
    assert run(lane(held(1, 1), held(1, 2), held(2)), []) == ["post 1.1 #1", "post 1.2 #1", "post 2.0 #1"]


def test_an_interim_result_that_failed_once_gives_way_to_a_newer_one() -> None:
    assert run(lane(held(1, 1), held(2)), [DOWN]) == ["post 1.1 #1", "forget 1.1 superseded", "post 2.0 #1"]


@pytest.mark.parametrize(
    "body", [None, "not json", "[]", "{}", '{"channel_index": []}', '{"channel_index": "x"}']
)
def test_a_message_without_a_channel_supersedes_nothing(body: str | None) -> None:
    odd = held(1, 1)
    odd = Held(odd.message.model_copy(update={"message": body}), "odd")
    assert run(lane(odd, held(2)), [], now_ms=60_000) == ["post 1.1 #1", "post 2.0 #1"]


def test_a_message_that_nobody_waits_for_passes() -> None:
    made = lane(held(1), held(2))
    assert made.skip("no_callback") == Forget(held(1), "no_callback")
    assert made.mark == (1, 0)


def test_only_what_is_logged_is_abandoned() -> None:
    made = lane(held(1), held(1, 1))
    assert made.abandon("message_missing") == Abandon(held(1), "message_missing", 1, None)
    assert made.abandon("message_missing") == Forget(held(1, 1), "message_missing")


PLACES = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 3)), max_size=25)
OUTCOMES = st.lists(st.sampled_from([OK, DOWN, Answered(404), Answered(429, 30.0)]), max_size=40)


def places(done: list[str], *verbs: str) -> list[tuple[int, ...]]:
    return [tuple(map(int, line.split()[1].split("."))) for line in done if line.split()[0] in verbs]


@given(PLACES, OUTCOMES, st.integers(0, 100_000))
def test_every_logged_message_is_posted_and_all_posts_are_in_order(
    queued: list[tuple[int, int]], outcomes: list[Outcome], now_ms: int
) -> None:
    posted = places(run(lane(*(held(n, k) for n, k in sorted(queued))), outcomes, now_ms), "post")
    assert posted == sorted(posted)
    assert {place for place in queued if place[1] == 0} <= set(posted)


@given(PLACES, st.integers(0, 100_000))
def test_in_whatever_order_messages_come_none_is_delivered_after_a_later_one(
    queued: list[tuple[int, int]], now_ms: int
) -> None:
    posted = places(run(lane(*(held(n, k) for n, k in queued)), [], now_ms), "post")
    assert posted == sorted(set(posted))


def test_a_session_that_has_to_wait_long_does_not_wait_in_hand() -> None:
    made = lane(held(1), held(2))
    made.conclude(Answered(503, 9.0), 0.5, 0)
    assert made.next(0) == Wait(9_000)
    made.conclude(Answered(503, 11.0), 0.5, 9_000)
    assert made.next(9_000) == Park(ParkCause.FAILING, 20_000)
    assert (made.attempts, made.failing_since_ms, made.last_status) == (2, 0, 503)
    made.park(is_parked=True)
    assert run(made, []) == ["forget 1.0 parked", "forget 2.0 parked"]
    assert made.mark == (0, 0)


def test_what_follows_a_parked_session_is_left_to_the_log_until_it_is_replayed() -> None:
    made = lane(held(1, 1), held(2))
    made.park(is_parked=True)
    assert run(made, []) == ["forget 1.1 parked", "forget 2.0 parked"]
    replay = HeldReplay(REQUEST, "receipt")
    for each in (held(3), replay, held(3, 1), held(4)):
        made.take(each)
    assert isinstance(made.next(0), Forget)
    assert made.next(0) == Replay(replay)
    assert made.finish_replay((3, 0), is_parked=False) == replay
    assert run(made, []) == ["post 3.1 #1", "post 4.0 #1"]


def test_a_session_that_caught_up_has_all_the_time_again() -> None:
    made = lane(held(1))
    made.conclude(DOWN, 0.5, 0)
    made.park(is_parked=True)
    made.next(0)
    made.take(HeldReplay(REQUEST, "receipt"))
    made.finish_replay((1, 0), is_parked=False)
    made.take(held(2))
    assert made.failing_since_ms is None
    assert made.next(10**9) == Post(held(2), 1)
    assert made.conclude(DOWN, 0.5, 10**9) == (held(2), RetryAfter(0.5))


def test_a_replay_that_did_not_come_to_the_end_leaves_the_rest_to_the_next() -> None:
    made = lane()
    for each in (HeldReplay(REQUEST, "receipt"), held(4), held(5)):
        made.take(each)
    made.finish_replay((4, 0), is_parked=True)
    assert run(made, []) == ["forget 4.0 delivered_before", "forget 5.0 parked"]


def test_a_lane_from_the_log_goes_on_with_the_attempts_that_were_made() -> None:
    parked = ParkedSession(
        session_id=SESSION,
        contact_id=CONTACT,
        endpoint="https://hooks.example:443",
        cause=ParkCause.FAILING,
        parked_at_ms=0,
        wake_at_ms=0,
        failing_since_ms=5_000,
        attempts=4,
    )
    made = lane(held(3))
    made.resume(parked, (2, 0))
    assert made.next(6_000) == Post(held(3), 5)
    assert made.conclude(DOWN, 0.0, 65_001) == (held(3), GiveUp("exhausted"))


def test_a_disabled_endpoint_gets_nothing_and_what_is_logged_waits_its_time() -> None:
    made = lane(held(1, 1), held(2))
    assert made.next(1_000, is_open=True) == Forget(held(1, 1), "endpoint_down")
    assert made.next(1_000, is_open=True) == Park(ParkCause.ENDPOINT_DOWN, 61_000)
    made.conclude(DOWN, 0.0, 1_000)
    assert made.next(61_000, is_open=True) == Abandon(held(2), "exhausted", 1, 503)


def test_a_session_that_is_slower_than_its_call_is_delivered_from_its_log() -> None:
    slow = Held(held(1).message, "receipt", received_at_ms=1_000)
    assert lane(slow).next(30_999) == Post(slow, 1)
    assert lane(slow).next(31_000) == Park(ParkCause.BEHIND, 31_000)
    assert lane(Held(slow.message, None, 1_000)).next(31_000) == Post(Held(slow.message, None, 1_000), 1)


def test_an_endpoint_that_asked_for_time_gets_nothing_until_then() -> None:
    made = lane(held(1, 1), held(2), held(2, 1))
    assert made.next(1_000, paused_until_ms=10_999) == Wait(10_999)
    assert made.next(1_000, paused_until_ms=11_000) == Forget(held(1, 1), "endpoint_paused")
    assert made.next(1_000, paused_until_ms=11_000) == Park(ParkCause.FAILING, 11_000)
    assert made.next(11_000, paused_until_ms=11_000) == Post(held(2), 1)


def test_a_message_that_is_not_logged_waits_no_longer_in_hand_than_one_that_is() -> None:
    made = lane(held(1, 1), held(2, channel=1))
    made.conclude(Answered(429, 900.0), 0.5, 0)
    assert made.next(0) == Forget(held(1, 1), "endpoint_paused")


def test_what_waited_for_an_endpoint_that_always_asks_for_time_is_given_up_in_the_end() -> None:
    parked = ParkedSession(
        session_id=SESSION,
        contact_id=CONTACT,
        endpoint="https://hooks.example:443",
        cause=ParkCause.FAILING,
        parked_at_ms=0,
        wake_at_ms=0,
        failing_since_ms=5_000,
        attempts=0,
    )
    made = lane(held(1))
    made.resume(parked, (0, 0))
    assert made.next(20_000, paused_until_ms=900_000) == Park(ParkCause.FAILING, 65_000)
    assert made.next(65_000, paused_until_ms=900_000) == Abandon(held(1), "exhausted", 1, None)


def test_what_another_process_began_to_give_up_is_given_up_and_not_posted() -> None:
    kept = UndeliveredMessage(
        session_id=SESSION,
        contact_id=CONTACT,
        endpoint="https://hooks.example:443",
        n=1,
        reason="rejected",
        attempts=3,
        last_status=422,
        given_up_at_ms=0,
    )
    made = lane(held(1), held(1, 1), held(2))
    made.recall({1: kept})
    assert made.next(0) == Abandon(held(1), "rejected", 3, 422)
    assert run(made, []) == ["post 1.1 #1", "post 2.0 #1"]

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.outcome import Answered, Outcome
from services.delivery.retry import Delivered, GiveUp, RetryAfter, Schedules
from services.delivery.session_lane import Abandon, Forget, Held, Post, SessionLane, Wait
from tests.unit.delivery.messages import held

SCHEDULES = Schedules(logged=(1, 2, 4), rejected=(1,), unlogged=(0.5,))
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
    for _ in range(3):
        made.next(10**9)
        assert isinstance(made.conclude(DOWN, 0.0, 0)[1], RetryAfter)
    assert made.next(10**9) == Post(held(1), 4)
    assert made.conclude(DOWN, 0.0, 0) == (held(1), GiveUp("exhausted"))
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
    assert made.abandon("message_missing") == Abandon(held(1), "message_missing", 1)
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

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome
from services.delivery.retry import (
    MAX_RETRY_AFTER_S,
    Decision,
    Delivered,
    GiveUp,
    RetryAfter,
    Schedules,
    Tried,
    decide,
    retry_after_s,
)

SCHEDULES = Schedules(logged=(1, 2, 4), logged_for_s=1_000, rejected=(1, 2), unlogged=(0.5,))
NOW_S = 1_784_000_000.0


def after(
    attempt: int, outcome: Outcome, jitter: float = 0.5, *, logged: bool = True, age_s: float = 0.0
) -> Decision:
    return decide(Tried(attempt, age_s, logged), outcome, SCHEDULES, jitter)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_success_is_delivered(status: int) -> None:
    assert after(1, Answered(status)) == Delivered()


def test_a_gone_endpoint_is_never_retried() -> None:
    assert after(1, Answered(410)) == GiveUp("gone")


@pytest.mark.parametrize(
    "outcome", [*map(Answered, (408, 425, 429, 500, 502, 503, 504, 599)), NotAnswered("timeout")]
)
def test_an_endpoint_in_trouble_is_tried_again_and_again_until_its_time_is_over(outcome: Outcome) -> None:
    assert [after(n, outcome) for n in (1, 2, 3, 4, 99)] == [
        RetryAfter(0.5),
        RetryAfter(1),
        RetryAfter(2),
        RetryAfter(2),
        RetryAfter(2),
    ]
    assert after(9, outcome, age_s=998.0) == RetryAfter(2)
    assert after(9, outcome, age_s=998.1) == GiveUp("exhausted")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "rejected"), (404, "rejected"), (422, "rejected"), (302, "redirected"), (308, "redirected")],
)
def test_a_refusal_is_retried_for_a_short_tail_only(status: int, reason: str) -> None:
    assert [after(n, Answered(status)) for n in (1, 2, 3)] == [RetryAfter(0.5), RetryAfter(1), GiveUp(reason)]


def test_after_a_refused_message_the_next_refusal_needs_no_second_look() -> None:
    tried = Tried(1, 0.0, logged=True, refused_before=True)
    assert decide(tried, Answered(404), SCHEDULES, 0.5) == GiveUp("rejected")
    assert decide(tried, Answered(503), SCHEDULES, 0.5) == RetryAfter(0.5)


def test_what_must_not_be_sent_is_given_up_with_its_cause() -> None:
    assert after(1, NotSent("forbidden_address")) == GiveUp("forbidden_address")


def test_what_is_not_logged_gets_one_quick_retry() -> None:
    assert after(1, Answered(503), logged=False) == RetryAfter(0.25)
    assert after(2, Answered(503), logged=False) == GiveUp("exhausted")
    assert after(2, Answered(404), logged=False) == GiveUp("rejected")


def test_what_the_endpoint_asks_for_is_honoured_and_clamped() -> None:
    assert after(1, Answered(429, 7)) == RetryAfter(7)
    assert after(1, Answered(503, 0)) == RetryAfter(0.5)
    assert after(1, Answered(503, 1e9)) == RetryAfter(MAX_RETRY_AFTER_S)


OUTCOMES = st.one_of(
    st.builds(Answered, st.integers(200, 599), st.none() | st.floats(0, 1e12)),
    st.just(NotAnswered("connection")),
)


@given(st.integers(1, 60), OUTCOMES, st.floats(0, 1, exclude_max=True), st.booleans(), st.floats(0, 200_000))
def test_delays_stay_within_their_bounds_and_attempts_end(
    attempt: int, outcome: Outcome, jitter: float, logged: bool, age_s: float
) -> None:
    schedules = Schedules()
    decision = decide(Tried(attempt, age_s, logged), outcome, schedules, jitter)
    if isinstance(decision, RetryAfter):
        assert 0 <= decision.delay_s <= max(*schedules.logged, MAX_RETRY_AFTER_S)
        assert attempt <= len(schedules.rejected) or (logged and age_s <= schedules.logged_for_s)


def test_what_is_logged_is_tried_for_a_day() -> None:
    assert Schedules().logged_for_s == 86_400


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 3 ", 3),
        ("0", 0),
        ("-1", None),
        ("soon", None),
        ("", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 30, 999_999_999),
        ("Tue, 14 Jul 2026 03:34:00 GMT", 40),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0),
        ("Mon, 99 Jan 2001 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after_s({"Retry-After": value}, NOW_S) == seconds


def test_without_the_header_nothing_is_asked_for() -> None:
    assert retry_after_s({}, NOW_S) is None


ODD_DATES = st.from_regex(
    r"Mon, [0-9]{1,20} Jan [0-9]{1,20} [0-9]{1,20}:00:00 [+-]?[0-9]{1,20}", fullmatch=True
)


@given(st.text() | ODD_DATES)
@example("Mon, 01 Jan 99999999999999 00:00:00 GMT")
@example("Mon, 01 Jan 2026 99999999999999:00:00 GMT")
@example("Mon, 01 Jan 2026 00:00:00 +99999999999999")
def test_no_header_value_raises(value: str) -> None:
    asked = retry_after_s({"Retry-After": value}, NOW_S)
    assert asked is None or asked >= 0

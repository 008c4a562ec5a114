from services.delivery.breaker import Breaker, BreakerPolicy, cause_of, probe_delay_s
from services.delivery.outcome import Answered, NotAnswered, NotSent

POLICY = BreakerPolicy(
    first_limit=4, max_limit=6, failures_to_open=3, failing_for_s=1.0, probe_schedule_s=(1, 2)
)
OK = Answered(200)
DOWN = Answered(503)


def test_an_endpoint_is_disabled_after_failures_in_a_row_over_some_time() -> None:
    breaker = Breaker(POLICY)
    assert [breaker.conclude(DOWN, now_ms) for now_ms in (0, 10, 20, 999, 1_000)] == [False] * 4 + [True]


def test_one_answer_begins_the_count_anew() -> None:
    breaker = Breaker(POLICY)
    for now_ms in (0, 2_000):
        assert not breaker.conclude(DOWN, now_ms)
    assert not breaker.conclude(Answered(404), 2_500)
    assert [breaker.conclude(DOWN, now_ms) for now_ms in (3_000, 3_500, 4_000)] == [False, False, True]


def test_no_answer_counts_as_a_failure_and_no_request_does_not() -> None:
    breaker = Breaker(POLICY)
    for now_ms in (0, 500, 600):
        breaker.conclude(NotAnswered("timeout"), now_ms)
        assert not breaker.conclude(NotSent("forbidden_address"), 5_000)
    assert breaker.conclude(NotAnswered("connection"), 1_000)


def test_failures_halve_the_requests_at_once_and_answers_raise_them_to_the_limit() -> None:
    breaker = Breaker(POLICY)
    limits: list[int] = []
    for outcome in (DOWN, Answered(429), DOWN, DOWN, OK, OK, OK, OK, OK, OK, OK):
        breaker.conclude(outcome, 0)
        limits.append(breaker.limit)
    assert limits == [2, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6]


def test_the_whole_endpoint_waits_as_it_asked() -> None:
    breaker = Breaker(POLICY)
    breaker.conclude(Answered(429, 7.0), 1_000)
    breaker.conclude(Answered(503, 2.0), 1_000)
    assert breaker.paused_until_ms == 8_000
    breaker.conclude(Answered(503, 1e9), 0)
    assert breaker.paused_until_ms == 900_000


def test_a_recovered_endpoint_begins_with_one_request() -> None:
    breaker = Breaker(POLICY)
    breaker.learn(is_open=True)
    assert breaker.is_open
    assert not breaker.conclude(DOWN, 9_000)
    breaker.learn(is_open=False)
    assert (breaker.is_open, breaker.limit) == (False, 1)


def test_probes_become_rare_and_are_spread() -> None:
    assert [probe_delay_s(n, POLICY, 0.0) for n in (0, 1, 9)] == [0.5, 1.0, 1.0]
    assert probe_delay_s(9, POLICY, 0.999) < 2.0


def test_a_cause_is_the_status_or_a_code() -> None:
    assert [cause_of(each) for each in (DOWN, NotAnswered("tls"), NotSent("gone"))] == ["503", "tls", "gone"]

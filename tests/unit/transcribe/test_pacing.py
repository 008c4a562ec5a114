import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transcribe.pacing import BURST_S, CATCH_UP, Pacing


def test_a_whole_kvs_fragment_goes_out_at_once() -> None:
    assert Pacing(0.0).allowance(0.0) >= 1.088 * 8_000


def test_a_backlog_of_a_minute_takes_its_time() -> None:
    pacing, now, left = Pacing(0.0), 0.0, 60 * 8_000
    while left:
        chunk = min(left, 800)
        now = max(now, pacing.ready_at(chunk))
        assert pacing.allowance(now) >= chunk
        pacing.spend(chunk, now)
        left -= chunk
    assert now == pytest.approx((60 - BURST_S) / CATCH_UP, abs=0.1)


def test_idleness_saves_no_more_than_one_burst() -> None:
    pacing = Pacing(0.0)
    assert pacing.allowance(1_000.0) == BURST_S * 8_000


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 4_000)), max_size=50))
def test_never_faster_than_allowed(steps: list[tuple[float, int]]) -> None:
    pacing, now, sent = Pacing(0.0), 0.0, 0
    for wait_s, wanted in steps:
        now += wait_s
        chunk = min(wanted, pacing.allowance(now))
        pacing.spend(chunk, now)
        sent += chunk
        assert sent <= 8_000 * (BURST_S + CATCH_UP * now) + 1

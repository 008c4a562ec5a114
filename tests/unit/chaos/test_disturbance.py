from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.settings import Settings
from services.ingest.lease import VISIBILITY_S
from tests.chaos.disturbance import ON_LINKS, ON_SERVICES, SERVICES, Kind, draw
from tests.chaos.run import LAST_WORDS_S, REPLICAS, Plan
from tests.chaos.test_chaos import EVERY_S, TIMEOUT_S
from tests.chaos.test_chaos import PLAN as SAMPLE

LEASE_S = max(VISIBILITY_S, Settings.model_fields["visibility_s"].default)
"""Of a session's request, and of a message in delivery's hands."""
LONG_RUN = Plan(calls=100, seconds=30, seed=0)
TO_START_AND_END_S = 30


@given(st.integers(0, 10_000))
def test_a_seed_always_draws_the_same(seed: int) -> None:
    assert draw(seed, seconds=60, every_s=6, replicas=2) == draw(seed, seconds=60, every_s=6, replicas=2)


@given(st.integers(0, 10_000))
def test_disturbances_come_in_order_and_leave_the_last_words_alone(seed: int) -> None:
    drawn = draw(seed, seconds=60, every_s=6, replicas=2)
    times = [disturbance.at_s for disturbance in drawn]
    assert times == sorted(times)
    assert 3 <= times[0] <= 9
    assert times[-1] < 55
    assert all(each.lasts_s <= 90 for each in drawn)


def test_every_kind_every_process_and_every_link_is_drawn_in_time() -> None:
    drawn = [each for seed in range(60) for each in draw(seed, seconds=60, every_s=6, replicas=2)]
    assert {each.kind for each in drawn} == set(Kind)
    processes = {each.target for each in drawn if each.kind in ON_SERVICES}
    assert processes == {f"{service}-{number}" for service in SERVICES for number in (1, 2)}
    links = {each.target for each in drawn if each.kind in ON_LINKS}
    assert links == {f"ingest-{i}.transcribe-{t}" for i in (1, 2) for t in (1, 2)}
    assert all((each.target is None) == (each.kind not in ON_SERVICES + ON_LINKS) for each in drawn)


def test_some_things_happen_together() -> None:
    drawn = [each for seed in range(60) for each in draw(seed, seconds=60, every_s=6, replicas=2)]
    assert any(a.at_s == b.at_s for a, b in pairwise(drawn))


@pytest.mark.parametrize("seconds", [LONG_RUN.span_s, SAMPLE.span_s])
def test_one_freeze_of_five_outlasts_the_lease_however_late_it_comes(seconds: float) -> None:
    drawn = [each for seed in range(500) for each in draw(seed, seconds=seconds, every_s=6, replicas=2)]
    short = [each.lasts_s for each in drawn if each.kind is Kind.FREEZE]
    long = [each.lasts_s for each in drawn if each.kind is Kind.LONG_FREEZE]
    assert LEASE_S < min(long) <= max(long) <= 90
    assert 5 <= min(short) <= max(short) <= 20
    assert 0.15 < len(long) / (len(long) + len(short)) < 0.25
    assert any(each.at_s + each.lasts_s > seconds + 60 for each in drawn), "it may end after the calls"


def test_the_sample_has_a_freeze_that_outlasts_the_lease_and_ends_in_time() -> None:
    drawn = draw(SAMPLE.seed, seconds=SAMPLE.span_s, every_s=EVERY_S, replicas=REPLICAS)
    assert Kind.LONG_FREEZE in {each.kind for each in drawn}
    assert max(each.at_s + each.lasts_s for each in drawn) + LAST_WORDS_S < TIMEOUT_S - TO_START_AND_END_S
    assert TIMEOUT_S <= 300

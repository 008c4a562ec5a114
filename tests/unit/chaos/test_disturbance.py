from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.disturbance import ON_LINKS, ON_SERVICES, SERVICES, Kind, draw


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
    assert all(each.at_s + each.lasts_s <= 75 for each in drawn)


def test_every_kind_every_process_and_every_link_is_drawn_in_time() -> None:
    drawn = [each for seed in range(60) for each in draw(seed, seconds=60, every_s=6, replicas=2)]
    assert {each.kind for each in drawn} == set(Kind)
    processes = {each.target for each in drawn if each.kind in ON_SERVICES}
    assert processes == {f"{service}-{number}" for service in SERVICES for number in (1, 2)}
    links = {each.target for each in drawn if each.kind in ON_LINKS}
    assert links == {f"ingest-{i}.transcribe-{t}" for i in (1, 2) for t in (1, 2)}
    assert all((each.target is None) == (each.kind not in ON_SERVICES + ON_LINKS) for each in drawn)


def test_some_freezes_are_long_and_some_things_happen_together() -> None:
    drawn = [each for seed in range(60) for each in draw(seed, seconds=90, every_s=6, replicas=2)]
    freezes = [each.lasts_s for each in drawn if each.kind is Kind.FREEZE]
    assert min(freezes) >= 5
    assert max(freezes) > 60
    assert any(a.at_s == b.at_s for a, b in pairwise(drawn))

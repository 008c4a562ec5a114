from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.disturbance import SERVICES, Kind, draw

ON_PROCESSES = {Kind.KILL, Kind.TERMINATE, Kind.FREEZE}


@given(st.integers(0, 10_000))
def test_a_seed_always_draws_the_same(seed: int) -> None:
    assert draw(seed, seconds=60, every_s=6, replicas=2) == draw(seed, seconds=60, every_s=6, replicas=2)


@given(st.integers(0, 10_000))
def test_disturbances_come_in_order_and_leave_the_last_words_alone(seed: int) -> None:
    drawn = draw(seed, seconds=60, every_s=6, replicas=2)
    times = [disturbance.at_s for disturbance in drawn]
    assert times == sorted(times)
    assert times[0] == 6
    assert times[-1] < 55


def test_every_kind_and_every_process_is_drawn_in_time() -> None:
    drawn = [each for seed in range(60) for each in draw(seed, seconds=60, every_s=6, replicas=2)]
    assert {each.kind for each in drawn} == set(Kind)
    targets = {each.target for each in drawn if each.kind in ON_PROCESSES}
    assert targets == {f"{service}-{number}" for service in SERVICES for number in (1, 2)}
    assert all((each.target is None) == (each.kind not in ON_PROCESSES) for each in drawn)

"""Whatever fails: every word once, in order, on its channel, at its time."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.link import ClosedSession
from contracts.session import Ended, Gap, Opened, Outcome
from tests.unit.transcribe.ear import make_call
from tests.unit.transcribe.world import Faults, World

SEEDS = st.integers(0, 2**32)
SIMULATED = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def finish(world: World) -> None:
    world.run(120)
    assert world.nodes[-1].finished
    assert world.nodes[-1].closed is not None
    world.check_transcript()


def test_an_undisturbed_call() -> None:
    world = World(1, make_call(Random(1), 20))
    world.claim()
    finish(world)
    [node] = world.nodes
    assert isinstance(node.closed, ClosedSession)
    assert node.closed.disposition == "delete"
    ended = world.records[-2]
    assert isinstance(ended, Ended)
    assert ended.outcome is Outcome.COMPLETED


@SIMULATED
@given(SEEDS)
def test_deepgram_drops_and_refuses(seed: int) -> None:
    world = World(seed, make_call(Random(seed), 20), Faults(drop=0.03, refuse=0.3))
    world.claim()
    finish(world)


def test_deepgram_flaps_at_the_end_of_the_call() -> None:
    for seed in range(10):
        world = World(seed, make_call(Random(seed), 3), Faults(cut=0.8))
        world.claim()
        finish(world)


@SIMULATED
@given(SEEDS)
def test_the_store_and_the_ways_out_fail(seed: int) -> None:
    world = World(seed, make_call(Random(seed), 12), Faults(append=0.3, publish=0.3))
    world.claim()
    finish(world)


@SIMULATED
@given(SEEDS)
def test_writers_take_over_from_one_another_while_the_old_ones_go_on(seed: int) -> None:
    world = World(seed, make_call(Random(seed), 20), Faults(drop=0.01, append=0.1, publish=0.1))
    world.claim()
    for _ in range(3):
        world.run(world.dice.uniform(0.1, 6))
        if world.dice.random() < 0.5:
            world.nodes[-1].release()
        world.claim()
    finish(world)
    assert sum(isinstance(record, Opened) for record in world.records) <= 4


@SIMULATED
@given(SEEDS)
def test_a_stopped_writer_wakes_up_and_is_fenced(seed: int) -> None:
    world = World(seed, make_call(Random(seed), 15), Faults(publish=0.1))
    first = world.claim()
    assert first is not None
    world.run(world.dice.uniform(2, 8))
    first.frozen = True
    world.claim()
    world.run(world.dice.uniform(0.5, 10))
    first.frozen = False
    finish(world)
    assert isinstance(first.closed, ClosedSession)
    assert first.closed.disposition == "leave"


@SIMULATED
@given(SEEDS)
def test_the_link_flaps(seed: int) -> None:
    world = World(seed, make_call(Random(seed), 15), Faults(detach=0.05, drop=0.01))
    world.claim()
    finish(world)


@SIMULATED
@given(SEEDS)
def test_a_backlog_is_caught_up_with(seed: int) -> None:
    world = World(seed, make_call(Random(seed), 25), Faults(drop=0.01, refuse=0.2), pace=50)
    world.claim()
    finish(world)


@pytest.mark.parametrize("filled", [False, True])
@SIMULATED
@given(seed=SEEDS)
def test_a_hole_is_one_gap_record_and_everything_after_it_has_its_time(seed: int, filled: bool) -> None:
    call = make_call(Random(seed), 20, hole=True, filled=filled)
    world = World(seed, call, Faults(drop=0.02, detach=0.02, append=0.1))
    world.claim()
    for _ in range(4):
        world.run(world.dice.uniform(1, 9))
        world.claim()
    finish(world)
    gaps = [record for record in world.records if isinstance(record, Gap)]
    assert [(gap.from_samples, gap.to_samples) for gap in gaps] == [world.call.hole]


def test_what_is_older_than_the_backlog_comes_from_ingest_again() -> None:
    rewinds = 0
    for seed in range(10):
        world = World(seed, make_call(Random(seed), 45), Faults(drop=0.003), slowness=20)
        world.claim()
        finish(world)
        rewinds += len(world.rewinds)
    assert rewinds > 3


@pytest.mark.parametrize("seed", range(3))
def test_a_run_is_the_same_for_the_same_seed(seed: int) -> None:
    logs: list[object] = []
    for _ in range(2):
        world = World(seed, make_call(Random(seed), 5), Faults(drop=0.05))
        world.claim()
        world.run(60)
        logs.append(world.records)
    assert logs[0] == logs[1]

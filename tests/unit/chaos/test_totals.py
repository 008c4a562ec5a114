from dataclasses import replace

from tests.chaos.disturbance import Kind
from tests.chaos.totals import Round, Totals

ROUND = Round(
    seed=7,
    clean=True,
    counts={"calls": 2, "words": 50, "lost": 0},
    deviations=[],
    disturbances=["  3.0 s  kill ingest-1"],
    applied={"kill": 1},
    resumed={"taken_over": 2},
    gaps=0,
    seconds=60.0,
    busy=0.5,
    own=0.4,
    worst_lateness_ms=20,
    overloaded=False,
    delays_s={"p50": 2.0, "p99": 31.5, "max": 70.0},
)


def test_figures_of_rounds_are_added_up() -> None:
    totals = Totals([ROUND, replace(ROUND, seed=8)])
    assert totals.clean
    assert totals.counts() == {"calls": 4, "words": 100, "lost": 0}
    assert totals.applied() == {"kill": 2}
    assert totals.resumed() == {"taken_over": 4}


def test_the_tables_show_every_kind_also_those_that_never_happened() -> None:
    text = Totals([ROUND]).markdown("make chaos", "2 cores")
    assert "| words said | 50 |" in text
    assert "| kill | 1 |" in text
    assert "| by this run, mean (worst round) | 40% (40%) |" in text
    assert "| seconds from said to callback, p99 of the worst round | 31.5 |" in text
    assert all(f"| {kind} |" in text for kind in Kind)


def test_overloaded_rounds_and_deviations_are_named() -> None:
    bad = replace(ROUND, clean=False, overloaded=True, deviations=["call 7000: lost"])
    told = str(Totals([ROUND, bad]))
    assert not Totals([ROUND, bad]).clean
    assert "OVERLOADED" in told
    assert "seed 7: call 7000: lost" in told


def test_a_run_that_was_interrupted_at_once_has_tables_too() -> None:
    assert "| rounds | 0 |" in Totals([]).markdown("make chaos", "2 cores")

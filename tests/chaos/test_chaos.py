from pathlib import Path

import pytest

from embedded.system import running
from tests.chaos.disturbance import Kind, draw
from tests.chaos.run import REPLICAS, Plan, disturbed_run
from tests.system.run import trigger_of

PLAN = Plan(calls=20, seconds=20, seed=20_361)
EVERY_S = 3
TIMEOUT_S = 300


@pytest.mark.timeout(TIMEOUT_S)
async def test_no_word_is_lost_or_told_twice_whatever_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disturbances = draw(PLAN.seed, seconds=PLAN.span_s, every_s=EVERY_S, replicas=REPLICAS)
    assert len(disturbances) >= 5
    happened: list[str] = []
    with running(PLAN.configuration(tmp_path)) as system:
        async with trigger_of(system, monkeypatch) as function:
            outcome = await disturbed_run(system, function, disturbances, PLAN, tell=happened.append)
    told = "\n".join([*happened, str(outcome.headroom)])
    assert outcome.report.clean, f"{told}\n{outcome.report}"
    assert outcome.report.counts()["words"] > PLAN.calls * 20
    assert outcome.applied.total() >= 5, told
    assert outcome.applied[Kind.LONG_FREEZE], told
    assert outcome.resumed.total() > 0, told

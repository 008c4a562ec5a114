from pathlib import Path

import pytest

from embedded.system import Configuration, running
from tests.chaos.disturbance import draw
from tests.chaos.run import disturbed_run
from tests.system.run import trigger_of

CALLS = 20
SECONDS = 40
SEED = 20_261
SETTINGS = {"ingest": {"IDLE_S": "10"}}


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_no_word_is_lost_or_told_twice_whatever_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disturbances = draw(SEED, seconds=SECONDS, every_s=6, replicas=2)
    assert len(disturbances) >= 4
    with running(Configuration(folder=tmp_path, replicas=2, settings=SETTINGS)) as system:
        async with trigger_of(system, monkeypatch) as function:
            report = await disturbed_run(
                system, function, disturbances, calls=CALLS, seconds=SECONDS, first_seed=SEED
            )
    happened = "\n".join(map(str, disturbances))
    assert report.clean, f"{happened}\n{report}"
    assert report.counts()["words"] > CALLS * 20

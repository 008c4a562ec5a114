"""`make chaos`: many calls, many rounds, everything that can die does; what became of each word."""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from embedded import trigger_function
from embedded.system import Configuration, System, running
from emulators.connect.functions import lambda_function
from tests.chaos.disturbance import Disturbance, draw
from tests.chaos.report import RunReport
from tests.chaos.run import Headroom, disturbed_run

REPLICAS = 2
SETTINGS = {"ingest": {"IDLE_S": "10"}}


def main() -> int:
    """Exit code 0 when no round has a deviation."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--calls", type=int, default=100, help="at once, per round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=30, help="default %(default)s")
    parser.add_argument("--seconds", type=float, default=40, help="of each call (default %(default)s)")
    parser.add_argument("--every", type=float, default=6, help="seconds between disturbances")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of the first round")
    parser.add_argument("--no-interims", action="store_true", help="final results only")
    parser.add_argument("--report", type=Path, default=Path(".chaos/report.json"))
    chosen = parser.parse_args()
    chosen.report.parent.mkdir(parents=True, exist_ok=True)
    rounds = [_round(chosen, chosen.seed + number) for number in range(chosen.rounds)]
    totals = Counter[str]()
    for found in rounds:
        totals.update(found.counts)
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    document = {
        "machine": machine,
        "arguments": {**vars(chosen), "report": None},
        "totals": totals,
        "rounds": rounds,
    }
    chosen.report.write_text(json.dumps(document, indent=1, default=_plain) + "\n")
    print(f"{chosen.rounds} rounds of {chosen.calls} calls: {dict(totals)}\nreport: {chosen.report}")
    return 0 if all(found.clean for found in rounds) else 1


@dataclass(frozen=True, slots=True)
class Round:
    """What the report says of one round."""

    seed: int
    clean: bool
    counts: dict[str, int]
    deviations: list[str]
    disturbances: list[str]
    seconds: float
    busy: float
    worst_lateness_ms: int


def _round(chosen: argparse.Namespace, seed: int) -> Round:
    disturbances = draw(seed, seconds=chosen.seconds, every_s=chosen.every, replicas=REPLICAS)
    with tempfile.TemporaryDirectory() as folder:
        configuration = Configuration(folder=Path(folder), replicas=REPLICAS, settings=SETTINGS)
        with running(configuration) as system:
            begun_at = time.monotonic()
            report, headroom = asyncio.run(_measured(system, disturbances, chosen, seed))
    machine = (
        f"{headroom.busy:.0%} of the machine busy, loop at worst {headroom.worst_lateness_ms:.0f} ms late"
    )
    print(f"seed {seed}: {report}\n  {machine}", flush=True)
    return Round(
        seed=seed,
        clean=report.clean,
        counts=report.counts(),
        deviations=[str(call) for call in report.calls if not call.clean],
        disturbances=[str(disturbance) for disturbance in disturbances],
        seconds=round(time.monotonic() - begun_at, 1),
        busy=round(headroom.busy, 3),
        worst_lateness_ms=round(headroom.worst_lateness_ms),
    )


def _plain(value: object) -> object:
    return asdict(value) if isinstance(value, Round) else str(value)


async def _measured(
    system: System, disturbances: Sequence[Disturbance], chosen: argparse.Namespace, seed: int
) -> tuple[RunReport, Headroom]:
    headroom = Headroom()
    watching = asyncio.create_task(headroom.watch())
    os.environ.update(system.aws.environment)
    try:
        async with lambda_function(trigger_function.NAME) as function:
            report = await disturbed_run(
                system,
                function,
                disturbances,
                calls=chosen.calls,
                seconds=chosen.seconds,
                first_seed=seed * 1_000,
                interims=not chosen.no_interims,
            )
    finally:
        watching.cancel()
    return report, headroom


if __name__ == "__main__":
    sys.exit(main())

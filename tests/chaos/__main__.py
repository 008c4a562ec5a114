"""`make chaos`: many calls, many rounds, everything that can die does; what became of each word."""

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from aiobotocore.session import get_session

from embedded import trigger_function
from embedded.aws import REGION, without_proxy
from embedded.system import System, running
from emulators.connect.functions import lambda_function
from tests.chaos.disturbance import Disturbance, draw
from tests.chaos.run import REPLICAS, Outcome, Plan, disturbed_run
from tests.chaos.totals import Round, Totals


def main() -> int:
    """Exit code 0 when no round has a deviation; a run that is interrupted reports the rounds before."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end like by Ctrl-C
    os.environ.update(without_proxy("127.0.0.1"))
    chosen = _arguments()
    chosen.report.parent.mkdir(parents=True, exist_ok=True)
    rounds: list[Round] = []
    end_at = time.monotonic() + chosen.minutes * 60
    try:
        for number in range(chosen.rounds):
            if time.monotonic() + max((each.seconds for each in rounds), default=0.0) > end_at:
                print(f"{chosen.minutes:.0f} minutes are over: {len(rounds)} of {chosen.rounds} rounds")
                break
            rounds.append(_round(chosen, chosen.seed + number))
            _write(chosen, rounds)
    except KeyboardInterrupt:
        print(f"interrupted: {len(rounds)} of {chosen.rounds} rounds were finished", flush=True)
    totals = Totals(rounds)
    _write(chosen, rounds)
    print(f"{totals}\nreport: {chosen.report}, {chosen.report.with_suffix('.md')}")
    return 0 if rounds and len(rounds) == chosen.rounds and totals.clean else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    add = parser.add_argument
    add("--calls", type=int, default=100, help="at once, per round (default %(default)s)")
    add("--rounds", type=int, default=30, help="default %(default)s")
    add("--seconds", type=float, default=30, help="of a call, a few are longer (default %(default)s)")
    add("--every", type=float, default=6, help="seconds between disturbances (default %(default)s)")
    add("--minutes", type=float, default=80, help="no round begins that may end later (default %(default)s)")
    add("--seed", type=int, default=int(time.time()), help="of the first round; the next has the next")
    add("--stagger", type=float, default=0.2, help="seconds between two calls (default %(default)s)")
    add("--interim-ms", type=int, default=1_000, help="audio between interim results; 0: none")
    add("--logs", type=Path, help="keep the processes' logs in this folder, one folder per seed")
    add("--report", type=Path, default=Path(".chaos/report.json"), help="default %(default)s")
    return parser.parse_args()


def _write(chosen: argparse.Namespace, rounds: Sequence[Round]) -> None:
    totals = Totals(rounds)
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    document = {
        "machine": machine,
        "arguments": {name: str(value) for name, value in vars(chosen).items()},
        "counts": totals.counts(),
        "disturbances": totals.applied(),
        "resumed": totals.resumed(),
        "rounds": [asdict(each) for each in rounds],
    }
    chosen.report.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    command = f"make chaos CALLS={chosen.calls} ROUNDS={chosen.rounds} SEED={chosen.seed}"
    chosen.report.with_suffix(".md").write_text(totals.markdown(command, machine), encoding="utf-8")


def _round(chosen: argparse.Namespace, seed: int) -> Round:
    plan = Plan(
        calls=chosen.calls,
        seconds=chosen.seconds,
        seed=seed,
        stagger_s=chosen.stagger,
        interim_ms=chosen.interim_ms,
    )
    disturbances = draw(seed, seconds=plan.span_s, every_s=chosen.every, replicas=REPLICAS)
    begun_at = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = chosen.logs / str(seed) if chosen.logs else Path(scratch)
        with running(plan.configuration(folder)) as system:
            outcome = asyncio.run(_played(system, disturbances, plan))
    print(f"seed {seed}: {outcome.report}\n  {outcome.headroom}", flush=True)
    return _as_round(outcome, seed, disturbances, time.monotonic() - begun_at)


async def _played(system: System, disturbances: Sequence[Disturbance], plan: Plan) -> Outcome:
    session = get_session()
    session.set_credentials("test", "test")  # the emulator accepts any
    url = system.aws.url
    async with lambda_function(
        trigger_function.NAME, endpoint_url=url, region=REGION, session=session
    ) as function:
        return await disturbed_run(
            system, function, disturbances, plan, tell=lambda line: print(f"  {line}", flush=True)
        )


def _as_round(outcome: Outcome, seed: int, disturbances: Sequence[Disturbance], seconds: float) -> Round:
    headroom = outcome.headroom
    return Round(
        seed=seed,
        clean=outcome.report.clean,
        counts=outcome.report.counts(),
        deviations=[str(call) for call in outcome.report.calls if not call.clean],
        disturbances=[str(disturbance) for disturbance in disturbances],
        applied=dict(outcome.applied),
        resumed=dict(outcome.resumed),
        gaps=len(outcome.gaps),
        seconds=round(seconds, 1),
        busy=round(headroom.busy, 3),
        own=round(headroom.own, 3),
        worst_lateness_ms=round(headroom.worst_lateness_ms),
        overloaded=headroom.overloaded,
        delays_s=outcome.report.delays(),
        cpu_s={name: round(used, 1) for name, used in headroom.cpu_s.items()},
    )


if __name__ == "__main__":
    sys.exit(main())

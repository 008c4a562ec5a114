"""Plays calls through a system in which things go wrong."""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from embedded.system import System
from emulators.connect.audio import PcmSource
from emulators.connect.call import Call
from emulators.connect.functions import LambdaFunction
from emulators.deepgram.script import CallScript, encode_call
from tests.chaos.disturbance import Disturbance
from tests.chaos.hand import Hand
from tests.chaos.report import RunReport, report
from tests.system.run import play

STAGGER_S = 0.25
_STEP_S = 0.05
LAST_WORDS_S = 150
"""A take-over by the lease alone takes a minute, and what was missed comes at 1.25 times real time."""


async def disturbed_run(
    system: System,
    function: LambdaFunction,
    disturbances: Sequence[Disturbance],
    *,
    calls: int,
    seconds: float,
    first_seed: int,
    interims: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> RunReport:
    """Plays `calls` calls of `seconds` each while the disturbances happen; the verdict on every one.

    Raises:
        TimeoutError: a session did not end.
    """
    scripts = [encode_call(first_seed + number, seconds) for number in range(calls)]
    gathered = await play(
        system,
        function,
        lambda callback: [_call(script, callback, interims=interims) for script in scripts],
        stagger_s=STAGGER_S,
        last_words_s=LAST_WORDS_S,
        beside=lambda: Hand(system, tell).disturb(disturbances),
    )
    contacts = [played.started.contact_id for played in gathered.played]
    return RunReport(
        [
            report(script, contact, gathered.requests[contact], gathered.events[contact])
            for script, contact in zip(scripts, contacts, strict=True)
        ]
    )


def _call(script: CallScript, callback: str, *, interims: bool) -> Call:
    return Call(
        source=PcmSource(script.samples.astype("<i2").tobytes()),
        attributes={"dg_interim_results": str(interims).lower(), "dg_callback": callback},
    )


class Headroom:
    """How much of the machine a run left: a run without any is not to be read as a fault."""

    def __init__(self) -> None:
        self.worst_lateness_ms = 0.0
        """How late this process's own loop was at worst."""
        self.busy = 0.0
        """Part of all cores that was busy, 0-1, by all processes of the machine."""

    async def watch(self) -> None:
        """Measures until cancelled."""
        begun_at, idle_s = time.monotonic(), _idle_s()
        while True:
            before = time.monotonic()
            await asyncio.sleep(_STEP_S)
            now = time.monotonic()
            self.worst_lateness_ms = max(self.worst_lateness_ms, (now - before - _STEP_S) * 1_000)
            self.busy = 1 - (_idle_s() - idle_s) / ((now - begun_at) * (os.cpu_count() or 1))


def _idle_s() -> float:
    """Seconds that all cores together have been idle since the machine started (proc(5))."""
    return float(Path("/proc/uptime").read_text().split()[1])

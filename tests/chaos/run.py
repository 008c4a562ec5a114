"""Plays calls through a system in which things go wrong."""

import asyncio
import os
import resource
import time
from collections.abc import Callable, Sequence

from embedded import trigger_function
from embedded.system import System
from emulators.connect.audio import PcmSource
from emulators.connect.call import Call
from emulators.connect.functions import lambda_function
from emulators.deepgram.script import CallScript, encode_call
from tests.chaos.disturbance import Disturbance
from tests.chaos.hand import Hand
from tests.chaos.report import RunReport, report
from tests.system.run import play

STAGGER_S = 0.25
LAST_WORDS_S = 150
"""A take-over by the lease alone takes a minute, and what was missed comes at 1.25 times real time."""


async def disturbed_run(
    system: System,
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
    os.environ.update(system.aws.environment)
    async with lambda_function(trigger_function.NAME) as function:
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


async def headroom(stop: asyncio.Event) -> float:
    """How late this process's own loop was at worst until `stop`, in ms: an overloaded machine shows here."""
    worst_s = 0.0
    while not stop.is_set():
        begun_at = time.monotonic()
        await asyncio.sleep(0.05)
        worst_s = max(worst_s, time.monotonic() - begun_at - 0.05)
    return worst_s * 1_000


def cpu_seconds() -> float:
    """CPU that all ended children and this process have used."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime

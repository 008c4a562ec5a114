"""Plays calls through a system in which things go wrong."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from embedded.system import Configuration, System
from emulators.connect.audio import PcmSource
from emulators.connect.call import Call
from emulators.connect.event import Answer
from emulators.connect.functions import Function
from emulators.deepgram.script import CallScript, encode_call
from tests.chaos.disturbance import Disturbance
from tests.chaos.hand import Hand
from tests.chaos.headroom import Headroom
from tests.chaos.report import RunReport, report
from tests.system.run import Gathered, play

REPLICAS = 2
CONNECTIONS = 400
"""What Deepgram refuses here is drawn; its own limit of 150 is not what is tested."""
LAST_WORDS_S = 150
"""A take-over by the lease alone takes a minute, and what was missed comes at 1.25 times real time."""
LONG_EVERY = 10
"""Of the calls that begin in the first half, one of so many is twice as long as the others."""
CHATTY_EVERY = 4
"""One call of so many has interim results and short segments, as Deepgram's defaults are."""
ENDPOINTING_MS = 1_000
"""Of the others: longer segments, so that a small machine can serve more calls."""
INVOCATIONS = 10
INVOKE_AGAIN_S = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run plays."""

    calls: int
    seconds: float
    """Of most calls."""
    seed: int
    stagger_s: float = 0.2
    interim_ms: int = 1_000
    """Audio between two interim results; 0: there are none."""

    @property
    def span_s(self) -> float:
        """From the first call's begin to the end of the last ordinary one."""
        return self.calls * self.stagger_s + self.seconds

    def seconds_of(self, number: int) -> float:
        """How long a call is."""
        is_long = number % LONG_EVERY == 0 and number < self.calls / 2
        return self.seconds * 2 if is_long else self.seconds

    def scripts(self) -> list[CallScript]:
        """What is said; the same for the same seed."""
        return [encode_call(self.seed * 1_000 + n, self.seconds_of(n)) for n in range(self.calls)]

    def configuration(self, folder: Path) -> Configuration:
        """The system that it needs."""
        interims = ("--interim-ms", str(self.interim_ms or 1_000))
        return Configuration(
            folder=folder,
            replicas=REPLICAS,
            settings={"ingest": {"IDLE_S": "10"}},
            deepgram_options=("--max-connections", str(CONNECTIONS), *interims),
            relayed=True,
        )


@dataclass(slots=True)
class Outcome:
    """What became of a run."""

    report: RunReport
    headroom: Headroom
    applied: Counter[str]
    """Disturbances that befell something, by kind."""
    resumed: Counter[str]
    """Session Resumed events, by cause."""
    gaps: Sequence[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Details of Audio Gap events."""


class Insisting:
    """A flow whose error branch leads back to its Lambda block."""

    def __init__(self, function: Function, tell: Callable[[str], None]) -> None:
        self._function = function
        self._tell = tell

    async def __call__(self, event: Any) -> Answer:
        """Invokes until the trigger has taken the request, within bounds."""
        answer = await self._function(event)
        for _ in range(INVOCATIONS - 1):
            if answer.external.get("lambdaResult") == "success":
                return answer
            await asyncio.sleep(INVOKE_AGAIN_S)
            answer = await self._function(event)
        if answer.external.get("lambdaResult") != "success":
            self._tell(f"the trigger took no request: {answer.error or dict(answer.external)}")
        return answer


async def disturbed_run(
    system: System,
    function: Function,
    disturbances: Sequence[Disturbance],
    plan: Plan,
    *,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Plays the plan's calls while the disturbances happen; the verdict on every call."""
    scripts = plan.scripts()
    calls: list[Call] = []
    gathered = Gathered()
    said: dict[str, set[str]] = {}

    def make(callback: str) -> Sequence[Call]:
        for number, script in enumerate(scripts):
            chatty = number % CHATTY_EVERY == 0
            calls.append(_call(script, callback, chatty=chatty, interims=plan.interim_ms > 0))
            said[calls[-1].contact_id] = {word.text for word in script.words}
        return calls

    hand = Hand(system, plan.seed, lambda: _requests(gathered), tell)
    async with Headroom(system).watching() as headroom:
        try:
            await play(
                system,
                Insisting(function, tell),
                make,
                stagger_s=plan.stagger_s,
                last_words_s=LAST_WORDS_S,
                beside=lambda: hand.disturb(disturbances),
                gathered=gathered,
                is_over=lambda gathered, contact: _is_over(gathered, contact, said[contact]),
            )
        except* TimeoutError:
            tell(f"not every session was over {LAST_WORDS_S} s after the last call and disturbance")
    begun_at_ms = {each.started.contact_id: each.started.start_at_ms for each in gathered.played}
    pairs = zip(scripts, (call.contact_id for call in calls), strict=True)
    events = [event for of_contact in gathered.events.values() for event in of_contact]
    return Outcome(
        RunReport(
            [report(s, c, gathered.requests[c], gathered.events[c], begun_at_ms.get(c, 0)) for s, c in pairs]
        ),
        headroom,
        Counter({str(kind): count for kind, count in hand.applied.items()}),
        Counter(e["detail"]["cause"] for e in events if e["detail-type"] == "Session Resumed"),
        [e["detail"] for e in events if e["detail-type"] == "Audio Gap"],
    )


def _requests(gathered: Gathered) -> list[Any]:
    """The requests of contacts whose session has not ended, as they were on the queue."""
    return [
        event
        for contact, events in gathered.events.items()
        for event in events
        if event["detail-type"] == "Session Requested"
        and gathered.event(contact, "Session Ended", "Session Failed") is None
    ]


def _is_over(gathered: Gathered, contact: str, said: set[str]) -> bool:
    """The session failed; or it ended, and the callback has the closing Metadata, or all words."""
    if gathered.event(contact, "Session Failed"):
        return True
    if not gathered.event(contact, "Session Ended"):
        return False
    bodies = [request.body for request in gathered.requests[contact]]
    return any('"Metadata"' in body for body in bodies) or all(
        any(f'"{text}"' in body for body in bodies) for text in said
    )


def _call(script: CallScript, callback: str, *, chatty: bool, interims: bool) -> Call:
    wishes = {"dg_interim_results": str(chatty and interims).lower(), "dg_callback": callback}
    if not chatty:
        wishes["dg_endpointing"] = str(ENDPOINTING_MS)
    return Call(source=PcmSource(script.samples.astype("<i2").tobytes()), attributes=wishes)

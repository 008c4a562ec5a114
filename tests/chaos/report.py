"""The verdict on a run: per call, from what was said and what the callback received. Pure."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any

from emulators.deepgram.codec import SAMPLE_RATE
from emulators.deepgram.script import CallScript
from emulators.deepgram.verdict import Verdict, judge, received_words
from emulators.receiver.recorder import Received

BLOCK_SAMPLES = 512
MAX_LINES = 8
"""Words of a kind and call that are told one by one."""
COUNTED = ("lost", "doubled", "misordered", "wrong_channel", "shifted", "damaged", "foreign")
SHOWN = {"p50": 0.5, "p99": 0.99, "max": 1.0}
"""Parts of the words that came within a delay."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that happened to a session, as its events tell: a resume, or a gap."""

    at_s: float
    """Into the call's audio."""
    what: str

    def __str__(self) -> str:
        return f"{self.what} at {self.at_s:.2f} s"


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call."""

    contact_id: str
    session_id: str
    seed: int
    words: int
    """That were said."""
    verdict: Verdict
    redelivered: int
    """Requests that carried an id which had come before: allowed, and counted apart."""
    backwards: tuple[str, ...]
    """Requests, redeliveries left out, whose sequence was below one before."""
    outcome: str
    turns: tuple[Turn, ...] = ()
    said_at_s: Mapping[str, float] | None = None
    """When each word was said."""
    delays_s: tuple[float, ...] = ()
    """Of each word that came: from its end to its final at the callback."""

    @property
    def clean(self) -> bool:
        """Every word once, in order, in its place, and the session ended as it should."""
        return self.verdict.clean and not self.backwards and self.outcome == "Session Ended"

    def deviations(self) -> Iterator[str]:
        """One line for each thing that is wrong, with word and likely cause; many of a kind are counted."""
        for kind, cases in self.verdict.deviations().items():
            for case in cases[:MAX_LINES]:
                yield f"{kind}: {case.text} (channel {case.channel}): {case.what}; {self._cause(case.text)}"
            if len(cases) > MAX_LINES:
                yield f"{kind}: {len(cases) - MAX_LINES} more words"
        for one in self.backwards[:MAX_LINES]:
            yield f"out of order: {one}"
        if self.outcome != "Session Ended":
            yield self.outcome

    def _cause(self, text: str) -> str:
        """The last thing that happened to the session at or before the word, within the call's audio."""
        at_s = (self.said_at_s or {}).get(text.partition("~")[0])
        if at_s is None:
            return "not a word of this call"
        before = [turn for turn in self.turns if turn.at_s <= at_s + 1]
        last = max(before, key=lambda turn: turn.at_s, default=None)
        return f"said at {at_s:.2f} s, after {last or 'the beginning'}"

    def __str__(self) -> str:
        lines = "".join(f"\n  {line}" for line in self.deviations())
        turns = "".join(f"\n  {turn}" for turn in self.turns)
        return (
            f"call {self.seed}, session {self.session_id} ({self.contact_id}): {self.outcome}{turns}{lines}"
        )


@dataclass(frozen=True, slots=True)
class RunReport:
    """All calls of a run."""

    calls: Sequence[CallReport]

    @property
    def clean(self) -> bool:
        """Nothing deviates."""
        return all(call.clean for call in self.calls)

    def counts(self) -> dict[str, int]:
        """Words, deviations by kind, redeliveries, and sessions that did not end."""
        found: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        for call in self.calls:
            found.update({kind: len(cases) for kind, cases in call.verdict.deviations().items()})
            found["calls"] += 1
            found["words"] += call.words
            found["redelivered"] += call.redelivered
            found["out_of_order"] += len(call.backwards)
            found["not_ended"] += call.outcome != "Session Ended"
        return dict(found)

    def delays(self) -> dict[str, float]:
        """Seconds from said to callback: a figure, no verdict; empty when nothing came."""
        late = sorted(delay for call in self.calls for delay in call.delays_s)
        return {name: round(late[ceil(part * len(late)) - 1], 1) for name, part in SHOWN.items() if late}

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts().items()))
        delays = ", ".join(f"{name} {late} s" for name, late in self.delays().items())
        told = f"{len(self.calls)} calls: {counts}; from said to callback: {delays or 'nothing came'}"
        return "\n".join([told, *(str(c) for c in self.calls if not c.clean)])


def report(
    script: CallScript,
    contact_id: str,
    requests: Sequence[Received],
    events: Sequence[Mapping[str, Any]],
    begun_at_ms: int = 0,
) -> CallReport:
    """The verdict on one call, whose first sample was at `begun_at_ms` (epoch; 0: unknown)."""
    first = list(_first_of_each_id(requests))
    return CallReport(
        contact_id=contact_id,
        session_id=next((str(e["detail"]["session_id"]) for e in events), "unknown"),
        seed=script.seed,
        words=len(script.words),
        verdict=judge(
            script.words,
            received_words([json.loads(request.body) for request in first]),
            tolerance_samples=BLOCK_SAMPLES,
        ),
        redelivered=len(requests) - len(first),
        backwards=tuple(
            f"{_told(after)} came after {_told(before)}"
            for before, after in pairwise(first)
            if _sequence(after) < _sequence(before)
        ),
        outcome=_outcome(events),
        turns=tuple(_turns(events)),
        said_at_s={word.text: word.start_sample / SAMPLE_RATE for word in script.words},
        delays_s=tuple(_delays(script, first, begun_at_ms)) if begun_at_ms else (),
    )


def _delays(script: CallScript, first: Sequence[Received], begun_at_ms: int) -> Iterator[float]:
    said_at_ms = {word.text: begun_at_ms + word.end_sample * 1_000 / SAMPLE_RATE for word in script.words}
    for request in first:
        for word in received_words([json.loads(request.body)]):
            if word.text in said_at_ms:
                yield (request.received_at_ms - said_at_ms[word.text]) / 1_000


def _sequence(request: Received) -> int:
    return int(request.headers["x-sequence"])


def _told(request: Received) -> str:
    """Enough of a request to find it in a log."""
    message = json.loads(request.body)
    final = "final " if message.get("is_final") else ""
    at_s = request.received_at_ms / 1_000
    return f"{final}{message['type']} {request.headers['webhook-id']} (port {request.peer_port}, {at_s:.3f})"


def _outcome(events: Sequence[Mapping[str, Any]]) -> str:
    for event in events:
        if event["detail-type"] == "Session Failed":
            return f"Session Failed: {event['detail']['reason']}"
    types = {event["detail-type"] for event in events}
    return "Session Ended" if "Session Ended" in types else "no end" if types else "never requested"


def _turns(events: Sequence[Mapping[str, Any]]) -> Iterator[Turn]:
    for event in events:
        detail = event["detail"]
        match event["detail-type"]:
            case "Session Resumed":
                yield Turn(detail["from_s"], f"{detail['cause']} (epoch {detail['epoch']})")
            case "Audio Gap":
                yield Turn(detail["from_s"], f"gap until {detail['to_s']:.2f} s ({detail['cause']})")
            case "Delivery Failed":
                yield Turn(0.0, "delivery failed")
            case _:
                pass


def _first_of_each_id(requests: Sequence[Received]) -> Iterator[Received]:
    seen: set[str] = set()
    for request in requests:
        identity = request.headers["webhook-id"]
        if identity not in seen:
            seen.add(identity)
            yield request

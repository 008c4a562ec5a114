"""The verdict on a run: per call, from what was said and what the callback received. Pure."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from emulators.deepgram.script import CallScript
from emulators.deepgram.verdict import Verdict, judge, received_words
from emulators.receiver.recorder import Received

BLOCK_SAMPLES = 512


@dataclass(frozen=True, slots=True)
class CallReport:
    """One call."""

    contact_id: str
    seed: int
    verdict: Verdict
    redelivered: int
    """Requests that carried an id which had come before: allowed, and counted apart."""
    backwards: int
    """Requests, redeliveries left out, whose sequence was below one before."""
    outcome: str

    @property
    def clean(self) -> bool:
        """Every word once, in order, in its place, and the session ended as it should."""
        return self.verdict.clean and not self.backwards and self.outcome == "Session Ended"

    def __str__(self) -> str:
        deviations = "" if self.verdict.clean else f"\n{self.verdict}"
        backwards = f"\n{self.backwards} requests out of order" if self.backwards else ""
        return f"call {self.seed} ({self.contact_id}): {self.outcome}{backwards}{deviations}"


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
        found: Counter[str] = Counter(dict.fromkeys(("lost", "doubled", "misordered", "wrong_channel"), 0))
        for call in self.calls:
            found.update({kind: len(cases) for kind, cases in call.verdict.deviations().items()})
            found["words"] += call.verdict.words
            found["redelivered"] += call.redelivered
            found["out_of_order"] += call.backwards
            found["not_ended"] += call.outcome != "Session Ended"
        return dict(found)

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts().items()))
        return "\n".join([f"{len(self.calls)} calls: {counts}", *(str(c) for c in self.calls if not c.clean)])


def report(
    script: CallScript, contact_id: str, requests: Sequence[Received], events: Sequence[Mapping[str, object]]
) -> CallReport:
    """The verdict on one call."""
    first = list(_first_of_each_id(requests))
    sequences = [int(request.headers["x-sequence"]) for request in first]
    endings = [str(event["detail-type"]) for event in events]
    return CallReport(
        contact_id=contact_id,
        seed=script.seed,
        verdict=judge(
            script.words,
            received_words([json.loads(request.body) for request in first]),
            tolerance_samples=BLOCK_SAMPLES,
        ),
        redelivered=len(requests) - len(first),
        backwards=sum(after < before for before, after in pairwise(sequences)),
        outcome=next((e for e in endings if e in {"Session Ended", "Session Failed"}), "no end"),
    )


def _first_of_each_id(requests: Sequence[Received]) -> Iterator[Received]:
    seen: set[str] = set()
    for request in requests:
        identity = request.headers["webhook-id"]
        if identity not in seen:
            seen.add(identity)
            yield request

"""What goes wrong in a run, and when: drawn from a seed, so that a run can be repeated. Pure."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Of a disturbance."""

    KILL = "kill"
    """SIGKILL; the process is started again a second later, as a container scheduler would."""
    TERMINATE = "terminate"
    """SIGTERM, as a deployment does; started again when it has ended."""
    FREEZE = "freeze"
    """SIGSTOP, and SIGCONT later: the process believes that no time has passed."""
    LONG_FREEZE = "long-freeze"
    """The same for longer than the lease of a session's request and the lock of its messages last (60 s)."""
    LINK_HOLD = "link-hold"
    """A link between an ingest and a transcribe is a black hole for a while, then passes all of it late."""
    LINK_CUT = "link-cut"
    """It is a black hole for a while, then cut."""
    DEEPGRAM_DROP = "deepgram-drop"
    """Every open connection is cut (1006)."""
    DEEPGRAM_1011 = "deepgram-1011"
    """Every open connection is closed with 1011."""
    DEEPGRAM_1012 = "deepgram-1012"
    """Every open connection is closed with 1012."""
    DEEPGRAM_STALL = "deepgram-stall"
    """Open connections are never answered again."""
    DEEPGRAM_REFUSE = "deepgram-refuse"
    """Every open connection is cut, and the next handshakes are answered with 429."""
    DEEPGRAM_MUTE = "deepgram-mute"
    """Every open connection is cut, and the next ones are accepted and never answered."""
    DEEPGRAM_HOLD = "deepgram-hold"
    """The way to Deepgram is a black hole for a while."""
    KVS_DROP = "kvs-drop"
    """Every GetMedia body is cut, in the middle of a fragment."""
    KVS_ERROR = "kvs-error"
    """Every GetMedia body ends with an error in its tags."""
    KVS_THROTTLE = "kvs-throttle"
    """Every GetMedia body is cut, and the next calls are refused."""
    AWS_PAUSE = "aws-pause"
    """SQS, EventBridge and DynamoDB answer nothing for a while."""
    AWS_ERRORS = "aws-errors"
    """They answer a share of requests with 500, 503 or a throttling error for a while."""
    AWS_LOST_REPLIES = "aws-lost-replies"
    """They do what a share of requests asks, but the answer is lost."""
    REQUEST_TWICE = "request-twice"
    """Session requests of calls that run come again, under another message id."""


SERVICES = ("ingest", "transcribe", "delivery")
ON_SERVICES = (Kind.KILL, Kind.TERMINATE, Kind.FREEZE, Kind.LONG_FREEZE)
ON_LINKS = (Kind.LINK_HOLD, Kind.LINK_CUT)
_ON_PEERS = tuple(kind for kind in Kind if kind not in ON_SERVICES)
_LASTS_S = {
    Kind.FREEZE: (5.0, 20.0),
    Kind.LONG_FREEZE: (65.0, 90.0),
    Kind.LINK_HOLD: (1.0, 12.0),
    Kind.LINK_CUT: (1.0, 12.0),
    Kind.DEEPGRAM_HOLD: (3.0, 15.0),
    Kind.AWS_PAUSE: (2.0, 8.0),
    Kind.AWS_ERRORS: (2.0, 8.0),
    Kind.AWS_LOST_REPLIES: (2.0, 6.0),
}
"""Seconds; kinds without an entry happen in a moment."""
_LONG_FREEZES = 0.2
_ON_A_SERVICE = 0.5
_TOGETHER = 0.3
"""Share of the moments at which two processes, or a process and a peer, are disturbed at once."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing that goes wrong."""

    at_s: float
    """After the first call began."""
    kind: Kind
    target: str | None = None
    """Name of the process or of the relay, for kinds that befall one."""
    lasts_s: float = 0.0

    def __str__(self) -> str:
        target = f" {self.target}" if self.target else ""
        lasts = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"{self.at_s:5.1f} s  {self.kind}{target}{lasts}"


def draw(seed: int, *, seconds: float, every_s: float, replicas: int) -> Sequence[Disturbance]:
    """Disturbances at random moments, about every `every_s`, none in the first 3 s or the last 5 s.

    Half of them befall processes, each as often as any other; at three moments of ten two things happen at
    once. What lasts may end after the calls.
    """
    dice = random.Random(seed)
    drawn: list[Disturbance] = []
    at_s = 3 + dice.uniform(0, every_s)
    while at_s < seconds - 5:
        first = _one(dice, at_s, replicas)
        drawn.append(first)
        if dice.random() < _TOGETHER:
            second = _one(dice, at_s, replicas)
            if second.target != first.target or second.kind not in ON_SERVICES:
                drawn.append(second)
        at_s += every_s * dice.uniform(0.5, 1.5)
    return drawn


def _one(dice: random.Random, at_s: float, replicas: int) -> Disturbance:
    target = None
    if dice.random() < _ON_A_SERVICE:
        kind = dice.choice((Kind.KILL, Kind.TERMINATE, Kind.FREEZE))
        target = f"{dice.choice(SERVICES)}-{dice.randint(1, replicas)}"
        if dice.random() < _LONG_FREEZES and kind is Kind.FREEZE:
            kind = Kind.LONG_FREEZE
    else:
        kind = dice.choice(_ON_PEERS)
        if kind in ON_LINKS:
            target = f"ingest-{dice.randint(1, replicas)}.transcribe-{dice.randint(1, replicas)}"
    lasts_s = dice.uniform(*_LASTS_S[kind]) if kind in _LASTS_S else 0.0
    return Disturbance(at_s, kind, target, lasts_s)

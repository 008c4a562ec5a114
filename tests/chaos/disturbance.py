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
    DEEPGRAM_DROP = "deepgram-drop"
    """Every open connection is cut (1006)."""
    DEEPGRAM_CLOSE = "deepgram-close"
    """Every open connection is closed with 1011."""
    DEEPGRAM_STALL = "deepgram-stall"
    """One open connection is never answered again."""
    DEEPGRAM_REFUSE = "deepgram-refuse"
    """Every open connection is cut, and the next handshakes are answered with 429."""
    KVS_DROP = "kvs-drop"
    """Every GetMedia body is cut."""
    AWS_PAUSE = "aws-pause"
    """SQS, EventBridge and DynamoDB answer nothing for a while."""


SERVICES = ("ingest", "transcribe", "delivery")
_ON_SERVICES = (Kind.KILL, Kind.TERMINATE, Kind.FREEZE)
_FREEZE_S = (5.0, 20.0)
_AWS_PAUSE_S = (2.0, 8.0)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One thing that goes wrong."""

    at_s: float
    """After the first call began."""
    kind: Kind
    target: str | None = None
    """Name of the process, for kinds that befall one."""
    lasts_s: float = 0.0

    def __str__(self) -> str:
        target = f" {self.target}" if self.target else ""
        lasts = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"{self.at_s:5.1f} s  {self.kind}{target}{lasts}"


def draw(seed: int, *, seconds: float, every_s: float, replicas: int) -> Sequence[Disturbance]:
    """Disturbances about every `every_s`, the first when calls are under way, none in the last 5 s.

    Each process of a service is meant as often as any other; half of the disturbances befall processes.
    """
    dice = random.Random(seed)
    drawn: list[Disturbance] = []
    at_s = every_s
    while at_s < seconds - 5:
        drawn.append(_one(dice, at_s, replicas))
        at_s += every_s * dice.uniform(0.7, 1.3)
    return drawn


def _one(dice: random.Random, at_s: float, replicas: int) -> Disturbance:
    if dice.random() < 0.6:
        kind = dice.choice(_ON_SERVICES)
        target = f"{dice.choice(SERVICES)}-{dice.randint(1, replicas)}"
        return Disturbance(at_s, kind, target, dice.uniform(*_FREEZE_S) if kind is Kind.FREEZE else 0.0)
    kind = dice.choice([kind for kind in Kind if kind not in _ON_SERVICES])
    return Disturbance(at_s, kind, lasts_s=dice.uniform(*_AWS_PAUSE_S) if kind is Kind.AWS_PAUSE else 0.0)

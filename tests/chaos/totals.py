"""What a number of rounds showed, as JSON, as a few lines, and as the tables of docs/reliability.md. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.chaos.disturbance import Kind
from tests.chaos.report import COUNTED, SHOWN


@dataclass(frozen=True, slots=True)
class Round:
    """What the report says of one round."""

    seed: int
    clean: bool
    counts: dict[str, int]
    deviations: list[str]
    disturbances: list[str]
    """As drawn."""
    applied: dict[str, int]
    """Those that befell something, by kind."""
    resumed: dict[str, int]
    """Session Resumed events by cause."""
    gaps: int
    seconds: float
    busy: float
    """Part of the machine, by all its processes."""
    own: float
    """Part of the machine, by this run."""
    worst_lateness_ms: int
    overloaded: bool
    cpu_s: dict[str, float] = field(default_factory=dict[str, float])
    delays_s: dict[str, float] = field(default_factory=dict[str, float])
    """From a word's end to its final at the callback."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Over all rounds."""

    rounds: Sequence[Round]

    @property
    def clean(self) -> bool:
        """No round has a deviation."""
        return all(each.clean for each in self.rounds)

    def counts(self) -> dict[str, int]:
        """Calls, words, deviations."""
        return _sum(each.counts for each in self.rounds)

    def applied(self) -> dict[str, int]:
        """Disturbances by kind."""
        return _sum(each.applied for each in self.rounds)

    def resumed(self) -> dict[str, int]:
        """Take-overs, hand-overs and reconnections."""
        return _sum(each.resumed for each in self.rounds)

    def __str__(self) -> str:
        overloaded = [each.seed for each in self.rounds if each.overloaded]
        return "\n".join(
            [
                f"{len(self.rounds)} rounds: {_listed(self.counts())}",
                f"disturbances: {_listed(self.applied())}",
                f"resumed: {_listed(self.resumed())}",
                *(
                    [f"OVERLOADED, say little of the services: rounds of seeds {overloaded}"]
                    * bool(overloaded)
                ),
                *(f"seed {each.seed}: {line}" for each in self.rounds for line in each.deviations),
            ]
        )

    def markdown(self, command: str, machine: str) -> str:
        """The figures for docs/reliability.md."""
        counts = self.counts()
        busy = [each.busy for each in self.rounds] or [0.0]
        own = [each.own for each in self.rounds] or [0.0]
        overloaded = sum(each.overloaded for each in self.rounds)
        late = max((each.worst_lateness_ms for each in self.rounds), default=0)
        rows: list[tuple[str, object]] = [
            ("rounds", len(self.rounds)),
            ("calls", counts.get("calls", 0)),
            ("words said", counts.get("words", 0)),
            *((f"words {kind.replace('_', ' ')}", counts.get(kind, 0)) for kind in COUNTED),
            ("requests out of order", counts.get("out_of_order", 0)),
            ("sessions without their end", counts.get("not_ended", 0)),
            ("audio gaps", sum(each.gaps for each in self.rounds)),
            ("requests sent again under the same id", counts.get("redelivered", 0)),
            *((f"sessions resumed: {cause}", count) for cause, count in sorted(self.resumed().items())),
            *(
                (
                    f"seconds from said to callback, {name} of the worst round",
                    max((each.delays_s.get(name, 0.0) for each in self.rounds), default=0.0),
                )
                for name in SHOWN
            ),
            ("machine busy, mean (worst round)", f"{sum(busy) / len(busy):.0%} ({max(busy):.0%})"),
            ("by this run, mean (worst round)", f"{sum(own) / len(own):.0%} ({max(own):.0%})"),
            ("rounds on an overloaded machine", overloaded),
            ("test's own loop late, at worst", f"{late} ms"),
        ]
        applied = self.applied()
        seeds = f"{self.rounds[0].seed}-{self.rounds[-1].seed}" if self.rounds else "none"
        return "\n".join(
            [
                f"`{command}`, seeds {seeds}, {machine}:",
                "",
                *_table("figure", "", rows),
                "",
                *_table("disturbance", "times", [(kind, applied.get(kind, 0)) for kind in Kind]),
                "",
            ]
        )


def _sum(counts: Iterator[dict[str, int]]) -> dict[str, int]:
    found = Counter[str]()
    for each in counts:
        found.update(each)
    return dict(found)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"


def _table(left: str, right: str, rows: Sequence[tuple[str, object]]) -> Iterator[str]:
    yield f"| {left} | {right} |"
    yield "|---|---|"
    for name, value in rows:
        yield f"| {name} | {value} |"

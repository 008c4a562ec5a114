"""A session's log as a conversation: what was said by whom, in time order. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.audio import seconds_of_samples
from contracts.session import Ended, Final, Gap, LogRecord, Paused, Resumed, SessionHeader


@dataclass(frozen=True, slots=True)
class Turn:
    """One final result of one side; seconds since the session's first sample."""

    n: int
    speaker: str
    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What happened to the audio, e.g. a stretch that is missing or was paused."""

    n: int
    start_s: float
    end_s: float | None
    kind: str
    """`gap`, `paused` or `resumed`."""
    cause: str | None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session ended."""

    outcome: str
    reason: str
    explanation: str
    end_s: float


@dataclass(frozen=True, slots=True)
class Conversation:
    """A session's transcript."""

    header: SessionHeader
    started_at_ms: int | None
    """Producer time of second 0, epoch ms; None: no audio yet."""
    turns: tuple[Turn, ...]
    remarks: tuple[Remark, ...]
    ending: Ending | None
    """None: the session is live, or nobody serves it yet."""

    @property
    def lines(self) -> list[Turn | Remark]:
        """Turns and remarks in time order; what began at once, in the order of the log."""
        return sorted((*self.turns, *self.remarks), key=lambda line: (line.start_s, line.n))


def converse(header: SessionHeader, records: Iterable[LogRecord]) -> Conversation:
    """The conversation that the log holds; `records` in the log's order."""
    turns: list[Turn] = []
    remarks: list[Remark] = []
    ending: Ending | None = None
    started_at_ms: int | None = None
    for record in records:
        started_at_ms = record.state.t0_ms if started_at_ms is None else started_at_ms
        match record:
            case Final():
                turns.append(_turn(record))
            case Gap() | Paused() | Resumed():
                remarks.append(_remark(record))
            case Ended():
                ending = Ending(
                    record.outcome.value,
                    record.reason,
                    record.explanation,
                    seconds_of_samples(record.end_samples),
                )
            case _:
                pass
    ordered = sorted(turns, key=lambda turn: (turn.start_s, turn.n))
    return Conversation(header, started_at_ms, tuple(ordered), tuple(remarks), ending)


def in_order(conversations: Iterable[Conversation]) -> Sequence[Conversation]:
    """Oldest request first."""
    return sorted(conversations, key=lambda each: (each.header.requested_at_ms, each.header.session_id))


def _turn(final: Final) -> Turn:
    return Turn(
        n=final.n,
        speaker=final.channel.speaker,
        start_s=seconds_of_samples(final.start_samples),
        end_s=seconds_of_samples(final.end_samples),
        text=final.transcript,
    )


def _remark(record: Gap | Paused | Resumed) -> Remark:
    match record:
        case Gap(n=n, from_samples=first, to_samples=last, cause=cause):
            return Remark(n, seconds_of_samples(first), seconds_of_samples(last), "gap", cause)
        case Paused(n=n, at_samples=at) | Resumed(n=n, at_samples=at):
            return Remark(n, seconds_of_samples(at), None, record.type, None)

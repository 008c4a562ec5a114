"""What the server saw of each connection, for latencies and verdicts. Bounded, without the key. Pure."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from emulators.deepgram.messages import Message

SENT_LIMIT = 1000  # newest messages remembered per connection
MARKS_LIMIT = 1000  # newest marks of received audio per connection
CONNECTIONS_LIMIT = 500  # newest connections remembered: with all limits reached, about 0.1 GB


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message as it left; times within the stream in seconds, None where the type has none."""

    sent_at_ms: float
    type: str
    channel: int | None
    start: float | None
    duration: float | None
    is_final: bool | None
    message: Message | None = field(repr=False)  # kept only where asked for: in tests


@dataclass(slots=True)
class Observation:
    """One connection. Instants are milliseconds since the epoch."""

    id: str  # also the request_id in its messages
    parameters: tuple[tuple[str, str], ...]
    opened_at_ms: float
    first_audio_at_ms: float | None = None
    closed_at_ms: float | None = None
    close_code: int | None = None
    samples: int = 0  # per channel
    keep_alives: int = 0
    pace_violations: int = 0
    pace_worst_ahead_s: float = 0.0
    sent: deque[SentMessage] = field(default_factory=lambda: deque(maxlen=SENT_LIMIT))
    marks: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=MARKS_LIMIT))
    sent_total: int = 0
    keep_messages: bool = False

    def note_audio(self, at_ms: float, samples: int, *, mark_every: int) -> None:
        """Count audio up to `samples`; a mark (instant, samples) is kept about every `mark_every`."""
        if self.first_audio_at_ms is None:
            self.first_audio_at_ms = at_ms
        if not self.marks or samples // mark_every > self.samples // mark_every:
            self.marks.append((at_ms, samples))
        self.samples = samples

    def note_sent(self, at_ms: float, message: Message) -> None:
        """Remember a message."""
        place: Any = message.get("channel_index") or message.get("channel")
        self.sent_total += 1
        self.sent.append(
            SentMessage(
                at_ms,
                message["type"],
                place[0] if place else None,
                message.get("start"),
                message.get("duration"),
                message.get("is_final"),
                message if self.keep_messages else None,
            )
        )

    def finals(self) -> Iterator[Message]:
        """The final results, in the order sent, where messages are kept."""
        return (one.message for one in self.sent if one.is_final and one.message is not None)

    def as_json(self) -> dict[str, Any]:
        """What `GET /_emulator/connections` shows: never a transcript."""
        return {
            "id": self.id,
            "query": [list(pair) for pair in self.parameters],
            "opened_at_ms": self.opened_at_ms,
            "first_audio_at_ms": self.first_audio_at_ms,
            "closed_at_ms": self.closed_at_ms,
            "close_code": self.close_code,
            "samples": self.samples,
            "keep_alives": self.keep_alives,
            "pace_violations": self.pace_violations,
            "pace_worst_ahead_s": round(self.pace_worst_ahead_s, 3),
            "sent_total": self.sent_total,
            "sent": [[s.sent_at_ms, s.type, s.channel, s.start, s.duration, s.is_final] for s in self.sent],
            "audio": [list(mark) for mark in self.marks],
        }


class Observations:
    """The connections seen, oldest first."""

    def __init__(self) -> None:
        self._seen: deque[Observation] = deque(maxlen=CONNECTIONS_LIMIT)

    def open(self, observation: Observation) -> None:
        """Remember a new connection."""
        self._seen.append(observation)

    def __iter__(self) -> Iterator[Observation]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)

    def tagged(self, tag: str) -> list[Observation]:
        """The connections whose request carries `tag`, oldest first."""
        return [seen for seen in self._seen if ("tag", tag) in seen.parameters]

"""What a session asks its shell to do; performed in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from contracts.events import Event
from contracts.link import Accept, ClosedSession, Credit, EndHint, OpenedSession, Refused, Rewind
from contracts.metrics import Metric
from contracts.model import SessionId
from contracts.queue import TranscriptMessage
from contracts.session import LogRecord


@dataclass(frozen=True, slots=True)
class Connect:
    """Make Deepgram connection number `connection`; answer with a `Deepgram…` input."""

    connection: int


@dataclass(frozen=True, slots=True)
class SendAudio:
    """One binary frame, never empty."""

    connection: int
    pcm: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendText:
    """One text frame."""

    connection: int
    text: str


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Cut the connection; nothing it says is wanted any more."""

    connection: int


@dataclass(frozen=True, slots=True)
class Append:
    """Append to the log under the condition that the number is free."""

    record: LogRecord


@dataclass(frozen=True, slots=True)
class PublishToQueue:
    """Send on the transcripts queue."""

    message: TranscriptMessage


@dataclass(frozen=True, slots=True)
class PublishToBus:
    """Put on the bus."""

    event: Event


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Tell ingest; dropped when the link is gone."""

    frame: OpenedSession | Refused | Credit | Rewind | EndHint | Accept | ClosedSession


@dataclass(frozen=True, slots=True)
class FreeRequest:
    """Make the session's request visible to every ingest at once, by its receipt handle."""

    receipt_handle: str


@dataclass(frozen=True, slots=True)
class Unlist:
    """All was announced: take the session off the list of open ones."""

    session_id: SessionId
    requested_at_ms: int


@dataclass(frozen=True, slots=True)
class Count:
    """Adds to a metric."""

    metric: Metric
    amount: int = 1


@dataclass(frozen=True, slots=True)
class Observe:
    """Adds a value to a metric's distribution."""

    metric: Metric
    value: float


@dataclass(frozen=True, slots=True)
class Report:
    """Writes a log line; `event` is a static dotted name."""

    event: str
    keys: Mapping[str, object] = field(default_factory=dict[str, object])
    level: Literal["info", "warning"] = "info"


@dataclass(frozen=True, slots=True)
class Finish:
    """The session is over for this process: forget it."""


type Command = (
    Connect
    | SendAudio
    | SendText
    | Disconnect
    | Append
    | PublishToQueue
    | PublishToBus
    | SendFrame
    | FreeRequest
    | Unlist
    | Count
    | Observe
    | Report
    | Finish
)

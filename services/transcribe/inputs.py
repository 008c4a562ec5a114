"""What happens to a session: the link, Deepgram, the store, the ways out."""

from dataclasses import dataclass, field
from enum import Enum, auto

from contracts.intents import ContactIntents
from contracts.link import Abort, AudioChunk, End, Gate, Notice, Release, Skip, Started
from contracts.session import LogRecord


@dataclass(frozen=True, slots=True)
class Attached:
    """ingest opened the session (again): over which handle, and how to free its request."""

    handle: int
    receipt_handle: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Detached:
    """The link is dead."""


@dataclass(frozen=True, slots=True)
class Draining:
    """The process ends: give the session up for a successor."""


@dataclass(frozen=True, slots=True)
class IntentsRead:
    """What is asked of the session's contact, as the store has it now; None: nothing was ever asked."""

    intents: ContactIntents | None
    read_at: float
    """When the store was asked, by the steady clock: so much is known, and no more."""


@dataclass(frozen=True, slots=True)
class DeepgramOpened:
    """The handshake succeeded."""

    connection: int


@dataclass(frozen=True, slots=True)
class DeepgramRefused:
    """The handshake failed; `status` None: there was no answer."""

    connection: int
    status: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class DeepgramThrottled:
    """Deepgram's concurrency limit is met: the connection will be made when its turn comes."""

    connection: int
    ahead: int
    """Sessions of this process that come first."""


@dataclass(frozen=True, slots=True)
class DeepgramMessage:
    """One text message, as received."""

    connection: int
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeepgramClosed:
    """The connection is gone; 1006 when it broke."""

    connection: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Appended:
    """The record is durable."""

    elapsed_ms: float


@dataclass(frozen=True, slots=True)
class Found:
    """The record's number is taken, by `record`."""

    record: LogRecord | None


class Refusal(Enum):
    """What the session store will not take."""

    RECORD = auto()
    """This record, whatever the time."""
    ALL = auto()
    """Any record: the table is gone, or may not be written."""


@dataclass(frozen=True, slots=True)
class AppendFailed:
    """Not known whether the record is durable."""

    reason: str
    refusal: Refusal | None = None
    """Trying again does not help: the store cannot take this record, or none at all."""


@dataclass(frozen=True, slots=True)
class QueueAnswered:
    """The queue took the message; not `accepted`: try again."""

    accepted: bool


@dataclass(frozen=True, slots=True)
class BusAnswered:
    """The bus took the event; not `accepted`: try again."""

    accepted: bool


type LinkInput = Attached | Detached | AudioChunk | Started | Gate | Skip | Notice | End | Abort | Release
type DeepgramInput = DeepgramOpened | DeepgramRefused | DeepgramThrottled | DeepgramMessage | DeepgramClosed
type Input = (
    LinkInput
    | DeepgramInput
    | IntentsRead
    | Draining
    | Appended
    | Found
    | AppendFailed
    | QueueAnswered
    | BusAnswered
)

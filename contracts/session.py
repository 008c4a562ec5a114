"""A session is its log: the header, the records, and their place in the session store.

The store is one DynamoDB table with the string keys `pk` and `sk`. A model travels as JSON in the
attribute `body`; `expires_at` (epoch seconds) is the table's TTL attribute. Records are contiguous in `n`
from 1 and are written with `attribute_not_exists(pk)`: whoever finds its `n` taken by another writer has
lost the session.
"""

import zlib
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from contracts.audio import Channel
from contracts.model import ContactId, Contract, SessionId

NonNegative = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]

MAX_HOST_BYTES = 253
MAX_LABEL_BYTES = 63
"""DNS: of a name without its last dot, and of what is between two dots."""


class MediaStream(Contract):
    """Where the contact's audio is, as Connect's flow event names it."""

    stream_arn: str
    """Kinesis Video stream; re-used by Connect for other contacts later."""
    start_fragment_number: str
    start_timestamp_ms: NonNegative
    """Epoch ms at which Connect began to stream; GetMedia starts at the fragment that contains it."""


class CallContext(Contract):
    """What Connect told about the contact, for consumers; nothing in here steers the transcription."""

    instance_arn: str | None = None
    initial_contact_id: ContactId | None = None
    previous_contact_id: ContactId | None = None
    channel: str | None = None
    queue_arn: str | None = None
    queue_name: str | None = None
    initiation_method: str | None = None
    language: str | None = None
    customer_endpoint: str | None = None
    """Only when the operator forwards endpoints."""
    system_endpoint: str | None = None
    """Only when the operator forwards endpoints."""
    attributes: dict[str, str] = Field(default_factory=dict[str, str])
    """Only the contact attributes that the operator chose."""


class CallbackMethod(StrEnum):
    """HTTP method of the callback, `dg_callback_method`."""

    POST = "POST"
    PUT = "PUT"


class Callback(Contract):
    """Where the transcripts go. The URL may hold credentials: it never leaves the session store."""

    url: str = Field(repr=False)
    method: CallbackMethod = CallbackMethod.POST


def is_host(host: str) -> bool:
    """Whether a URL's host can be a name in DNS (RFC 1035, 2.3.4), or is an IPv6 address."""
    name = host.removesuffix(".")
    if ":" in host or len(name) > MAX_HOST_BYTES:  # Punycode is no shorter, and takes seconds for a long one
        return len(host) <= MAX_HOST_BYTES
    sizes = [
        len(label) if label.isascii() else len(label.encode("punycode")) + 4  # `xn--`, RFC 5890
        for label in name.split(".")
    ]
    is_short = sum(sizes) + len(sizes) - 1 <= MAX_HOST_BYTES
    return is_short and all(0 < size <= MAX_LABEL_BYTES for size in sizes)


class SessionHeader(Contract):
    """Written once by the trigger, before it publishes the request."""

    version: Literal[1] = 1
    session_id: SessionId
    contact_id: ContactId
    requested_at_ms: NonNegative
    media: MediaStream
    deepgram_parameters: tuple[tuple[str, str], ...]
    """In order, repeated names allowed; audio parameters are added by transcribe."""
    callback: Callback | None
    """None: the transcripts go to the bus alone."""
    pace_realtime: bool = False
    context: CallContext = CallContext()


class ContactSession(Contract):
    """Entry of a contact's index; written with the header, in one transaction."""

    version: Literal[1] = 1
    contact_id: ContactId
    session_id: SessionId
    requested_at_ms: NonNegative


class Pause(Contract):
    """A stretch of media time whose audio is never sent to Deepgram."""

    from_samples: NonNegative
    to_samples: NonNegative | None
    """None: still paused."""


class TimeMark(Contract):
    """One entry of the piecewise map of a Deepgram connection: audio sent on it -> position."""

    sent_samples: NonNegative
    position_samples: NonNegative


class Announced(Contract):
    """Up to which record each way out has everything."""

    queue_n: NonNegative = 0
    """Last record accepted by the transcripts queue."""
    bus_n: NonNegative = 0
    """Last record accepted by the bus."""


class SessionState(Contract):
    """The whole small state; every record carries it, so the last record is the state."""

    writer: str | None
    """The transcribe process and claim that wrote the record; None: released, free to be claimed at once."""
    epoch: Positive
    """Number of `opened` records so far."""
    t0_ms: NonNegative | None
    """Producer time (epoch ms) of position 0; None until the first audio."""
    covered_samples: tuple[NonNegative, NonNegative]
    """Per channel: end of what is final. Replay starts at the smaller."""
    gaps_until_samples: NonNegative = 0
    """The gaps up to here are logged: what is heard of them again is not new."""
    offsets: tuple[TimeMark, ...] = ()
    """The present Deepgram connection's map, oldest first."""
    segment_uids: tuple[str, ...] = ()
    """Matroska SegmentUIDs (hex) confirmed to belong to the session's contacts."""
    contact_ids: tuple[ContactId, ...] = ()
    """Contacts whose audio the session accepts."""
    pauses: tuple[Pause, ...] = ()
    announced: Announced = Announced()
    intents_revision: NonNegative = 0
    """Revision of the contact's intents that holds for all audio sent from this record on."""
    idle_claims: NonNegative = 0
    """Claims in a row that made no progress."""


class _Record(Contract):
    version: Literal[1] = 1
    session_id: SessionId
    n: Positive
    written_at_ms: NonNegative
    state: SessionState


class OpenCause(StrEnum):
    """Why a writer opened the session."""

    REQUESTED = "requested"
    TAKEN_OVER = "taken_over"
    HANDED_OVER = "handed_over"


class Opened(_Record):
    """A writer claimed the session; its epoch begins."""

    type: Literal["opened"] = "opened"
    cause: OpenCause
    request_message_id: str
    """SQS message that is the session's lease."""


class Final(_Record):
    """One final result of one channel, with words in it."""

    type: Literal["final"] = "final"
    segment_id: str
    channel: Channel
    start_samples: NonNegative
    end_samples: NonNegative
    transcript: str
    message: str
    """Deepgram's message as the callback receives it (JSON, times moved to the session's)."""
    trimmed: bool = False
    """The message was too large to be kept: place and text are what is left of it."""


class Progress(_Record):
    """Covered moved without words, or the state changed (t0, gate, release)."""

    type: Literal["progress"] = "progress"


class Gap(_Record):
    """Audio that nobody can deliver any more, or that never was; the position moved over it."""

    type: Literal["gap"] = "gap"
    from_samples: NonNegative
    to_samples: NonNegative
    cause: str


class Paused(_Record):
    """From here on audio is replaced by silence."""

    type: Literal["paused"] = "paused"
    at_samples: NonNegative


class Resumed(_Record):
    """From here on audio is transcribed again."""

    type: Literal["resumed"] = "resumed"
    at_samples: NonNegative


class Outcome(StrEnum):
    """How a session ended."""

    COMPLETED = "completed"
    FAILED = "failed"


class Ended(_Record):
    """The session's last content; only `announced` may follow."""

    type: Literal["ended"] = "ended"
    outcome: Outcome
    reason: str
    """Stable code, e.g. `idle`, `other_contact`, `deepgram_rejected`."""
    explanation: str
    """One sentence for an operator."""
    end_samples: NonNegative
    metadata_message: str | None = None
    """Deepgram's closing Metadata as the callback receives it."""


class AnnouncedRecord(_Record):
    """Only the announced marks moved; written when nothing else will carry them."""

    type: Literal["announced"] = "announced"


type LogRecord = Annotated[
    Opened | Final | Progress | Gap | Paused | Resumed | Ended | AnnouncedRecord, Field(discriminator="type")
]
LOG_RECORD: TypeAdapter[LogRecord] = TypeAdapter(LogRecord)


class DeliveryMark(Contract):
    """How far delivery got with a session; whatever is not above it is dropped."""

    version: Literal[1] = 1
    session_id: SessionId
    n: NonNegative
    k: NonNegative


class StoreKey(Contract):
    """Primary key of an item of the session store."""

    pk: str
    sk: str


def header_key(session_id: SessionId) -> StoreKey:
    """The session's header."""
    return StoreKey(pk=f"session#{session_id}", sk="header")


LOG_PREFIX = "log#"


def record_key(session_id: SessionId, n: int) -> StoreKey:
    """Record `n` of the session's log; keys sort as `n` does."""
    return StoreKey(pk=f"session#{session_id}", sk=f"{LOG_PREFIX}{n:010d}")


def delivery_mark_key(session_id: SessionId) -> StoreKey:
    """The session's delivery mark."""
    return StoreKey(pk=f"session#{session_id}", sk="delivery")


CONTACT_SESSION_PREFIX = "session#"


def contact_session_key(contact_id: ContactId, session_id: SessionId) -> StoreKey:
    """The entry by which a contact's sessions are found; written with the header."""
    return StoreKey(pk=f"contact#{contact_id}", sk=f"{CONTACT_SESSION_PREFIX}{session_id}")


OPEN_SHARDS = 16
"""Partitions of the entries of open sessions: DynamoDB takes 1,000 writes a second in each."""


def open_partition(shard: int) -> str:
    """Where entries of open sessions are; they sort by the time of the request."""
    return f"open#{shard:02d}"


def open_before(requested_at_ms: int) -> str:
    """A sort key above those of all sessions that were requested before."""
    return f"{requested_at_ms:013d}"


def open_session_key(session_id: SessionId, requested_at_ms: int) -> StoreKey:
    """The entry (a `ContactSession`) that stands as long as the session is open.

    It is written with the header and removed when the session's end was announced, so that open sessions are
    found without looking at all the others.
    """
    shard = zlib.crc32(session_id.encode()) % OPEN_SHARDS
    return StoreKey(pk=open_partition(shard), sk=f"{open_before(requested_at_ms)}#{session_id}")


INTENTS_SORT_KEY = "intents"


def intents_key(contact_id: ContactId) -> StoreKey:
    """What is asked of the contact's sessions while they run (`contracts.intents`)."""
    return StoreKey(pk=f"contact#{contact_id}", sk=INTENTS_SORT_KEY)

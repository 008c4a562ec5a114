"""Events on the bus, version 1. Consumers ignore unknown fields.

Every event is an EventBridge entry with source `connect-transcription`, the class's `detail_type`, and the
model as its detail. `event_id` is stable: an event that must be published twice carries the same id.
"""

from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field, JsonValue

from contracts.model import ContactId, Contract, SessionId
from contracts.session import CallContext, MediaStream, NonNegative, Positive

SOURCE = "connect-transcription"


class Event(Contract):
    """What every event carries."""

    detail_type: ClassVar[str]

    version: Literal[1] = 1
    event_id: str
    """`<session>-<n>` of the log record that it tells of, or one that says what else it tells of."""
    session_id: SessionId
    contact_id: ContactId
    occurred_at: AwareDatetime


class SessionRequested(Event):
    """A contact flow asked for a transcription. Internal: it is not archived, and a replay is refused."""

    detail_type: ClassVar[str] = "Session Requested"

    media: MediaStream
    pace_realtime: bool = False
    context: CallContext = CallContext()


class SessionStarted(Event):
    """The first audio was sent to Deepgram."""

    detail_type: ClassVar[str] = "Session Started"

    media_started_at: AwareDatetime
    """Producer time of position 0; all seconds of the session count from it."""
    context: CallContext = CallContext()


class Word(Contract):
    """One word of a segment; seconds since the session's first sample."""

    text: str
    """As punctuated and formatted by Deepgram."""
    start_s: float
    end_s: float
    confidence: float | None = None


class TranscriptSegment(Event):
    """One final result of one side (or an interim one, where the operator wants these on the bus)."""

    detail_type: ClassVar[str] = "Transcript Segment"

    n: Positive
    """Number of the log record; grows along the session."""
    segment_id: str
    """Stable over a segment's interim results and its final one."""
    is_final: bool
    speaker: Literal["customer", "agent"]
    start_s: float
    end_s: float
    transcript: str = Field(repr=False)
    confidence: float | None = None
    words: tuple[Word, ...] = Field(default=(), repr=False)
    deepgram: dict[str, JsonValue] | None = Field(default=None, repr=False)
    """Deepgram's message; None when the entry would have been too large with it."""


class SessionResumed(Event):
    """Another writer took the session over, or Deepgram was reconnected; the transcript continues."""

    detail_type: ClassVar[str] = "Session Resumed"

    epoch: Positive
    cause: str
    from_s: float
    """Where transcription continues."""


class AudioGap(Event):
    """Audio that could not be transcribed, with its exact range."""

    detail_type: ClassVar[str] = "Audio Gap"

    from_s: float
    to_s: float
    cause: str


class AudioNotice(Event):
    """Something about the call's audio that its operator should know, though the session goes on."""

    detail_type: ClassVar[str] = "Audio Notice"

    code: str
    """Stable, such as `one_sided_audio`: the contact flow streams one direction only."""
    explanation: str


class DeepgramThrottled(Event):
    """Deepgram's concurrency limit is met: the session's audio waits for a place, and nothing is lost."""

    detail_type: ClassVar[str] = "Deepgram Throttled"

    ahead: NonNegative
    """Sessions of the same process that asked before."""


class DeepgramAdmitted(Event):
    """A session that had to wait for Deepgram's concurrency limit is transcribed; it catches up."""

    detail_type: ClassVar[str] = "Deepgram Admitted"

    waited_s: float


class TranscriptionPaused(Event):
    """A contact flow paused the transcription: from here on audio reaches Deepgram as silence."""

    detail_type: ClassVar[str] = "Transcription Paused"

    from_s: float


class TranscriptionResumed(Event):
    """A contact flow resumed the transcription: from here on audio is transcribed again."""

    detail_type: ClassVar[str] = "Transcription Resumed"

    from_s: float
    paused_s: float
    """How long the audio was replaced by silence."""


class SessionEnded(Event):
    """The transcript is complete."""

    detail_type: ClassVar[str] = "Session Ended"

    reason: str
    duration_s: float
    last_n: NonNegative


class SessionFailed(Event):
    """The call was not, or not wholly, transcribed; says why."""

    detail_type: ClassVar[str] = "Session Failed"

    reason: str
    """Stable code, e.g. `stream_not_found`, `deepgram_rejected`."""
    explanation: str
    """One sentence that says what to do."""
    duration_s: float


class DeliveryFailed(Event):
    """A message was given up; it can be redelivered from the log."""

    detail_type: ClassVar[str] = "Delivery Failed"

    n: Positive
    k: NonNegative
    reason: str
    attempts: Positive
    last_status: int | None = None


class EndpointDisabled(Event):
    """An endpoint fails; its sessions wait in the store. Session and contact: whose request showed it."""

    detail_type: ClassVar[str] = "Endpoint Disabled"

    endpoint: str
    """Scheme, host and port of the callbacks."""
    cause: str
    """Of the last failure: the status, `timeout`, `connection` or `tls`."""


class EndpointRecovered(Event):
    """A disabled endpoint answers again; what waited is delivered from the logs, in order."""

    detail_type: ClassVar[str] = "Endpoint Recovered"

    endpoint: str
    """Scheme, host and port of the callbacks."""
    disabled_at: AwareDatetime


EVENTS: tuple[type[Event], ...] = (
    SessionRequested,
    SessionStarted,
    TranscriptSegment,
    SessionResumed,
    AudioGap,
    AudioNotice,
    DeepgramThrottled,
    DeepgramAdmitted,
    TranscriptionPaused,
    TranscriptionResumed,
    SessionEnded,
    SessionFailed,
    DeliveryFailed,
    EndpointDisabled,
    EndpointRecovered,
)

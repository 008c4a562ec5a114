"""Names, units and meanings of all metrics; alarms, dashboards and services use these and no others."""

from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "ConnectTranscription"
DIMENSIONS = ("stack", "service")
"""Of every metric: the prefix of the names, which tells several stacks apart, and the service."""
DEFAULT_STACK = "connect-transcription"
"""The prefix that Terraform takes when none is given."""


class Unit(StrEnum):
    """CloudWatch units."""

    COUNT = "Count"
    MILLISECONDS = "Milliseconds"
    BYTES = "Bytes"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, emitted with `DIMENSIONS`."""

    name: str
    unit: Unit
    meaning: str


SESSIONS_REQUESTED = Metric("SessionsRequested", Unit.COUNT, "requests that the bus accepted")
REQUESTS_REFUSED = Metric("RequestsRefused", Unit.COUNT, "flow invocations answered with fail")

SESSIONS_LIVE = Metric("SessionsLive", Unit.COUNT, "sessions that the process serves now")
FRAGMENTS_SCANNED = Metric("FragmentsScanned", Unit.COUNT, "KVS fragments read")
MALFORMED_FRAGMENTS = Metric("MalformedFragments", Unit.COUNT, "scan errors, each followed by a re-open")
AUDIO_WITHHELD = Metric("AudioWithheld", Unit.BYTES, "audio of unconfirmed or other contacts, never released")
ONE_SIDED_AUDIO = Metric("OneSidedAudio", Unit.COUNT, "calls of which the flow streams one direction only")
MEDIA_REOPENED = Metric("MediaReopened", Unit.COUNT, "GetMedia opened again within a session")
INGEST_LAG = Metric("IngestLag", Unit.MILLISECONDS, "producer time of an audio chunk until it is on the link")

FIRST_AUDIO_SENT = Metric(
    "FirstAudioSent", Unit.MILLISECONDS, "producer time of the first audio until it was sent to Deepgram"
)
FINALS_LOGGED = Metric("FinalsLogged", Unit.COUNT, "final results made durable")
LOG_APPEND = Metric("LogAppend", Unit.MILLISECONDS, "one append to the session store")
ANNOUNCE_LAG = Metric("AnnounceLag", Unit.MILLISECONDS, "Deepgram's message received until the queue has it")
DEEPGRAM_RECONNECTS = Metric("DeepgramReconnects", Unit.COUNT, "connections that had to be made again")
DEEPGRAM_THROTTLED = Metric("DeepgramThrottled", Unit.COUNT, "handshakes refused with 429")
SESSIONS_ENDED = Metric("SessionsEnded", Unit.COUNT, "sessions with a complete transcript")
SESSIONS_FAILED = Metric("SessionsFailed", Unit.COUNT, "sessions that ended with a failure")
RECORDS_UNREADABLE = Metric(
    "RecordsUnreadable",
    Unit.COUNT,
    "looks at a session whose header or log cannot be read or gone on with, such as one of a later release",
)
APPENDS_FAILED = Metric(
    "AppendsFailed", Unit.COUNT, "appends that the session store refused or did not answer"
)
OUTPUT_DROPPED = Metric(
    "OutputDropped", Unit.COUNT, "messages and events left out of queue or bus; of finals the log has all"
)
STALE_WRITER = Metric("StaleWriter", Unit.COUNT, "appends that found the session taken over")

DELIVERED = Metric("Delivered", Unit.COUNT, "messages that the callback accepted")
DELIVERY_LAG = Metric(
    "DeliveryLag", Unit.MILLISECONDS, "Deepgram's message received until the callback accepted it"
)
DELIVERY_ATTEMPTS_FAILED = Metric("DeliveryAttemptsFailed", Unit.COUNT, "attempts that will be retried")
DELIVERY_GIVEN_UP = Metric("DeliveryGivenUp", Unit.COUNT, "messages sent to the dead-letter queue")
DELIVERY_HANDLING = Metric(
    "DeliveryHandling", Unit.MILLISECONDS, "message received from the queue until its request is sent"
)
SESSIONS_PARKED = Metric("SessionsParked", Unit.COUNT, "sessions put aside, to be delivered from their logs")
ENDPOINTS_DISABLED = Metric("EndpointsDisabled", Unit.COUNT, "endpoints found to fail")

SECRETS_REFUSED = Metric(
    "SecretsRefused", Unit.COUNT, "reads of a secret without a value that can be used; the last good one is"
)

METRICS: tuple[Metric, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

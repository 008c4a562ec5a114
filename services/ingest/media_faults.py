"""What can be wrong with a GetMedia body, and what is done about it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """Why a body could not be had, or broke off."""

    THROTTLED = "throttled"
    """More calls or connections than KVS allows."""
    BROKEN = "broken"
    """Connection, 5xx, expired token, wrong endpoint."""
    SILENT = "silent"
    """No byte within the read time-out, and no end either."""
    MALFORMED = "malformed"
    """The scanner cannot walk on."""
    NOT_FOUND = "not_found"
    DENIED = "denied"
    KEY_UNUSABLE = "key_unusable"
    REFUSED = "refused"
    """The call itself is wrong, e.g. an ARN of another form."""


@dataclass(frozen=True, slots=True)
class Fatal:
    """Trying again will not help."""

    reason: str
    explanation: str


FATAL: Final = {
    Fault.NOT_FOUND: Fatal(
        "stream_not_found",
        "The Kinesis video stream does not exist: check that live media streaming is enabled for the "
        "instance, and that this deployment is in the instance's account and region.",
    ),
    Fault.DENIED: Fatal(
        "stream_access_denied",
        "Reading the Kinesis video stream was denied: allow the ingest task role "
        "kinesisvideo:GetDataEndpoint and kinesisvideo:GetMedia on it.",
    ),
    Fault.KEY_UNUSABLE: Fatal(
        "stream_key_unusable",
        "The stream's KMS key cannot be used: check that it is enabled and that the ingest task role may "
        "decrypt with it.",
    ),
    Fault.REFUSED: Fatal(
        "stream_request_refused",
        "Kinesis Video Streams refused the request as invalid: check the stream ARN of the flow event.",
    ),
}

UNREADABLE: Final = Fatal(
    "stream_unreadable",
    "The Kinesis video stream could not be read for a long time; the log names the faults.",
)
NO_AUDIO: Final = Fatal(
    "no_audio",
    "No audio of the contact came from its stream: check that the flow starts media streaming before it "
    "invokes the function.",
)
UNSUPPORTED_FORMAT: Final = Fatal(
    "unsupported_audio_format",
    "The contact's stream says that it holds another format than 16-bit PCM at 8 kHz, one channel per track.",
)

IN_BAND: Final = {
    "3002": Fault.BROKEN,  # error writing to the stream
    "4000": Fault.BROKEN,  # requested fragment is not found: by time, another is
    "4500": Fault.KEY_UNUSABLE,  # access denied for the stream's KMS key
    "4501": Fault.KEY_UNUSABLE,  # the stream's KMS key is disabled
    "4502": Fault.KEY_UNUSABLE,  # validation error on the stream's KMS key
    "4503": Fault.BROKEN,  # the KMS key is unavailable
    "4504": Fault.KEY_UNUSABLE,  # invalid usage of the KMS key
    "4505": Fault.KEY_UNUSABLE,  # invalid state of the KMS key
    "4506": Fault.KEY_UNUSABLE,  # the KMS key cannot be found
    "5000": Fault.BROKEN,  # internal error
}
"""Amazon Kinesis Video Streams, GetMedia: the values of AWS_KINESISVIDEO_ERROR_ID."""

QUIET_END_S: Final = 1.0
"""After a body that brought nothing new."""
_FIRST_S: Final = {Fault.THROTTLED: 1.0, Fault.BROKEN: 0.1, Fault.SILENT: 0.1, Fault.MALFORMED: 0.1}
_LONGEST_S: Final = 8.0


def delay_s(fault: Fault, attempt: int, jitter: float) -> float:
    """Seconds before another body, after `attempt` (from 1) in a row failed.

    `jitter` in [0, 1) takes up to a half away.
    """
    longest = min(_LONGEST_S, _FIRST_S.get(fault, 1.0) * 2 ** min(attempt - 1, 10))
    return longest * (1 - jitter / 2)

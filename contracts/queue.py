"""Messages on the queues.

`session-requests` (standard): the body is the EventBridge event that the rule forwards; its message is the
session's lease. `transcripts.fifo`: the body is a `TranscriptMessage` or a `ReplayRequest`, the group is the
session.
"""

from enum import StrEnum
from typing import Literal

from pydantic import Field

from contracts.events import SessionRequested
from contracts.model import ContactId, Contract, SessionId
from contracts.session import NonNegative, Positive


class SessionRequestMessage(Contract):
    """What EventBridge puts on the `session-requests` queue (its envelope, as far as it is used)."""

    detail_type: Literal["Session Requested"] = Field(alias="detail-type")
    detail: SessionRequested


class TranscriptMessage(Contract):
    """One of Deepgram's messages on its way to the callback.

    The order of a session is `(n, k)`: `n` is the log record (for what is not logged: the last one before),
    `k` is 0 for the record itself and counts the messages after it. A new epoch begins with a new record,
    so whatever an older epoch still sends sorts below.
    """

    version: Literal[1] = 1
    session_id: SessionId
    contact_id: ContactId
    epoch: Positive
    n: Positive
    k: NonNegative
    kind: str
    """`final`, `interim`, `metadata`, or Deepgram's type of anything else, e.g. `UtteranceEnd`."""
    message: str | None = Field(repr=False)
    """The callback's body. None: too large for the queue; delivery takes it from log record `n`."""
    received_at_ms: NonNegative
    """When transcribe had it from Deepgram, epoch ms."""

    @property
    def webhook_id(self) -> str:
        """Constant over retries and redeliveries; also the FIFO deduplication id."""
        return webhook_id(self.session_id, self.n, self.k)

    @property
    def sequence(self) -> int:
        """A number that grows along the session: `n` * 1,000,000 + `k`."""
        return self.n * 1_000_000 + self.k


def webhook_id(session_id: SessionId, n: int, k: int = 0) -> str:
    """The id of message `(n, k)` of a session.

    Without a full stop, which separates the parts of what is signed (Standard Webhooks 1.0.0, "Signature
    scheme").
    """
    return f"{session_id}-{n}-{k}" if k else f"{session_id}-{n}"


class ReplayCause(StrEnum):
    """Why a session is to be replayed."""

    DUE = "due"
    """The time that the session was parked for has passed, or another slice of a long replay follows."""
    PROBE = "probe"
    """Its endpoint is disabled; one message may show that it recovered."""
    RECOVERED = "recovered"
    """Its endpoint answers again."""
    REDRIVE = "redrive"
    """An operator asks for what was given up, too."""


class ReplayRequest(Contract):
    """On `transcripts.fifo`, in the session's group: deliver from the log what the session still owes.

    In the group it is exclusive: whoever has it in hand has the session to itself.
    """

    version: Literal[1] = 1
    type: Literal["replay"] = "replay"
    session_id: SessionId
    contact_id: ContactId
    cause: ReplayCause
    requested_at_ms: NonNegative

"""What the service needs of the outside; the adapters are chosen in `service`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from contracts.events import Event
from contracts.intents import ContactIntents
from contracts.model import ContactId, SessionId
from contracts.queue import TranscriptMessage
from contracts.session import ContactSession, LogRecord, SessionHeader
from services.transcribe.inputs import Appended, AppendFailed, Found


class SessionStore(Protocol):
    """Headers and logs."""

    async def header(self, session_id: SessionId) -> SessionHeader | None:
        """The session's header, read consistently. Raises: StoreUnavailable, UnreadableRecord."""
        ...

    async def tail(self, session_id: SessionId) -> tuple[LogRecord, ...]:
        """The newest records, ascending, from the last one that was announced on both ways (or the first).

        Read consistently. Raises: StoreUnavailable, UnreadableRecord.
        """
        ...

    async def intents(self, contact_ids: Sequence[ContactId]) -> Mapping[ContactId, ContactIntents | None]:
        """What is asked of at most a hundred contacts, read consistently in one request.

        None: nothing was ever asked; a contact that the store did not come to is left out.
        Raises: StoreUnavailable.
        """
        ...

    async def append(self, record: LogRecord) -> Appended | Found | AppendFailed:
        """Writes the record if its number is free."""
        ...

    async def unlist(self, session_id: SessionId, requested_at_ms: int) -> None:
        """Takes the session off the list of open ones; should that fail, a sweep does it later."""
        ...

    async def listed(self, shard: int, requested_before_ms: int) -> Sequence[ContactSession]:
        """Open sessions of one shard that were requested before, oldest first, a bounded number.

        Raises: StoreUnavailable.
        """
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one entry of a batch; `rejected`: it can never be accepted."""

    accepted: bool
    rejected: bool = False
    reason: str = ""
    code: str = ""
    """AWS's error code, if it answered at all."""


def refused(error: Exception) -> Answer:
    """The answer to each entry of a request that failed as a whole: it may be sent again."""
    answer: dict[str, dict[str, str]] = getattr(error, "response", None) or {}  # None: it never came
    return Answer(accepted=False, reason=type(error).__name__, code=answer.get("Error", {}).get("Code", ""))


class TranscriptQueue(Protocol):
    """The transcripts queue."""

    async def send(self, messages: Sequence[TranscriptMessage]) -> list[Answer]:
        """Sends at most ten messages of as many sessions; one answer each, in order."""
        ...


class EventBus(Protocol):
    """The bus."""

    async def put(self, events: Sequence[Event]) -> list[Answer]:
        """Puts at most ten events; one answer each, in order."""
        ...


class RequestLease(Protocol):
    """The session requests."""

    async def free(self, receipt_handle: str) -> None:
        """Makes the request visible at once; when that fails its visibility time-out does the same, later."""
        ...

"""What the service needs of the outside; the adapters are chosen in `service`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

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

    async def probe(self) -> None:
        """Reads and writes, and leaves nothing behind. Raises: StoreUnavailable."""
        ...

    async def tail(self, session_id: SessionId, at_most: int = ...) -> tuple[LogRecord, ...]:
        """The newest records, ascending, from the last one that was announced on both ways (or the first).

        Read consistently; of more than `at_most` the newest. Raises: StoreUnavailable, UnreadableRecord.
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


_OF_CONTENT = frozenset(
    {
        "413",
        "AWS.SimpleQueueService.BatchRequestTooLong",
        "BatchRequestTooLong",
        "InvalidMessageContents",
        "RequestEntityTooLarge",
        "RequestEntityTooLargeException",
        "SerializationException",
        "ValidationError",
        "ValidationException",
    }
)
"""Errors of a whole request that one of its entries causes; access, throttling and absence are none."""


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A message as the queue takes it."""

    session_id: SessionId
    webhook_id: str
    body: str
    size: int
    """Bytes."""

    @classmethod
    def of(cls, message: TranscriptMessage) -> Self:
        """Makes its JSON, once."""
        body = message.model_dump_json()
        return cls(message.session_id, message.webhook_id, body, len(body.encode()))


@dataclass(frozen=True, slots=True)
class BusEntry:
    """An event as the bus takes it."""

    detail_type: str
    occurred_at: datetime
    detail: str
    size: int
    """Bytes, as EventBridge counts them but for the source."""

    @classmethod
    def of(cls, event: Event) -> Self:
        """Makes its JSON, once."""
        detail = event.model_dump_json()
        size = len(detail.encode()) + len(event.detail_type) + 14  # of the time ("PutEvents entry size")
        return cls(event.detail_type, event.occurred_at, detail, size)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one entry of a batch; `rejected`: it can never be accepted."""

    accepted: bool
    rejected: bool = False
    of_content: bool = False
    """The request as a whole was refused for what one of its entries holds."""
    reason: str = ""
    code: str = ""
    """AWS's error code, if it answered at all."""


def refused(error: Exception) -> Answer:
    """The answer to each entry of a request that failed as a whole: it may be sent again."""
    answer: dict[str, dict[str, str]] = getattr(error, "response", None) or {}  # None: it never came
    code = answer.get("Error", {}).get("Code", "")
    return Answer(
        accepted=False, of_content=code in _OF_CONTENT, reason=code or type(error).__name__, code=code
    )


class TranscriptQueue(Protocol):
    """The transcripts queue."""

    async def send(self, messages: Sequence[QueueEntry]) -> list[Answer]:
        """Sends at most ten messages of as many sessions; one answer each, in order."""
        ...


class EventBus(Protocol):
    """The bus."""

    async def put(self, events: Sequence[BusEntry]) -> list[Answer]:
        """Puts at most ten events; one answer each, in order."""
        ...


class RequestLease(Protocol):
    """The session requests."""

    async def free(self, receipt_handle: str) -> None:
        """Makes the request visible at once; when that fails its visibility time-out does the same, later."""
        ...

"""What delivery reads and writes of one session: header, log, mark, whether it is parked, what it owes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from contracts.delivery import (
    UNDELIVERED_PREFIX,
    ParkedSession,
    UndeliveredMessage,
    parked_index_key,
    parked_key,
    undelivered_index_key,
    undelivered_key,
)
from contracts.model import ContactId, SessionId
from contracts.queue import TranscriptMessage
from contracts.session import (
    LOG_PREFIX,
    LOG_RECORD,
    DeliveryMark,
    Ended,
    Final,
    LogRecord,
    SessionHeader,
    delivery_mark_key,
    header_key,
    record_key,
)
from services.delivery.adapters.table import Condition, Delete, Item, Put, Table
from services.delivery.errors import UnreadableItem

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef

PLACES_PER_RECORD = 1_000_000
"""`place` of a mark is `n * PLACES_PER_RECORD + k`, one number that a condition can compare."""
PAGE = 25
"""Records of a log that are read at once."""
FOR_CALLBACKS = ("final", "ended")
"""Kinds of records that have messages."""
_ANY_KIND = TypeAdapter(dict[str, object])
_HEADER = TypeAdapter(SessionHeader)
_MARK = TypeAdapter(DeliveryMark)
_PARKED = TypeAdapter(ParkedSession)
_UNDELIVERED = TypeAdapter(UndeliveredMessage)


@dataclass(frozen=True, slots=True)
class StoredHeader:
    """A session's header and when the store forgets it."""

    header: SessionHeader
    expires_at: str | None
    """Epoch seconds; None: never."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far delivery got with a session."""

    mark: tuple[int, int] | None
    parked: ParkedSession | None


class SessionStore:
    """Reads are consistent: what another process wrote is seen.

    Every method may raise `StoreUnavailable`, those that read `UnreadableItem`, too.
    """

    def __init__(self, table: Table) -> None:
        self._table = table

    async def header(self, session_id: SessionId) -> StoredHeader | None:
        """The session's header; None: the store does not know the session."""
        [item] = await self._table.get(header_key(session_id))
        if item is None:
            return None
        return StoredHeader(item.read(_HEADER), item.expires_at)

    async def progress(self, session_id: SessionId) -> Progress:
        """The mark, and whether the session is parked."""
        mark, parked = await self._table.get(delivery_mark_key(session_id), parked_key(session_id))
        stored = mark.read(_MARK) if mark else None
        return Progress(
            (stored.n, stored.k) if stored else None,
            parked.read(_PARKED) if parked else None,
        )

    async def message(self, session_id: SessionId, n: int) -> str | None:
        """The callback's body in log record `n`; None: there is none."""
        [item] = await self._table.get(record_key(session_id, n))
        return None if item is None else _body(item.read(LOG_RECORD))

    async def messages_after(
        self, session_id: SessionId, contact_id: ContactId, n: int
    ) -> tuple[int, Sequence[TranscriptMessage]]:
        """What a page of the log after record `n` has for the callback, and the page's last number.

        The number is `n` itself at the end of the log.
        """
        after = record_key(session_id, n)
        records = await self._table.query(after.pk, LOG_PREFIX, after=after.sk, limit=PAGE)
        messages: list[TranscriptMessage] = []
        for item in records:
            n = int(item.sk.removeprefix(LOG_PREFIX))
            message = _message(item, contact_id)
            if message:
                messages.append(message)
        return n, messages

    async def put_mark(self, mark: DeliveryMark, expires_at: str | None) -> None:
        """Writes the mark unless the stored one is further already; a mark only grows."""
        place = mark.n * PLACES_PER_RECORD + mark.k
        values: dict[str, AttributeValueTypeDef] = {":place": {"N": str(place)}}
        further = Condition("attribute_not_exists(pk) OR #place < :place", "place", values)
        key = delivery_mark_key(mark.session_id)
        await self._table.put(Put(key, mark, expires_at, further, place))

    async def park(self, parked: ParkedSession, expires_at: str | None) -> None:
        """After this the session's messages are left to the log."""
        index = parked_index_key(parked.endpoint, parked.session_id)
        await self._table.put(Put(index, parked, expires_at))
        await self._table.put(Put(parked_key(parked.session_id), parked, expires_at))

    async def unpark(self, session_id: SessionId, endpoint: str) -> None:
        """After this they are posted as they come."""
        await self._table.delete(Delete(parked_key(session_id)))
        await self._table.delete(Delete(parked_index_key(endpoint, session_id)))

    async def give_up(self, undelivered: UndeliveredMessage, expires_at: str | None) -> None:
        """Remembers a message that was given up."""
        index = undelivered_index_key(undelivered.endpoint, undelivered.session_id)
        await self._table.put(Put(index, undelivered, expires_at))
        key = undelivered_key(undelivered.session_id, undelivered.n)
        await self._table.put(Put(key, undelivered, expires_at))

    async def undelivered(self, session_id: SessionId, after_n: int = 0) -> list[UndeliveredMessage]:
        """A page of what was given up of the session after record `after_n`, in order."""
        after = undelivered_key(session_id, after_n)
        items = await self._table.query(after.pk, UNDELIVERED_PREFIX, after=after.sk, limit=PAGE)
        return [item.read(_UNDELIVERED) for item in items]

    async def redelivered(self, message: UndeliveredMessage) -> None:
        """Forgets that a message was given up."""
        await self._table.delete(Delete(undelivered_key(message.session_id, message.n)))

    async def all_redelivered(self, session_id: SessionId, endpoint: str) -> None:
        """Takes the session off the list of those with undelivered messages."""
        await self._table.delete(Delete(undelivered_index_key(endpoint, session_id)))


def _message(item: Item, contact_id: ContactId) -> TranscriptMessage | None:
    try:
        record = item.read(LOG_RECORD)
    except UnreadableItem:
        if item.read(_ANY_KIND).get("type") in FOR_CALLBACKS:
            raise
        return None  # of a kind that a later version writes: nothing for a callback that we know of
    text = _body(record)
    if text is None:
        return None
    return TranscriptMessage(
        session_id=record.session_id,
        contact_id=contact_id,
        epoch=record.state.epoch,
        n=record.n,
        k=0,
        kind="final" if isinstance(record, Final) else "metadata",
        message=text,
        received_at_ms=record.written_at_ms,
    )


def _body(record: LogRecord) -> str | None:
    match record:
        case Final(message=message) | Ended(metadata_message=message):
            return message
        case _:
            return None

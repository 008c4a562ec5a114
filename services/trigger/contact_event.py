"""Connect's contact events, as far as they are used.

Source: Amazon Connect administrator guide, "Contact events"; they are best effort and unordered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from contracts.intents import ContactIntents
from contracts.model import ContactId
from services.trigger.flow_event import contact_id_of
from services.trigger.intents import accepted, disconnected

DETAIL_TYPE = "Amazon Connect Contact Event"
SOURCE = "aws.connect"

type Change = Callable[[ContactIntents], ContactIntents]


@dataclass(frozen=True, slots=True)
class ContactEvent:
    """What happened to a contact."""

    contact_id: ContactId
    predecessors: tuple[ContactId, ...]
    """Contacts that were transferred into this one; it may be none."""
    disconnected_at_ms: int | None
    """Epoch ms; None: it lives."""

    @property
    def changes(self) -> tuple[tuple[ContactId, Change], ...]:
        """By contact, what the event changes; only for contacts that have sessions."""
        changes = [(predecessor, self._of_predecessor) for predecessor in self.predecessors]
        own = [(self.contact_id, self._disconnected)] if self.disconnected_at_ms is not None else []
        return (*own, *changes)

    def _of_predecessor(self, intents: ContactIntents) -> ContactIntents:
        return self._disconnected(accepted(intents, self.contact_id))

    def _disconnected(self, intents: ContactIntents) -> ContactIntents:
        if self.disconnected_at_ms is None:
            return intents
        return disconnected(intents, self.contact_id, self.disconnected_at_ms)


def read_contact_event(event: object) -> ContactEvent | None:
    """The event's parts; None for what is nothing to us. Never raises."""
    fields = _mapping(event)
    detail = _mapping(fields.get("detail"))
    contact_id = contact_id_of(detail, "contactId")
    if fields.get("source") != SOURCE or fields.get("detail-type") != DETAIL_TYPE or contact_id is None:
        return None
    if detail.get("channel", "VOICE") != "VOICE":
        return None
    over = detail.get("eventType") == "DISCONNECTED"
    named = (contact_id_of(detail, name) for name in ("previousContactId", "initialContactId"))
    return ContactEvent(
        contact_id=contact_id,
        predecessors=tuple(dict.fromkeys(one for one in named if one is not None and one != contact_id)),
        disconnected_at_ms=(_epoch_ms(detail.get("disconnectTimestamp")) or _epoch_ms(fields.get("time")))
        if over
        else None,
    )


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _epoch_ms(value: object) -> int | None:
    """Of ISO 8601; without a zone it is UTC."""
    try:
        instant = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if instant is None:
        return None
    aware = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    try:
        return max(0, int(aware.timestamp() * 1_000))
    except (OverflowError, ValueError):
        return None

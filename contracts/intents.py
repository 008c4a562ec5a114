"""What contact flows and Connect ask of a contact's sessions while they run; kept in the session store.

One item per contact (`contracts.session.intents_key`): the body as JSON, and beside it the number attribute
`revision`, on which each write is conditional, so that no writer's change is lost. The trigger writes it,
owners of sessions read it about once a second and before they send their first byte.
"""

from typing import Literal

from contracts.model import ContactId, Contract
from contracts.session import NonNegative


class PauseIntent(Contract):
    """A stretch of media time of which nothing is to reach Deepgram; the guard is part of it."""

    from_ms: NonNegative
    """Producer time, epoch ms."""
    to_ms: NonNegative | None
    """None: until `resume` is asked for."""


class Disconnect(Contract):
    """One contact's call is over."""

    contact_id: ContactId
    at_ms: NonNegative
    """Epoch ms, as Connect's contact event says."""


class ContactIntents(Contract):
    """All that is asked of one contact's sessions."""

    version: Literal[1] = 1
    contact_id: ContactId
    revision: NonNegative
    """Grows by one with every write; 0: nothing was written yet."""
    pauses: tuple[PauseIntent, ...] = ()
    """In the order of asking; entries are added, and the last one is closed, but none goes."""
    stopped_at_ms: NonNegative | None = None
    """Sessions that were requested before this moment end here."""
    accepted_contact_ids: tuple[ContactId, ...] = ()
    """Contacts into which this one was transferred: their audio belongs to its sessions."""
    disconnects: tuple[Disconnect, ...] = ()
    """Of this contact and of the accepted ones, as far as Connect has told."""

    @property
    def ended_at_ms(self) -> int | None:
        """When the call was over for all of its contacts; None: as far as is known, it goes on."""
        at_ms = {disconnect.contact_id: disconnect.at_ms for disconnect in self.disconnects}
        contacts = (self.contact_id, *self.accepted_contact_ids)
        if not all(contact_id in at_ms for contact_id in contacts):
            return None
        return max(at_ms.values())

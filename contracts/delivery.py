"""What delivery keeps in the session store beside the mark: who waits, what was given up, who fails.

An endpoint is an origin, `scheme://host:port`: callbacks may have another path for every contact. Of what
lists are made of there are two items: the truth in the session's partition and an entry in an index, which
is written first and deleted last. An entry without its truth means nothing.
"""

from enum import StrEnum
from typing import Literal

from contracts.events import EndpointDisabled, EndpointRecovered
from contracts.model import ContactId, Contract, SessionId
from contracts.session import NonNegative, Positive, StoreKey

DELIVERY_PREFIX = "delivery"
"""Sort keys of the mark and of a parked session begin so."""
UNDELIVERED_PREFIX = "undelivered#"
PARKED_INDEX = "parked"
UNDELIVERED_INDEX = "undelivered"
ENDPOINTS = "endpoints"
UNTOLD_EVENTS = "delivery-events"


class ParkCause(StrEnum):
    """Why a session is delivered from its log for now."""

    ENDPOINT_DOWN = "endpoint_down"
    """The endpoint is disabled."""
    FAILING = "failing"
    """The endpoint works, but not for this session, or not yet: it asked for time."""
    BEHIND = "behind"
    """The endpoint is slower than the call."""


class ParkedSession(Contract):
    """A session whose messages are taken off the queue; the log has what must not be lost."""

    version: Literal[1] = 1
    session_id: SessionId
    contact_id: ContactId
    endpoint: str
    cause: ParkCause
    parked_at_ms: NonNegative
    wake_at_ms: NonNegative
    """When it is to be tried again, or given up; a recovery of the endpoint wakes it before."""
    failing_since_ms: NonNegative | None
    attempts: NonNegative
    """Made for the first message that it owes."""
    last_status: int | None = None


class UndeliveredMessage(Contract):
    """A logged message that was given up; redriving it deletes this."""

    version: Literal[1] = 1
    session_id: SessionId
    contact_id: ContactId
    endpoint: str
    n: Positive
    reason: str
    attempts: NonNegative
    last_status: int | None
    given_up_at_ms: NonNegative


class DisabledEndpoint(Contract):
    """An endpoint that fails; all processes of delivery see it here."""

    version: Literal[1] = 1
    endpoint: str
    disabled_at_ms: NonNegative
    probe_at_ms: NonNegative
    """When one session is to try it."""
    probes: NonNegative
    cause: str


class UntoldEvent(Contract):
    """An event that is stored with the change that it tells of, until the bus has it."""

    version: Literal[1] = 1
    event: EndpointDisabled | EndpointRecovered
    stored_at_ms: NonNegative


def parked_key(session_id: SessionId) -> StoreKey:
    """The session's own item."""
    return StoreKey(pk=f"session#{session_id}", sk=f"{DELIVERY_PREFIX}#parked")


def parked_index_key(endpoint: str, session_id: SessionId) -> StoreKey:
    """The entry by which parked sessions are found."""
    return StoreKey(pk=PARKED_INDEX, sk=f"{endpoint}#{session_id}")


def undelivered_key(session_id: SessionId, n: int) -> StoreKey:
    """Of message `(n, 0)`."""
    return StoreKey(pk=f"session#{session_id}", sk=f"{UNDELIVERED_PREFIX}{n:010d}")


def undelivered_index_key(endpoint: str, session_id: SessionId) -> StoreKey:
    """The entry by which sessions with undelivered messages are found; it has the last of them."""
    return StoreKey(pk=UNDELIVERED_INDEX, sk=f"{endpoint}#{session_id}")


def endpoint_key(endpoint: str) -> StoreKey:
    """Of a disabled endpoint."""
    return StoreKey(pk=ENDPOINTS, sk=endpoint)


def untold_event_key(event_id: str) -> StoreKey:
    """Of an event that the bus may not have yet."""
    return StoreKey(pk=UNTOLD_EVENTS, sk=event_id)

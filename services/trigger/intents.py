"""Changes of what is asked of a contact's sessions. Each gives the intents as they are to be written.

A change that is there already gives the intents unchanged, so that a repeated invocation does no harm.
"""

from contracts.intents import ContactIntents, Disconnect, PauseIntent
from contracts.model import ContactId
from services.trigger.refusal import Reason, Refused

GUARD_MS = 2_000
"""A pause begins this much before it is asked for and ends this much after: the clocks of Connect, which
stamps the audio, and of Lambda differ, and a word has a length."""
MAX_PAUSES = 200
"""Of one contact; an item of the store has 400 KB at most (DynamoDB quotas)."""
MAX_CONTACTS = 50
"""Transfers of one contact that are followed."""


def none_yet(contact_id: ContactId) -> ContactIntents:
    """Nothing is asked for."""
    return ContactIntents(contact_id=contact_id, revision=0)


def paused(intents: ContactIntents, now_ms: int) -> ContactIntents:
    """Nothing of the contact is transcribed from now on.

    Raises:
        Refused: too many pauses.
    """
    if _is_paused(intents):
        return intents
    if len(intents.pauses) >= MAX_PAUSES:
        raise Refused(
            Reason.TOO_MANY_PAUSES, f"The contact was paused {MAX_PAUSES} times; no more can be kept."
        )
    pause = PauseIntent(from_ms=max(0, now_ms - GUARD_MS), to_ms=None)
    return _next(intents, pauses=(*intents.pauses, pause))


def resumed(intents: ContactIntents, now_ms: int) -> ContactIntents:
    """The contact is transcribed again."""
    if not _is_paused(intents):
        return intents
    *before, last = intents.pauses
    closed = PauseIntent(from_ms=last.from_ms, to_ms=max(last.from_ms, now_ms + GUARD_MS))
    return _next(intents, pauses=(*before, closed))


def stopped(intents: ContactIntents, now_ms: int) -> ContactIntents:
    """The contact's sessions end now."""
    if intents.stopped_at_ms is not None and intents.stopped_at_ms >= now_ms:
        return intents
    return _next(intents, stopped_at_ms=now_ms)


def accepted(intents: ContactIntents, contact_id: ContactId) -> ContactIntents:
    """The contact was transferred: audio of `contact_id` belongs to its sessions, too."""
    known = intents.accepted_contact_ids
    if contact_id in (intents.contact_id, *known) or len(known) >= MAX_CONTACTS:
        return intents
    return _next(intents, accepted_contact_ids=(*known, contact_id))


def disconnected(intents: ContactIntents, contact_id: ContactId, at_ms: int) -> ContactIntents:
    """`contact_id`, the contact itself or one it was transferred to, is over."""
    known = any(disconnect.contact_id == contact_id for disconnect in intents.disconnects)
    if known or contact_id not in (intents.contact_id, *intents.accepted_contact_ids):
        return intents
    disconnect = Disconnect(contact_id=contact_id, at_ms=at_ms)
    return _next(intents, disconnects=(*intents.disconnects, disconnect))


def _is_paused(intents: ContactIntents) -> bool:
    return bool(intents.pauses) and intents.pauses[-1].to_ms is None


def _next(intents: ContactIntents, **change: object) -> ContactIntents:
    return intents.model_copy(update={"revision": intents.revision + 1, **change})

"""Lease: a session's SQS message, and when its visibility is extended.

Amazon SQS: a message stays invisible for at most 12 hours from its receipt, however often that is extended.
"""

from dataclasses import dataclass
from typing import Final

from contracts.events import SessionRequested
from services.ingest.limits import Limits

VISIBILITY_S: Final = 60
"""The request shows itself to others this long after the last sign of life."""


@dataclass(frozen=True, slots=True)
class Request:
    """A received session request."""

    detail: SessionRequested
    message_id: str
    receipt_handle: str


@dataclass(frozen=True, slots=True)
class Extend:
    """Make the message invisible for `visibility_s` seconds from now on."""

    visibility_s: int = VISIBILITY_S


@dataclass(frozen=True, slots=True)
class HandOver:
    """Release the session; its message cannot be kept invisible much longer."""


class Lease:
    """Of one message, received at `now`."""

    def __init__(self, now: float, limits: Limits) -> None:
        self._extend_every_s = limits.extend_every_s
        self._hand_over_at = now + limits.hand_over_s
        self._extended_at = now
        self._handed_over = False

    def decide(self, now: float) -> Extend | HandOver | None:
        """What is due; ask at least once per second."""
        if now >= self._hand_over_at and not self._handed_over:
            self._handed_over = True
            return HandOver()
        if now - self._extended_at >= self._extend_every_s:
            self._extended_at = now
            return Extend()
        return None

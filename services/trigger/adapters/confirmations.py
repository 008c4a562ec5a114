"""Waits until the owners of sessions have confirmed, in the sessions' logs."""

import time
from collections.abc import Mapping
from typing import Protocol

from contracts.model import SessionId
from contracts.session import LogRecord
from services.trigger.confirmation import is_confirmed
from services.trigger.errors import StoreUnavailable

POLL_S = 0.2
"""Between two looks at the logs; an owner looks about once a second."""


class Logs(Protocol):
    """The sessions' logs."""

    def newest(self, session_id: SessionId, until: float) -> tuple[LogRecord, ...]:
        """The two newest records, newest first. Raises: StoreUnavailable, by the instant `until`."""
        ...


class Confirmations:
    """Looks at `logs` again and again."""

    def __init__(self, logs: Logs) -> None:
        self._logs = logs

    def missing(self, revisions: Mapping[SessionId, int], until: float) -> int:
        """How many sessions have not confirmed the revision of their contact's intents.

        Args:
            revisions: By session, the revision.
            until: Instant of `time.monotonic` after which nothing more is waited for.
        """
        open_ones = dict(revisions)
        while True:
            open_ones = {
                session: of for session, of in open_ones.items() if not self._confirmed(session, of, until)
            }
            if not open_ones or time.monotonic() + POLL_S >= until:
                return len(open_ones)
            time.sleep(POLL_S)

    def _confirmed(self, session_id: SessionId, revision: int, until: float) -> bool:
        try:
            return is_confirmed(self._logs.newest(session_id, until), revision)
        except StoreUnavailable:
            return False

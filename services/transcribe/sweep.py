"""Open sessions that nobody holds: which they are, and how they end. Pure.

A session's owner may die with its request gone or used up; then nobody would ever say that the call was not
transcribed. Whoever sweeps decides by the log alone, and ends the session by an append: should the owner live
after all, one of both finds the number taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.model import SessionId
from contracts.session import AnnouncedRecord, Ended, LogRecord
from services.transcribe.deepgram_session import Failure
from services.transcribe.session_log import Writer, failed

SILENT_MS = 5 * 60_000
"""Nobody serves a session whose log is silent for so long: its owner would have appended five times."""
NO_REQUESTS_S = 240.0
"""A request is invisible for a minute, and ingest that finds no peer holds it for half a one; when none was
seen to wait or turned away for so long, the session's is gone."""
PATIENCE_MS = 6 * 3_600_000
"""However many requests wait: what was silent for so long is over."""
IN_VAIN_S = 15 * 60.0
"""For so long a session whose log this process cannot read or write is left to others: of a newer release."""
MAX_IN_VAIN = 1_000
"""Sessions of which that is known at a time; of more the oldest are forgotten."""

ABANDONED = Failure(
    "abandoned",
    "whoever served the session is gone, and so is its request; see the logs of ingest and transcribe",
)
DEAD_REQUEST = Failure(
    "request_dead",
    "the request was tried in vain until the queue gave it up; see the logs of ingest and transcribe",
)
UNREADABLE = Failure(
    "log_unreadable",
    "what the session store holds of the session is of a release that is not known, and its request is gone",
)
UNWRITABLE = Failure(
    "log_refused",
    "the session store refuses to be written, and the request is gone; see its policy and table",
)


@dataclass(frozen=True, slots=True)
class Leave:
    """Somebody serves the session, or may yet."""


@dataclass(frozen=True, slots=True)
class Forget:
    """The session is over and announced: take it off the list."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The session is over: append `ended`, unless it is there, and announce what was not."""

    ended: Ended | None


type Verdict = Leave | Forget | Finish


class Requests:
    """Whether requests wait to be served; as long as some do, an open session's may be among them."""

    def __init__(self) -> None:
        self._none_since: float | None = None

    def seen(self, waiting: int | None, now_s: float) -> None:
        """So many wait now; None: nobody knows, or some are turned away."""
        if waiting != 0:
            self._none_since = None
        elif self._none_since is None:
            self._none_since = now_s

    def gone(self, now_s: float) -> bool:
        """Whether a request that was not received by now never will be."""
        return self._none_since is not None and now_s >= self._none_since + NO_REQUESTS_S


class InVain:
    """Sessions that this process looked after in vain, and since when."""

    def __init__(self) -> None:
        self._since: dict[SessionId, float] = {}

    def again(self, session_id: SessionId, now_s: float) -> bool:
        """One more time; whether it has been so for long enough that nobody else will do better."""
        since = self._since.setdefault(session_id, now_s)
        if len(self._since) > MAX_IN_VAIN:
            del self._since[next(iter(self._since))]
        return now_s >= since + IN_VAIN_S

    def over(self, session_id: SessionId) -> None:
        """It succeeded at last, or was told."""
        self._since.pop(session_id, None)


def judge(
    session_id: SessionId,
    tail: Sequence[LogRecord],
    writer: Writer,
    now_ms: int,
    *,
    requested_at_ms: int,
    dead: Failure | None,
) -> Verdict:
    """What to do about a session that is listed as open, or whose request is dead.

    Args:
        session_id: The session.
        tail: Its newest records, ascending, read consistently; empty: it never began.
        writer: Who would end it.
        now_ms: Epoch ms.
        requested_at_ms: When it was requested.
        dead: Why no request will bring it back; None: one may.
    """
    last = tail[-1] if tail else None
    over = any(isinstance(record, Ended) for record in tail[-2:])
    if over and isinstance(last, AnnouncedRecord):
        return Forget()
    silent_ms = now_ms - (last.written_at_ms if last else requested_at_ms)
    if silent_ms < SILENT_MS:
        return Leave()
    if over:
        return Finish(None)
    if dead is None and silent_ms >= PATIENCE_MS:
        dead = ABANDONED
    return Leave() if dead is None else Finish(failed(session_id, last, writer, dead, now_ms))

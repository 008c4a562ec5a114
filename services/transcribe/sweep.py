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

SILENT_S = 5 * 60.0
"""Nobody serves a session whose log is silent for so long: its owner would have appended five times."""
MAX_WATCHED = 20_000
"""Sessions of which the newest record is kept in mind; of more the longest silent are forgotten."""
NO_REQUESTS_S = 240.0
"""A request is invisible for a minute, and ingest that finds no peer holds it for half a one; when none was
seen to wait or turned away for so long, the session's is gone."""
PATIENCE_MS = 6 * 3_600_000
"""However many requests wait: what wrote nothing for so long is over."""
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


class Watch:
    """Since when this process has found each session at the same record, by no clock but its own."""

    def __init__(self) -> None:
        self._found: dict[SessionId, tuple[int, float]] = {}
        """The newest n, and when it was found; the oldest first."""

    def due(self, session_id: SessionId, now_s: float) -> bool:
        """Whether a look can tell anything new: a session gets one in `SILENT_S`, until it is silent."""
        return session_id not in self._found or now_s >= self._found[session_id][1] + SILENT_S

    def silent(self, session_id: SessionId, n: int, now_s: float) -> bool:
        """`n` (0: none) is the newest now; whether it has been for `SILENT_S`."""
        known_n, since_s = self._found.get(session_id, (None, now_s))
        if known_n == n:
            return now_s >= since_s + SILENT_S
        self._found.pop(session_id, None)
        self._found[session_id] = (n, now_s)
        if len(self._found) > MAX_WATCHED:
            del self._found[next(iter(self._found))]
        return False


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
    newest: Sequence[LogRecord],
    writer: Writer,
    now_ms: int,
    *,
    silent: bool,
    requested_at_ms: int,
    dead: Failure | None,
) -> Verdict:
    """What to do about a session that is listed as open, or whose request is dead.

    Args:
        session_id: The session.
        newest: Its newest two records, ascending, read consistently; empty: it never began.
        writer: Who would end it.
        now_ms: Epoch ms.
        silent: Whether the last of them has been the newest for `SILENT_S`.
        requested_at_ms: When it was requested.
        dead: Why no request will bring it back; None: one may.
    """
    last = newest[-1] if newest else None
    over = any(isinstance(record, Ended) for record in newest)
    if over and isinstance(last, AnnouncedRecord):
        return Forget()
    if not silent:
        return Leave()
    if over:
        return Finish(None)
    written_at_ms = last.written_at_ms if last else requested_at_ms
    if dead is None and now_ms >= written_at_ms + PATIENCE_MS:
        dead = ABANDONED
    return Leave() if dead is None else Finish(failed(session_id, last, writer, dead, now_ms))

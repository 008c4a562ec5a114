"""When a message is delivered, tried again, or given up: a pure policy over data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome

type Schedule = tuple[float, ...]
"""Upper bounds, in seconds, of the delays before attempt 2, 3, …: one attempt more than there are bounds."""

MAX_RETRY_AFTER_S = 900.0
"""The longest wait that an endpoint may ask for; the live call it belongs to goes on meanwhile."""

_BEHIND = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Client errors that time heals (RFC 9110, 15.5.9; RFC 8470, 5.2; RFC 6585, 4)."""


@dataclass(frozen=True, slots=True)
class Schedules:
    """How patient to be."""

    logged: Schedule = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, *(900.0,) * 24)
    """For finals and all else that is in the session's log, at an endpoint in trouble. About 6 h in all: SQS
    lets a message stay in hand for 12 h."""
    rejected: Schedule = (1, 5)
    """For what an endpoint refuses: perhaps it is being deployed."""
    unlogged: Schedule = (0.5,)
    """For interim results and other messages that are worth nothing later."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint has the message."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Make another attempt after the delay."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No further attempt."""

    reason: str
    """Stable code: `gone`, `rejected`, `redirected`, `exhausted`, or the cause of `NotSent`."""


type Decision = Delivered | RetryAfter | GiveUp


def decide(attempt: int, outcome: Outcome, schedules: Schedules, jitter: float, *, logged: bool) -> Decision:
    """What follows from the outcome of an attempt.

    Args:
        attempt: 1 for the first.
        outcome: Of that attempt.
        schedules: The delays.
        jitter: In [0, 1): the share of the delay to wait ("full jitter"), so that senders spread out.
        logged: Whether the message is in the session's log; others are best effort.
    """
    patience = schedules.logged if logged else schedules.unlogged
    match outcome:
        case Answered(status) if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Delivered()
        case Answered(HTTPStatus.GONE):
            return GiveUp("gone")
        case Answered(status, asked_s) if status in _BEHIND or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return _again(attempt, patience, jitter, "exhausted", asked_s)
        case Answered(status):
            tail = schedules.rejected[: len(patience)]
            reason = "rejected" if status >= HTTPStatus.BAD_REQUEST else "redirected"
            return _again(attempt, tail, jitter, reason)
        case NotAnswered():
            return _again(attempt, patience, jitter, "exhausted")
        case NotSent(cause):
            return GiveUp(cause)


def _again(
    attempt: int, schedule: Schedule, jitter: float, reason: str, asked_s: float | None = None
) -> Decision:
    if attempt > len(schedule):
        return GiveUp(reason)
    spread_s = schedule[attempt - 1] * jitter
    return RetryAfter(max(spread_s, min(asked_s or 0.0, MAX_RETRY_AFTER_S)))


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds that `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date); None: absent or unreadable.

    Args:
        headers: Of the answer; case-insensitive.
        now_s: Epoch seconds.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s)

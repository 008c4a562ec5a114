"""When a message is delivered, tried again, or given up: a pure policy over data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome

type Schedule = tuple[float, ...]
"""Upper bounds, in seconds, of the delays before attempt 2, 3, …"""

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

    logged: Schedule = (0.5, 1, 2, 5, 10, 30, 60, 120, 300, 900)
    """For finals and all else that is in the session's log, at an endpoint in trouble; the last is
    repeated."""
    logged_for_s: float = 24 * 3_600.0
    """How long that is tried."""
    park_from_s: float = 10.0
    """A session that has to wait for so long does not wait in hand."""
    park_behind_s: float = 30.0
    """A session whose messages are in hand for so long is slower than its call, and is delivered from its
    log: on the queue its messages would be in the way of others (Amazon SQS quotas: of a FIFO queue the first
    120,000 messages are looked at)."""
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


@dataclass(frozen=True, slots=True)
class Tried:
    """A message and what was done for it."""

    attempt: int
    """1 for the first."""
    age_s: float
    """Since the session began to fail, or since the message came if that was later."""
    logged: bool
    """Whether it is in the session's log; others are best effort."""
    refused_before: bool = False
    """Whether the message before it was given up as refused: then a refusal needs no second look."""


def decide(tried: Tried, outcome: Outcome, schedules: Schedules, jitter: float) -> Decision:
    """What follows from the outcome of an attempt.

    Args:
        tried: The message.
        outcome: Of its last attempt.
        schedules: The delays.
        jitter: In [0, 1): the share of the delay to wait ("full jitter"), so that senders spread out.
    """
    match outcome:
        case Answered(status) if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return Delivered()
        case Answered(HTTPStatus.GONE):
            return GiveUp("gone")
        case Answered(status, asked_s) if is_trouble(outcome):
            return _in_trouble(tried, schedules, jitter, asked_s)
        case Answered(status):
            tail = schedules.rejected if tried.logged else schedules.unlogged
            reason = "rejected" if status >= HTTPStatus.BAD_REQUEST else "redirected"
            return _again(tried.attempt, () if tried.refused_before else tail, jitter, reason)
        case NotAnswered():
            return _in_trouble(tried, schedules, jitter, None)
        case NotSent(cause):
            return GiveUp(cause)


def is_trouble(outcome: Outcome) -> bool:
    """Whether the endpoint is down or overloaded; else it works, whatever it thinks of the message."""
    match outcome:
        case Answered(status):
            return status in _BEHIND or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        case NotAnswered():
            return True
        case NotSent():
            return False


def _in_trouble(tried: Tried, schedules: Schedules, jitter: float, asked_s: float | None) -> Decision:
    if not tried.logged:
        return _again(tried.attempt, schedules.unlogged, jitter, "exhausted", asked_s)
    bound_s = schedules.logged[min(tried.attempt, len(schedules.logged)) - 1]
    delay_s = _delay_s(bound_s, jitter, asked_s)
    return GiveUp("exhausted") if tried.age_s + delay_s > schedules.logged_for_s else RetryAfter(delay_s)


def _again(
    attempt: int, schedule: Schedule, jitter: float, reason: str, asked_s: float | None = None
) -> Decision:
    if attempt > len(schedule):
        return GiveUp(reason)
    return RetryAfter(_delay_s(schedule[attempt - 1], jitter, asked_s))


def _delay_s(bound_s: float, jitter: float, asked_s: float | None) -> float:
    return max(bound_s * jitter, min(asked_s or 0.0, MAX_RETRY_AFTER_S))


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds that `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date); None: absent or unreadable.

    Args:
        headers: Of the answer; case-insensitive.
        now_s: Epoch seconds.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        at = parsedate_to_datetime(value)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now_s)
    except (ValueError, OverflowError):  # a year, hour or zone beyond what there is
        return None

"""Time as an argument, and the one back-off of the service."""

from typing import NamedTuple


class Instant(NamedTuple):
    """One moment on two clocks."""

    s: float
    """Seconds of a steady clock: for deadlines."""
    epoch_ms: int
    """For what others read."""


def full_jitter(attempt: int, *, base_s: float, cap_s: float, jitter: float) -> float:
    """Seconds to wait before attempt `attempt` + 1: uniform in (0, min(cap, base * 2^attempt)).

    Args:
        attempt: Failures so far, from 0.
        base_s: Ceiling of the first wait.
        cap_s: Ceiling of every wait.
        jitter: Dice, 0 <= jitter < 1.
    """
    return jitter * min(cap_s, base_s * 2.0 ** min(attempt, 30))


def earliest(*deadlines: float | None) -> float | None:
    """The first of several deadlines, of which any may be absent."""
    first: float | None = None
    for deadline in deadlines:
        if deadline is not None and (first is None or deadline < first):
            first = deadline
    return first

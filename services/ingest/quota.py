"""Quota: when the next call may be made so that no second holds more than its number."""


class Quota:
    """Of one stream and one API: `calls` in any `per_s` seconds."""

    def __init__(self, calls: int, per_s: float = 1.0) -> None:
        self._per_s = per_s
        self._calls = calls
        self._turns: tuple[float, ...] = ()
        """The last `calls`; a tuple, since each stream keeps two of these."""

    def take(self, now: float) -> float:
        """Takes the next turn; gives the seconds to wait for it."""
        at = now
        if len(self._turns) == self._calls:
            at = max(now, self._turns[0] + self._per_s)
        self._turns = (*self._turns, at)[-self._calls :]
        return at - now

    def idle(self, now: float) -> bool:
        """Whether nothing of it is used, so that a new one would say the same."""
        return not self._turns or self._turns[-1] + self._per_s <= now

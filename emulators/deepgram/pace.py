"""How fast audio comes in against real time: Deepgram takes at most 1.25 times. Pure."""

LIMIT = 1.25  # audio seconds per second, as Deepgram documents
GRACE_S = 1.0  # audio that may be ahead: network jitter, and the chunks in flight when a connection opens


class Pace:
    """A leaky bucket: audio fills it, time empties it at 1.25 seconds per second."""

    def __init__(self, *, limit: float = LIMIT, grace_s: float = GRACE_S) -> None:
        self._limit = limit
        self._grace_s = grace_s
        self._ahead_s = 0.0
        self._last_at: float | None = None
        self.worst_ahead_s = 0.0
        self.violations = 0

    def audio(self, seconds: float, now: float) -> bool:
        """Count `seconds` of audio received at `now`; true when that was too much at once."""
        if self._last_at is not None:
            self._ahead_s = max(0.0, self._ahead_s - (now - self._last_at) * self._limit)
        self._last_at = now
        self._ahead_s += seconds
        self.worst_ahead_s = max(self.worst_ahead_s, self._ahead_s)
        if self._ahead_s <= self._grace_s:
            return False
        self.violations += 1
        return True

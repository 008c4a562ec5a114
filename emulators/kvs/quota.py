"""Calls per second; pure."""

from collections import defaultdict, deque


class Quota:
    """Allows `limit` calls within any second for each key; refused calls do not count."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._calls: defaultdict[str, deque[int]] = defaultdict(deque)

    def allows(self, key: str, *, now_ms: int) -> bool:
        """Count a call unless it is one too many."""
        calls = self._calls[key]
        while calls and calls[0] <= now_ms - 1000:
            calls.popleft()
        if len(calls) >= self._limit:
            return False
        calls.append(now_ms)
        return True

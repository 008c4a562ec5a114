"""One way out of a session, to the queue or to the bus: entries in order, the head perhaps under way. Pure.

At most one entry is under way, so that a partial failure cannot turn the order.
"""

from collections import deque
from dataclasses import dataclass

from services.transcribe.instants import full_jitter
from services.transcribe.journal import MAX_UNLOGGED, MAX_UNLOGGED_BYTES

RETRY_BASE_S = 0.2
RETRY_CAP_S = 10.0
BEHIND = 20
"""Entries that wait; with more, interim results that were superseded are left out."""


@dataclass(frozen=True, slots=True)
class Outgoing[T]:
    """One entry; `logged` tells whether its record must be announced at any cost."""

    n: int
    logged: bool
    body: T
    received_at_ms: int
    size: int = 0
    """Bytes that it takes while it waits, about."""
    segment_id: str | None = None
    """Of a result; an interim one is superseded by whatever follows of its segment."""


class Way[T]:
    """One way out: a queue of entries, the head perhaps under way."""

    def __init__(self, announced: int) -> None:
        self._entries: deque[Outgoing[T]] = deque()
        self._logged = 0
        self._n = announced
        self.waiting_bytes = 0
        self._unlogged_bytes = 0
        self._dropped = 0
        self._under_way = False
        self._failures = 0
        self._retry_at: float | None = None

    @property
    def announced(self) -> int:
        """Every record up to this one was accepted, or is not for this way."""
        if not self._logged:
            return self._n
        return next(entry.n for entry in self._entries if entry.logged) - 1

    @property
    def empty(self) -> bool:
        """Whether everything was accepted."""
        return not self._entries

    @property
    def waiting(self) -> int:
        """Records that were not accepted yet."""
        return self._logged

    @property
    def deadline(self) -> float | None:
        """When `take` has something again after a failure."""
        return self._retry_at

    def take_dropped(self) -> int:
        """Entries that were lost since this was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def pass_over(self, n: int) -> None:
        """Record `n` is not for this way."""
        self._n = n

    def put(self, entry: Outgoing[T]) -> None:
        """Adds an entry; they go in this order."""
        if entry.segment_id is not None and len(self._entries) > BEHIND:
            self._forget_superseded(entry.segment_id)
        self._entries.append(entry)
        self.waiting_bytes += entry.size
        if entry.logged:
            self._logged += 1
            self._n = entry.n
            return
        self._unlogged_bytes += entry.size
        while self._unlogged > MAX_UNLOGGED or self._unlogged_bytes > MAX_UNLOGGED_BYTES:
            if not self._forget_oldest_unlogged():
                break

    def take(self, now: float) -> T | None:
        """The entry to send now, if any; then call `accepted` or `failed`."""
        if self._under_way or not self._entries or (self._retry_at is not None and now < self._retry_at):
            return None
        self._under_way = True
        self._retry_at = None
        return self._entries[0].body

    def accepted(self) -> Outgoing[T]:
        """The entry arrived, or can never arrive."""
        entry = self._entries.popleft()
        self._logged -= entry.logged
        self._forget(entry)
        self._under_way, self._failures = False, 0
        return entry

    def failed(self, now: float, jitter: float) -> None:
        """The entry may not have arrived: it is sent again."""
        self._under_way = False
        self._retry_at = now + full_jitter(
            self._failures, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, jitter=jitter
        )
        self._failures += 1

    def _forget_superseded(self, segment_id: str) -> None:
        head = self._entries.popleft()
        rest = deque([head])
        for entry in self._entries:
            if entry.logged or entry.segment_id != segment_id:
                rest.append(entry)
            else:
                self._forget(entry)
        self._entries = rest

    def _forget_oldest_unlogged(self) -> bool:
        """Whether there was one that is not under way."""
        for at, entry in enumerate(self._entries):
            if not entry.logged and (at or not self._under_way):
                del self._entries[at]
                self._forget(entry)
                self._dropped += 1
                return True
        return False

    def _forget(self, entry: Outgoing[T]) -> None:
        self.waiting_bytes -= entry.size
        if not entry.logged:
            self._unlogged_bytes -= entry.size

    @property
    def _unlogged(self) -> int:
        return len(self._entries) - self._logged

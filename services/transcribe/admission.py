"""Who may shake hands with Deepgram while its concurrency limit is met: first come, first served. Pure.

Of all sessions of a process. As long as nobody is refused, everybody goes at once. From the first 429 on
there is a line in the order of asking, and its head alone tries, with full jitter; once it is admitted the
next one tries at once. With the line the limit is forgotten.
"""

from services.transcribe.instants import full_jitter

RETRY_BASE_S = 0.5
RETRY_CAP_S = 5.0


class Admission[K]:
    """`K` names a session. After each call, `take` says who may go now."""

    def __init__(self) -> None:
        self._asked: dict[K, int] = {}
        """Place in the order of asking, of whoever waits or shakes hands."""
        self._line: list[K] = []
        self._head: K | None = None
        """Who tries for the line."""
        self._next = 0
        self._failures = 0
        self._retry_at: float | None = None
        """None: there is no limit that we know of."""

    @property
    def deadline(self) -> float | None:
        """When the head of the line is to try."""
        return self._retry_at if self._line and self._head is None else None

    def ahead(self, who: K) -> int:
        """How many asked before `who` and are not admitted yet."""
        place = self._asked.get(who, 0)
        others = self._line if self._head is None else [*self._line, self._head]
        return sum(1 for other in others if self._asked[other] < place)

    def ask(self, who: K) -> None:
        """Wants a handshake; whoever asks again without an answer keeps the place."""
        if who not in self._asked:
            self._next += 1
            self._asked[who] = self._next
            self._line.append(who)

    def take(self, now: float) -> list[K]:
        """Who may shake hands now, in order; then call `refused`, `answered` or `left` for each."""
        if self._retry_at is None:
            taken, self._line = self._line, []
            return taken
        if self._head is not None or not self._line or now < self._retry_at:
            return []
        self._head = self._line.pop(0)
        return [self._head]

    def refused(self, who: K, now: float, jitter: float) -> None:
        """The limit was met: back to the place that the order of asking gives."""
        if who not in self._asked:
            return
        self._line.append(who)
        self._line.sort(key=self._asked.__getitem__)
        if who == self._head or self._retry_at is None:
            self._head = None
            delay_s = full_jitter(self._failures, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, jitter=jitter)
            self._failures += 1
            self._retry_at = now + delay_s

    def answered(self, who: K, now: float, *, admitted: bool) -> None:
        """The handshake is over, in whatever way but by the limit."""
        if admitted:
            self._failures = 0
        self._forget(who, now)

    def left(self, who: K, now: float) -> None:
        """A connection, or the wish for one, is no more: there may be room."""
        self._forget(who, now)
        if self._retry_at is not None:
            self._retry_at = min(self._retry_at, now)

    def _forget(self, who: K, now: float) -> None:
        if self._asked.pop(who, None) is not None and who in self._line:
            self._line.remove(who)
        if who == self._head:
            self._head = None
            self._retry_at = now
        if not self._line and self._head is None:
            self._retry_at = None
            self._failures = 0

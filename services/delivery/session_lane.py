"""One session's messages in hand: strictly in order, each once, finals never dropped.

The shell asks `next` what to do, does it, and says how a request went by `conclude`. The queue keeps the
order of a session and locks it while messages are in hand, so that what is in the lane is all there is. The
mark keeps out what was delivered before: a repeat after a take-over, or after a delete that got lost.
"""

import json
from collections import deque
from dataclasses import dataclass
from typing import cast

from contracts.queue import TranscriptMessage
from services.delivery.outcome import Outcome
from services.delivery.retry import Decision, Delivered, GiveUp, RetryAfter, Schedules, decide

BEHIND_MS = 2_000
"""A message older than this shows that the endpoint is behind: superseded interim results are dropped."""

type Place = tuple[int, int]
"""`(n, k)` of a message; places grow along the session."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message in hand."""

    message: TranscriptMessage
    receipt_handle: str

    @property
    def place(self) -> Place:
        """Its place in the session."""
        return self.message.n, self.message.k

    @property
    def logged(self) -> bool:
        """Whether it is a record of the session's log, and so must not be lost."""
        return self.message.k == 0


@dataclass(frozen=True, slots=True)
class Post:
    """Make a request, then call `conclude`."""

    held: Held
    attempt: int


@dataclass(frozen=True, slots=True)
class Forget:
    """Delete the message from the queue; nothing is posted."""

    held: Held
    cause: str


@dataclass(frozen=True, slots=True)
class Abandon:
    """Give the logged message up: keep it in the dead-letter queue, tell, move the mark, delete it."""

    held: Held
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again at this time, epoch ms."""

    until_ms: int


type Step = Post | Forget | Abandon | Wait


class SessionLane:
    """What is in hand of one session, and how far delivery got."""

    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules
        self._held: deque[Held] = deque()
        self._mark: Place = (0, 0)
        self._attempt = 1
        self._retry_at_ms = 0
        self._dead: str | None = None

    def __len__(self) -> int:
        return len(self._held)

    @property
    def held(self) -> tuple[Held, ...]:
        """The messages in hand, in order."""
        return tuple(self._held)

    @property
    def mark(self) -> Place:
        """The place of the last message that was delivered or given up."""
        return self._mark

    def take(self, held: Held) -> Held | None:
        """Adds a message in the queue's order.

        One that is in hand already only gets the new receipt; what it replaces is returned.
        """
        for i, known in enumerate(self._held):
            if known.place == held.place:
                self._held[i] = held
                return known
        self._held.append(held)
        return None

    def raise_mark(self, mark: Place) -> None:
        """Learns of a mark from the store; marks only grow."""
        self._mark = max(self._mark, mark)

    def clear(self) -> tuple[Held, ...]:
        """Empties the lane; the caller does with the messages as it must."""
        cleared = tuple(self._held)
        self._held.clear()
        self._attempt, self._retry_at_ms = 1, 0
        return cleared

    def next(self, now_ms: int) -> Step | None:
        """What to do now; None: nothing is in hand."""
        if not self._held:
            return None
        head = self._held[0]
        if head.place <= self._mark:
            return self._forget("delivered_before")
        if self._dead:
            return self._abandon(self._dead, attempts=1)
        if self._is_superseded(head, now_ms):
            return self._forget("superseded")
        if now_ms < self._retry_at_ms:
            return Wait(self._retry_at_ms)
        return Post(head, self._attempt)

    def skip(self, cause: str) -> Forget:
        """Lets the first message pass without a request: nobody waits for it."""
        return Forget(self._move_on(), cause)

    def abandon(self, reason: str) -> Step:
        """Gives the first message up without a request."""
        return self._abandon(reason, self._attempt)

    def conclude(self, outcome: Outcome, jitter: float, now_ms: int) -> tuple[Held, Decision]:
        """What became of the request for the first message.

        After `Delivered` and `GiveUp` it is no longer in the lane: the shell moves the stored mark when it
        was logged, and deletes it from the queue. After `RetryAfter` the lane says when.
        """
        head = self._held[0]
        decision = decide(self._attempt, outcome, self._schedules, jitter, logged=head.logged)
        match decision:
            case RetryAfter(delay_s):
                self._attempt += 1
                self._retry_at_ms = now_ms + round(delay_s * 1_000)
            case Delivered():
                self._move_on()
            case GiveUp(reason):
                self._dead = reason if reason == "gone" else None
                self._move_on()
        return head, decision

    def _forget(self, cause: str) -> Forget:
        head = self._held.popleft()
        self._attempt, self._retry_at_ms = 1, 0
        return Forget(head, cause)

    def _abandon(self, reason: str, attempts: int) -> Step:
        head = self._move_on()
        return Abandon(head, reason, attempts) if head.logged else Forget(head, reason)

    def _move_on(self) -> Held:
        head = self._held.popleft()
        self._mark = max(self._mark, head.place)
        self._attempt, self._retry_at_ms = 1, 0
        return head

    def _is_superseded(self, head: Held, now_ms: int) -> bool:
        """Whether the endpoint is behind and a newer result of the same channel is in hand."""
        if head.message.kind != "interim" or head.logged:
            return False
        if self._attempt == 1 and now_ms - head.message.received_at_ms < BEHIND_MS:
            return False
        channel = _channel(head)
        return channel is not None and any(
            later.message.kind in {"interim", "final"} and _channel(later) == channel
            for later in list(self._held)[1:]
        )


def _channel(held: Held) -> int | None:
    """Deepgram's channel index; None: not in the message."""
    try:
        message = json.loads(held.message.message or "null")
    except ValueError:
        return None
    index = cast("dict[str, object]", message).get("channel_index") if isinstance(message, dict) else None
    first = cast("list[object]", index)[0] if isinstance(index, list) and index else None
    return first if isinstance(first, int) else None

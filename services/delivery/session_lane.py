"""One session's messages in hand: strictly in order, each once, finals never dropped.

The shell asks `next` what to do, does it, and says how a request went by `conclude`. The queue keeps the
order of a session and locks it while messages are in hand, so that what is in the lane is all there is. The
mark keeps out what was delivered before: a repeat after a take-over, or after a delete that got lost.

A session that cannot be delivered now is parked: what comes for it is taken off the queue, and a replay
request, in the same queue, later has its messages read from the log into a lane of their own.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.delivery import ParkCause, ParkedSession, UndeliveredMessage
from contracts.queue import ReplayRequest, TranscriptMessage
from services.delivery.conflation import is_superseded
from services.delivery.outcome import Answered, Outcome
from services.delivery.retry import Decision, Delivered, GiveUp, RetryAfter, Schedules, Tried, decide

type Place = tuple[int, int]
"""`(n, k)` of a message; places grow along the session."""


@dataclass(frozen=True, slots=True)
class Held:
    """A message in hand."""

    message: TranscriptMessage
    receipt_handle: str | None
    """None: it comes from the log."""
    received_at_ms: int = 0
    """When it came into our hands, epoch ms."""
    was_received_before: bool = False

    @property
    def place(self) -> Place:
        """Its place in the session."""
        return self.message.n, self.message.k

    @property
    def logged(self) -> bool:
        """Whether it is a record of the session's log, and so must not be lost."""
        return self.message.k == 0


@dataclass(frozen=True, slots=True)
class HeldReplay:
    """A replay request in hand."""

    request: ReplayRequest
    receipt_handle: str


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
    last_status: int | None


@dataclass(frozen=True, slots=True)
class Park:
    """Put the session aside, then call `park`."""

    cause: ParkCause
    wake_at_ms: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Deliver from the log, then call `finish_replay`."""

    held: HeldReplay


@dataclass(frozen=True, slots=True)
class Wait:
    """Ask again at this time, epoch ms."""

    until_ms: int


type Step = Post | Forget | Abandon | Park | Replay | Wait


class SessionLane:
    """What is in hand of one session, and how far delivery got."""

    def __init__(self, schedules: Schedules) -> None:
        self._schedules = schedules
        self._held: deque[Held | HeldReplay] = deque()
        self._mark: Place = (0, 0)
        self._attempt = 1
        self._retry_at_ms = 0
        self._failing_since_ms: int | None = None
        self._last_status: int | None = None
        self._was_refused = False
        self._dead: str | None = None
        self._is_parked = False
        self._given_up: Mapping[int, UndeliveredMessage] = {}

    def __len__(self) -> int:
        return len(self._held)

    @property
    def held(self) -> tuple[Held | HeldReplay, ...]:
        """The messages in hand, in order."""
        return tuple(self._held)

    @property
    def mark(self) -> Place:
        """The place of the last message that was delivered or given up."""
        return self._mark

    @property
    def is_parked(self) -> bool:
        """Whether messages are left to the log."""
        return self._is_parked

    @property
    def failing_since_ms(self) -> int | None:
        """When the last request failed after one that did not; None: the last one did not."""
        return self._failing_since_ms

    @property
    def attempts(self) -> int:
        """Made for the first message."""
        return self._attempt - 1

    @property
    def last_status(self) -> int | None:
        """Of the last failed attempt, if it was answered."""
        return self._last_status

    def take(self, held: Held | HeldReplay) -> Held | HeldReplay | None:
        """Adds a message in the queue's order.

        One that is in hand already only gets the new receipt; what it replaces is returned.
        """
        for i, known in enumerate(self._held):
            if _is_same(known, held):
                self._held[i] = held
                return known
        self._held.append(held)
        return None

    def raise_mark(self, mark: Place) -> None:
        """Learns of a mark from the store; marks only grow."""
        self._mark = max(self._mark, mark)

    @property
    def given_up(self) -> Mapping[int, UndeliveredMessage]:
        """By record, what was given up above the mark: who did it died before the end of it."""
        return self._given_up

    def recall(self, given_up: Mapping[int, UndeliveredMessage]) -> None:
        """Learns of them from the store; they are given up to the end, and not posted."""
        self._given_up = given_up

    def resume(self, parked: ParkedSession | None, mark: Place, *, gone: bool = False) -> None:
        """Goes on where another lane of the session is: one from the log, or the one that was parked."""
        self._mark = mark
        self._dead = "gone" if gone else None
        if parked:
            self._attempt = parked.attempts + 1
            self._failing_since_ms = parked.failing_since_ms
            self._last_status = parked.last_status

    def park(self, *, is_parked: bool) -> None:
        """From now on messages are left to the log, or are not any more: then all of them were delivered."""
        if self._is_parked and not is_parked:
            self._failing_since_ms, self._last_status, self._was_refused = None, None, False
        self._is_parked = is_parked

    @property
    def is_gone(self) -> bool:
        """Whether the endpoint said that it will never take a message again."""
        return self._dead is not None

    def clear(self) -> tuple[Held | HeldReplay, ...]:
        """Empties the lane; the caller does with the messages as it must."""
        cleared = tuple(self._held)
        self._held.clear()
        self._attempt, self._retry_at_ms = 1, 0
        return cleared

    def next(self, now_ms: int, *, is_open: bool = False, paused_until_ms: int = 0) -> Step | None:
        """What to do now; None: nothing is in hand.

        Args:
            now_ms: Epoch ms.
            is_open: Whether the endpoint's breaker is open.
            paused_until_ms: The endpoint asked for no request before this time.
        """
        if not self._held:
            return None
        head = self._held[0]
        if isinstance(head, HeldReplay):
            return Replay(head)
        if head.place <= self._mark:
            return self._forget("delivered_before")
        if self._is_parked:
            return self._forget("parked")
        if (hopeless := self._hopeless(head)) is not None:
            return hopeless
        if self._is_superseded(head, now_ms):
            return self._forget("superseded")
        if is_open:
            return self._turn_away(head, now_ms)
        until_ms = max(self._retry_at_ms, paused_until_ms)
        if now_ms < until_ms:
            return self._hold_back(head, now_ms, until_ms)
        if head.logged and head.receipt_handle and self._lags(head, now_ms):
            return Park(ParkCause.BEHIND, now_ms)
        return Post(head, self._attempt)

    def skip(self, cause: str) -> Forget:
        """Lets the first message pass without a request: nobody waits for it."""
        return Forget(self._move_on(), cause)

    def abandon(self, reason: str) -> Step:
        """Gives the first message up without a request."""
        return self._abandon(reason)

    def finish_replay(self, mark: Place, *, is_parked: bool) -> HeldReplay:
        """The first message was a replay request, and it was served; says how far."""
        self._mark = max(self._mark, mark)
        self.park(is_parked=is_parked)
        replay = self._held.popleft()
        assert isinstance(replay, HeldReplay)  # noqa: S101 -- `next` said so
        self._attempt, self._retry_at_ms = 1, 0
        return replay

    def conclude(self, outcome: Outcome, jitter: float, now_ms: int) -> tuple[Held, Decision]:
        """What became of the request for the first message.

        After `Delivered` and `GiveUp` it is no longer in the lane: the shell moves the stored mark when it
        was logged, and deletes it from the queue. After `RetryAfter` the lane says when.
        """
        head = self._head()
        tried = Tried(
            self._attempt, (now_ms - self._since_ms(head, now_ms)) / 1_000, head.logged, self._was_refused
        )
        decision = decide(tried, outcome, self._schedules, jitter)
        match decision:
            case RetryAfter(delay_s):
                self._attempt += 1
                self._retry_at_ms = now_ms + round(delay_s * 1_000)
                self._failing_since_ms = now_ms if self._failing_since_ms is None else self._failing_since_ms
                self._last_status = outcome.status if isinstance(outcome, Answered) else None
            case Delivered():
                self._move_on()
                self._failing_since_ms, self._was_refused = None, False
            case GiveUp(reason):
                self._dead = reason if reason == "gone" else None
                self._was_refused = reason in {"rejected", "redirected"}
                self._move_on()
        return head, decision

    def _head(self) -> Held:
        head = self._held[0]
        assert isinstance(head, Held)  # noqa: S101 -- replay requests are not posted
        return head

    def _hopeless(self, head: Held) -> Step | None:
        given_up = self._given_up.get(head.message.n)
        if given_up and head.logged:
            return Abandon(self._move_on(), given_up.reason, given_up.attempts, given_up.last_status)
        return self._abandon(self._dead) if self._dead else None

    def _turn_away(self, head: Held, now_ms: int) -> Step:
        """The endpoint is disabled."""
        if not head.logged:
            return self._forget("endpoint_down")
        return self._park(ParkCause.ENDPOINT_DOWN, head, now_ms, self._last_ms(head, now_ms))

    def _hold_back(self, head: Held, now_ms: int, until_ms: int) -> Step:
        """Nothing may be posted before `until_ms`; nothing waits for long in hand."""
        if until_ms - now_ms < self._schedules.park_from_s * 1_000:
            return Wait(until_ms)
        if not head.logged:
            return self._forget("endpoint_paused")
        return self._park(ParkCause.FAILING, head, now_ms, until_ms)

    def _park(self, cause: ParkCause, head: Held, now_ms: int, until_ms: int) -> Step:
        last_ms = self._last_ms(head, now_ms)
        return Park(cause, min(until_ms, last_ms)) if now_ms < last_ms else self._abandon("exhausted")

    def _last_ms(self, head: Held, now_ms: int) -> int:
        """When the message is given up."""
        return self._since_ms(head, now_ms) + round(self._schedules.logged_for_s * 1_000)

    def _since_ms(self, head: Held, now_ms: int) -> int:
        """Since when it is tried."""
        since_ms = now_ms if self._failing_since_ms is None else self._failing_since_ms
        return max(since_ms, head.message.received_at_ms)

    def _lags(self, head: Held, now_ms: int) -> bool:
        """Whether it has been in hand for long: what waited on the queue is no fault of the endpoint."""
        return (
            bool(head.received_at_ms)
            and now_ms - head.received_at_ms >= self._schedules.park_behind_s * 1_000
        )

    def _forget(self, cause: str) -> Forget:
        head = self._head()
        self._held.popleft()
        self._attempt, self._retry_at_ms = 1, 0
        return Forget(head, cause)

    def _abandon(self, reason: str) -> Step:
        attempts, status = max(1, self._attempt - 1), self._last_status
        head = self._move_on()
        return Abandon(head, reason, attempts, status) if head.logged else Forget(head, reason)

    def _move_on(self) -> Held:
        head = self._head()
        self._held.popleft()
        self._mark = max(self._mark, head.place)
        self._attempt, self._retry_at_ms, self._last_status = 1, 0, None
        return head

    def _is_superseded(self, head: Held, now_ms: int) -> bool:
        if head.logged:
            return False
        later = [each.message for each in list(self._held)[1:] if isinstance(each, Held)]
        return is_superseded(head.message, later, now_ms, failed_before=self._attempt > 1)


def _is_same(known: Held | HeldReplay, held: Held | HeldReplay) -> bool:
    if isinstance(known, Held) and isinstance(held, Held):
        return known.place == held.place and (known.receipt_handle is None) == (held.receipt_handle is None)
    return False

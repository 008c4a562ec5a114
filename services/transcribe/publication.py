"""A session's outbox: what is durable goes to the queue and to the bus, each at its own pace. Pure.

Each way has at most one entry of a session under way, so that a partial failure cannot turn the order.
"""

from collections import deque
from dataclasses import dataclass

from contracts.events import Event
from contracts.queue import TranscriptMessage
from contracts.session import Announced, Ended, Final, LogRecord, SessionHeader, SessionState
from services.transcribe.bus_events import BusEvents
from services.transcribe.instants import Instant, earliest, full_jitter
from services.transcribe.journal import Logged, Placed, Said

RETRY_BASE_S = 0.2
RETRY_CAP_S = 10.0
MAX_UNLOGGED = 500
"""Entries of one way that are in no log; when a way is down for long the oldest are lost."""
BEHIND = 20
"""Entries that wait; with more, interim results that were superseded are left out."""
MAX_MESSAGE_BYTES = 120_000
"""A queue message may have 256 KiB (SQS quotas), and escaping it as JSON at most doubles the body; delivery
takes a larger final from the log."""


@dataclass(frozen=True, slots=True)
class Outgoing[T]:
    """One entry; `logged` tells whether its record must be announced at any cost."""

    n: int
    logged: bool
    body: T
    received_at_ms: int
    segment_id: str | None = None
    """Of a result; an interim one is superseded by whatever follows of its segment."""


class Way[T]:
    """One way out: a queue of entries, the head perhaps under way."""

    def __init__(self, announced: int) -> None:
        self._entries: deque[Outgoing[T]] = deque()
        self._logged = 0
        self._n = announced
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

    def pass_over(self, n: int) -> None:
        """Record `n` is not for this way."""
        self._n = n

    def put(self, entry: Outgoing[T]) -> None:
        """Adds an entry; they go in this order."""
        if entry.segment_id is not None and len(self._entries) > BEHIND:
            self._forget_superseded(entry.segment_id)
        self._entries.append(entry)
        if entry.logged:
            self._logged += 1
            self._n = entry.n
        elif len(self._entries) - self._logged > MAX_UNLOGGED:
            self._forget_oldest_unlogged()

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
        rest = [entry for entry in self._entries if entry.logged or entry.segment_id != segment_id]
        self._entries = deque([head, *rest])

    def _forget_oldest_unlogged(self) -> None:
        head = self._entries.popleft() if self._under_way else None
        oldest = next((entry for entry in self._entries if not entry.logged), None)
        if oldest is not None:
            self._entries.remove(oldest)
        if head is not None:
            self._entries.appendleft(head)


class Publication:
    """Both ways of one session.

    Args:
        header: The session's.
        announced: What was announced already.
        bus_interims: Whether interim results go to the bus, too.
    """

    def __init__(self, header: SessionHeader, announced: Announced, *, bus_interims: bool) -> None:
        self._header = header
        self._bus_interims = bus_interims
        self.events = BusEvents(header.session_id, header.contact_id, header.context)
        self.queue: Way[TranscriptMessage] = Way(announced.queue_n)
        self.bus: Way[Event] = Way(announced.bus_n)

    @property
    def announced(self) -> Announced:
        """The marks for the next record."""
        return Announced(queue_n=self.queue.announced, bus_n=self.bus.announced)

    @property
    def empty(self) -> bool:
        """Whether all was accepted on both ways."""
        return self.queue.empty and self.bus.empty

    @property
    def waiting(self) -> int:
        """Records that one of the ways has not accepted yet."""
        return max(self.queue.waiting, self.bus.waiting)

    @property
    def deadline(self) -> float | None:
        """When one of the ways is to be tried again."""
        return earliest(self.queue.deadline, self.bus.deadline)

    def place(self, placed: Placed, now: Instant) -> None:
        """Takes what has its place in the order now."""
        match placed:
            case Logged():
                self.record(placed.record, placed.before, placed.received_at_ms)
            case Said():
                self._said(placed, now)

    def tell(self, event: Event, now: Instant) -> None:
        """Takes an event that is in no log."""
        self.bus.put(Outgoing(0, logged=False, body=event, received_at_ms=now.epoch_ms))

    def record(self, record: LogRecord, before: SessionState | None, received_at_ms: int) -> None:
        """Takes a durable record, where it was not announced yet."""
        if record.n > self.queue.announced:
            body = self._message_of(record, received_at_ms)
            if body is None:
                self.queue.pass_over(record.n)
            else:
                self.queue.put(_logged(record, body, received_at_ms))
        if record.n > self.bus.announced:
            event = self.events.of_record(record, before)
            if event is None:
                self.bus.pass_over(record.n)
            else:
                self.bus.put(_logged(record, event, received_at_ms))

    def _said(self, said: Said, now: Instant) -> None:
        say = said.say
        if self._header.callback is not None:
            kind = "interim" if say.segment else say.kind
            body = self._message(
                epoch=said.epoch,
                n=said.n,
                k=said.k,
                kind=kind,
                message=say.message,
                received_at_ms=say.received_at_ms,
            )
            if body.message is not None:  # what is in no log cannot be fetched from it
                self.queue.put(_unlogged(said, body))
        if self._bus_interims and say.segment is not None:
            event = self.events.of_interim(say.segment, said.n, said.k, now.epoch_ms)
            self.bus.put(_unlogged(said, event))

    def _message_of(self, record: LogRecord, received_at_ms: int) -> TranscriptMessage | None:
        if self._header.callback is None:
            return None
        match record:
            case Final():
                kind, message = "final", record.message
            case Ended() if record.metadata_message is not None:
                kind, message = "metadata", record.metadata_message
            case _:
                return None
        return self._message(
            epoch=record.state.epoch,
            n=record.n,
            k=0,
            kind=kind,
            message=message,
            received_at_ms=received_at_ms,
        )

    def _message(
        self, *, epoch: int, n: int, k: int, kind: str, message: str, received_at_ms: int
    ) -> TranscriptMessage:
        return TranscriptMessage(
            session_id=self._header.session_id,
            contact_id=self._header.contact_id,
            epoch=epoch,
            n=n,
            k=k,
            kind=kind,
            message=message if len(message.encode()) <= MAX_MESSAGE_BYTES else None,
            received_at_ms=received_at_ms,
        )


def _logged[T](record: LogRecord, body: T, received_at_ms: int) -> Outgoing[T]:
    segment_id = record.segment_id if isinstance(record, Final) else None
    return Outgoing(record.n, logged=True, body=body, received_at_ms=received_at_ms, segment_id=segment_id)


def _unlogged[T](said: Said, body: T) -> Outgoing[T]:
    segment_id = said.say.segment.segment_id if said.say.segment else None
    at_ms = said.say.received_at_ms
    return Outgoing(said.n, logged=False, body=body, received_at_ms=at_ms, segment_id=segment_id)

"""A session's outbox: what is durable goes to the queue and to the bus, each at its own pace. Pure.

What waits is kept small: a final's event is made when its turn comes, of the record, and the queue's message
has the same text.
"""

from contracts.events import Event
from contracts.queue import TranscriptMessage
from contracts.session import Announced, Ended, Final, LogRecord, SessionHeader, SessionState
from services.transcribe.bus_events import BusEvents
from services.transcribe.instants import Instant, earliest
from services.transcribe.journal import Logged, Placed, Said
from services.transcribe.way import Outgoing, Way

ENTRY_BYTES = 500
"""Of an entry, beside its text."""
MAX_MESSAGE_BYTES = 120_000
"""A queue message may have 256 KiB (SQS quotas), and escaping it as JSON at most doubles the body; delivery
takes a larger final from the log."""


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
        self.bus: Way[Event | Final] = Way(announced.bus_n)
        self._dropped = 0

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
    def waiting_bytes(self) -> int:
        """About what takes all that one of the ways has not accepted yet; the ways share their texts."""
        return max(self.queue.waiting_bytes, self.bus.waiting_bytes)

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
        self.bus.put(Outgoing(0, logged=False, body=event, received_at_ms=now.epoch_ms, size=ENTRY_BYTES))

    def take_event(self, now: float) -> Event | None:
        """The bus's `take`, as an event."""
        body = self.bus.take(now)
        return self.events.of_record(body, None) if isinstance(body, Final) else body

    def take_dropped(self) -> int:
        """Entries of both ways that were lost since this was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped + self.queue.take_dropped() + self.bus.take_dropped()

    def record(self, record: LogRecord, before: SessionState | None, received_at_ms: int) -> None:
        """Takes a durable record, where it was not announced yet."""
        if record.n > self.queue.announced:
            body = self._message_of(record, received_at_ms)
            if body is None:
                self.queue.pass_over(record.n)
            else:
                self.queue.put(_logged(record, body, received_at_ms, body.message))
        if record.n > self.bus.announced:
            if isinstance(record, Final):
                self.bus.put(_logged(record, record, received_at_ms, record.message))
            elif (event := self.events.of_record(record, before)) is not None:
                self.bus.put(_logged(record, event, received_at_ms))
            else:
                self.bus.pass_over(record.n)

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
            if body.message is not None:
                self.queue.put(_unlogged(said, body))
            else:  # what is in no log cannot be fetched from it
                self._dropped += 1
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


def without_text(message: TranscriptMessage) -> TranscriptMessage | None:
    """For a message that the queue refuses: one whose text is left to the log; None: it is in no log."""
    if message.k or message.message is None:
        return None
    return message.model_copy(update={"message": None})


def _logged[T](record: LogRecord, body: T, received_at_ms: int, text: str | None = None) -> Outgoing[T]:
    segment_id = record.segment_id if isinstance(record, Final) else None
    return Outgoing(
        record.n,
        logged=True,
        body=body,
        received_at_ms=received_at_ms,
        size=_size(text),
        segment_id=segment_id,
    )


def _unlogged[T](said: Said, body: T) -> Outgoing[T]:
    segment_id = said.say.segment.segment_id if said.say.segment else None
    at_ms = said.say.received_at_ms
    size = _size(said.say.message)
    return Outgoing(said.n, logged=False, body=body, received_at_ms=at_ms, size=size, segment_id=segment_id)


def _size(text: str | None) -> int:
    return ENTRY_BYTES + len((text or "").encode())

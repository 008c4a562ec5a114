"""The shell that drives one session: waits for input or the deadline, and performs the commands."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from random import random
from time import monotonic, time

from contracts.events import Event
from contracts.link import ClosedSession
from contracts.metrics import OUTPUT_DROPPED
from contracts.queue import TranscriptMessage
from contracts.session import LogRecord, SessionHeader
from services.transcribe.adapters.batches import Batches
from services.transcribe.adapters.deepgram import DeepgramConnection
from services.transcribe.adapters.doors import Door
from services.transcribe.adapters.link import Link
from services.transcribe.bus_events import text_alone
from services.transcribe.commands import (
    Append,
    Command,
    Connect,
    Count,
    Disconnect,
    Finish,
    FreeRequest,
    Observe,
    PublishToBus,
    PublishToQueue,
    Report,
    SendAudio,
    SendFrame,
    SendText,
    Unlist,
)
from services.transcribe.deepgram_url import listen_url
from services.transcribe.inputs import (
    Attached,
    BusAnswered,
    DeepgramClosed,
    DeepgramInput,
    DeepgramMessage,
    DeepgramOpened,
    DeepgramRefused,
    DeepgramThrottled,
    Detached,
    Input,
    QueueAnswered,
)
from services.transcribe.instants import Instant
from services.transcribe.ports import Answer, BusEntry, QueueEntry, RequestLease, SessionStore
from services.transcribe.publication import without_text
from services.transcribe.session import Phase, Session
from telemetry.log import logger
from telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Outside:
    """What all sessions share."""

    store: SessionStore
    queue: Batches[QueueEntry]
    bus: Batches[BusEntry]
    lease: RequestLease
    door: Door
    metrics: Metrics
    deepgram_api: str
    deepgram_api_key: str


class LiveSession:
    """One session of this process; `run` is its life."""

    def __init__(self, header: SessionHeader, message_id: str, session: Session, outside: Outside) -> None:
        self.session_id = header.session_id
        self.contact_id = header.contact_id
        self.message_id = message_id
        self.handle: int | None = None
        self.link: Link | None = None
        self._session = session
        self._outside = outside
        self._url = listen_url(outside.deepgram_api, header.deepgram_parameters)
        self._inbox: deque[Input] = deque()
        self._turning = False
        self._over: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._deepgram: tuple[int, DeepgramConnection, asyncio.Task[None]] | None = None
        self._wanted: int | None = None
        """Connection for which the session is at Deepgram's door."""
        self._tasks: asyncio.TaskGroup
        self._finished = False
        self._log = logger(session_id=header.session_id, contact_id=header.contact_id)

    @property
    def open_again(self) -> bool:
        """Whether ingest may attach; else the session is being given up here."""
        return self._session.phase in (Phase.LIVE, Phase.CONCLUDING)

    @property
    def is_told(self) -> bool:
        """See the session's."""
        return self._session.is_told

    def confirm_intents(self, at: float) -> bool:
        """See the session's."""
        return self._session.confirm_intents(at)

    def put(self, happened: Input) -> None:
        """Something happened; it is dealt with at once, or after what is being dealt with."""
        self._inbox.append(happened)
        if self._over is not None and not self._turning:
            self._turn(self._over)

    def attach(self, link: Link, handle: int, receipt_handle: str) -> None:
        """Serves `link` from now on; whoever was served before is told to leave."""
        if self.link is not None and self.handle is not None and (self.link, self.handle) != (link, handle):
            self.link.send(ClosedSession(handle=self.handle, disposition="leave", reason="opened_again"))
        self.link, self.handle = link, handle
        self.put(Attached(handle, receipt_handle))

    def detach(self) -> None:
        """The link is dead."""
        self.link = self.handle = None
        self.put(Detached())

    async def run(self) -> None:
        """Lives until the session is over for this process."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            over = self._over = asyncio.get_running_loop().create_future()
            try:
                self._turn(over)
                await over
            finally:
                self._cut()
                if self._timer is not None:
                    self._timer.cancel()

    def _turn(self, over: asyncio.Future[None]) -> None:
        """Takes what is in the inbox, or does what is due; whatever goes wrong ends `run`, not the caller."""
        if over.done():
            return
        self._turning = True
        try:
            if not self._inbox:
                self._perform(self._session.tick(_now(), random()))  # noqa: S311 -- spreads retries
            while self._inbox:
                happened = self._inbox.popleft()
                self._perform(self._session.receive(happened, _now(), random()))  # noqa: S311
            self._set_timer(self._session.deadline)
        except Exception as error:
            if over.done():  # `run` was cancelled meanwhile
                raise
            over.set_exception(error)
        finally:
            self._turning = False
        if self._finished and not over.done():
            over.set_result(None)

    def _set_timer(self, deadline: float | None) -> None:
        """Wakes the session at `deadline` or before: a timer that is set is left when it is early enough."""
        if deadline is None or (self._timer is not None and self._timer_at <= deadline):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        delay_s = max(0.0, deadline - monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if self._over is not None:
            self._turn(self._over)

    def _perform(self, commands: Sequence[Command]) -> None:
        for command in commands:
            match command:
                case SendAudio() | SendText() | Connect() | Disconnect():
                    self._at_deepgram(command)
                case SendFrame():
                    if self.link is not None:
                        self.link.send(command.frame)
                case Append():
                    self._tasks.create_task(self._append(command.record))
                case PublishToQueue() | PublishToBus():
                    self._publish(command)
                case FreeRequest() | Unlist():
                    self._tasks.create_task(self._leave(command))
                case Count() | Observe() | Report():
                    self._tell(command)
                case Finish():
                    self._finished = True

    def _tell(self, command: Count | Observe | Report) -> None:
        match command:
            case Count():
                self._outside.metrics.count(command.metric, command.amount)
            case Observe():
                self._outside.metrics.observe(command.metric, command.value)
            case Report(level="warning"):
                self._log.warning(command.event, **command.keys)
            case Report():
                self._log.info(command.event, **command.keys)

    def _at_deepgram(self, command: SendAudio | SendText | Connect | Disconnect) -> None:
        match command:
            case SendAudio():
                self._to_deepgram(command.connection, command.pcm)
            case SendText():
                self._to_deepgram(command.connection, command.text)
            case Connect():
                self._cut()
                self._wanted = command.connection
                self._outside.door.ask(self)
            case Disconnect():
                self._cut()

    def admit(self) -> None:
        """It is the session's turn at Deepgram's door."""
        number = self._wanted
        if number is not None:
            connection = DeepgramConnection(number, self._url, self._outside.deepgram_api_key, self._hear)
            self._deepgram = (number, connection, self._tasks.create_task(connection.run()))

    def wait_in_line(self, ahead: int) -> None:
        """So many others come first at Deepgram's door."""
        if self._wanted is not None:
            self.put(DeepgramThrottled(self._wanted, ahead))

    def _hear(self, happened: DeepgramInput) -> None:
        if isinstance(happened, DeepgramMessage):
            self.put(happened)
            return
        door = self._outside.door
        match happened:
            case DeepgramRefused(status=HTTPStatus.TOO_MANY_REQUESTS):
                self._deepgram = None
                door.refused(self)
                return
            case DeepgramOpened() | DeepgramRefused():
                door.answered(self, admitted=isinstance(happened, DeepgramOpened))
            case DeepgramClosed():
                door.left(self)
            case _:
                pass
        self.put(happened)

    def _to_deepgram(self, number: int, frame: str | bytes) -> None:
        if self._deepgram is not None and self._deepgram[0] == number:
            self._deepgram[1].send(frame)

    def _cut(self) -> None:
        if self._deepgram is not None:
            self._deepgram[2].cancel()
        if self._wanted is not None:
            self._deepgram = self._wanted = None
            self._outside.door.left(self)

    async def _leave(self, command: FreeRequest | Unlist) -> None:
        match command:
            case FreeRequest():
                await self._outside.lease.free(command.receipt_handle)
            case Unlist():
                await self._outside.store.unlist(command.session_id, command.requested_at_ms)

    async def _append(self, record: LogRecord) -> None:
        self.put(await self._outside.store.append(record))

    def _publish(self, command: PublishToQueue | PublishToBus) -> None:
        """What can never be accepted is tried with less text, then counts as accepted: others wait behind."""
        match command:
            case PublishToQueue():
                self._to_queue(command.message)
            case PublishToBus():
                self._to_bus(command.event)

    def _to_queue(self, message: TranscriptMessage) -> None:
        def answered(answer: Answer) -> None:
            less = without_text(message) if answer.rejected else None
            if less is not None:
                self._to_queue(less)
            else:
                self._count_rejected(answer)
                self.put(QueueAnswered(answer.accepted or answer.rejected))

        entry = QueueEntry.of(message)
        self._outside.queue.submit(entry, entry.size, answered)

    def _to_bus(self, event: Event) -> None:
        def answered(answer: Answer) -> None:
            less = text_alone(event) if answer.rejected else None
            if less is not None:
                self._to_bus(less)
            else:
                self._count_rejected(answer)
                self.put(BusAnswered(answer.accepted or answer.rejected))

        entry = BusEntry.of(event)
        self._outside.bus.submit(entry, entry.size, answered)

    def _count_rejected(self, answer: Answer) -> None:
        if answer.rejected:
            self._outside.metrics.count(OUTPUT_DROPPED)


def _now() -> Instant:
    return Instant(monotonic(), int(time() * 1000))

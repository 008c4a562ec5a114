"""One session that this process serves: claimed in the log, heard by Deepgram, announced. Pure.

    live --all heard, failed--> concluding --announced--> over (request deleted)
    live --release, drain, link dead--> releasing --logged--> over (request put back)
    any --another writer in the log--> over (request left alone)

Drive it with `receive` for each input and `tick` at `deadline`; perform the commands in order.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from contracts import metrics
from contracts.audio import SAMPLE_RATE_HZ
from contracts.intents import ContactIntents
from contracts.link import (
    STREAM_QUIET,
    Accept,
    ClosedSession,
    Credit,
    EndHint,
    Notice,
    OpenedSession,
    Refused,
    Release,
    Rewind,
)
from contracts.session import AnnouncedRecord, Final, LogRecord, Outcome, SessionHeader
from services.transcribe.commands import (
    Append,
    Command,
    Count,
    Finish,
    FreeRequest,
    Observe,
    PublishToBus,
    PublishToQueue,
    Report,
    SendFrame,
    Unlist,
)
from services.transcribe.hearing import Ending, Hearing
from services.transcribe.inputs import (
    Appended,
    AppendFailed,
    Attached,
    BusAnswered,
    DeepgramClosed,
    DeepgramMessage,
    DeepgramOpened,
    DeepgramRefused,
    DeepgramThrottled,
    Detached,
    Draining,
    Found,
    Input,
    IntentsRead,
    LinkInput,
    QueueAnswered,
)
from services.transcribe.instants import Instant, earliest
from services.transcribe.journal import Journal, Write
from services.transcribe.publication import Publication
from services.transcribe.session_log import Refuse
from services.transcribe.throttle import Throttle

GRACE_S = 2.0
"""A dead link: for as long ingest may come back and find Deepgram's connection as it was."""
SILENT_LINK_S = 660.0
"""Without a frame of ingest though it may send: it forgot the session. Longer than it tries to read a broken
stream."""
MAX_CHUNK_SAMPLES = 2_048
"""Ingest's longest chunk: with less credit it cannot send."""
CREDIT_STEP_SAMPLES = SAMPLE_RATE_HZ // 2
ALIVE_S = 60.0
"""A live session appends at least so often, whatever happens: one that is silent for long has no owner."""
MAX_WAITING_RECORDS = 500
"""Records that the store or a way out has not taken; with more, no further audio is asked for."""

type Disposition = Literal["delete", "put_back", "leave"]


class Phase(StrEnum):
    """Of the session in this process."""

    LIVE = "live"
    CONCLUDING = "concluding"
    RELEASING = "releasing"
    OVER = "over"


class Session:
    """From its claim to its end in this process.

    Args:
        header: The session's.
        tail: Its newest records, ascending: at least from the last announced one on; the newest is our claim
            or, with `refuse`, of a session that is over.
        bus_interims: Whether interim results go to the bus.
        refuse: The session is over and is only to be announced; then ingest is told this.
    """

    def __init__(
        self,
        header: SessionHeader,
        tail: Sequence[LogRecord],
        *,
        bus_interims: bool = False,
        refuse: Refuse | None = None,
    ) -> None:
        state = tail[-1].state
        self.phase = Phase.CONCLUDING if refuse else Phase.LIVE
        self._refuse = refuse
        self._unlist = Unlist(header.session_id, header.requested_at_ms)
        self._journal = Journal(tail[-1])
        self._publication = Publication(header, state.announced, bus_interims=bus_interims)
        self._throttle = Throttle(self._publication.events)
        self._hearing = Hearing(header, state, self._journal)
        self._handle: int | None = None
        self._receipt_handle: str | None = None
        self._credit_told: int | None = None
        self._grace_until: float | None = None
        self._silent_from: float | None = None
        self._logged_at: float | None = None
        self._intents: ContactIntents | None = None
        self._draining = False
        self._marked = False
        for at, record in enumerate(tail):
            if at or record.n == 1:
                before = tail[at - 1].state if at else None
                self._publication.record(record, before, record.written_at_ms)

    @property
    def deadline(self) -> float | None:
        """When `tick` is due."""
        if self.phase is Phase.OVER:
            return None
        others = (self._forgotten_at, self._grace_until, self._journal.deadline, self._publication.deadline)
        if self.phase is not Phase.LIVE:
            return earliest(*others)
        alive = None if self._logged_at is None else self._logged_at + ALIVE_S
        return earliest(self._hearing.feed.deadline, alive, *others)

    @property
    def _forgotten_at(self) -> float | None:
        feed = self._hearing.feed
        may_speak = self._credit_told is not None and self._credit_told - feed.expected >= MAX_CHUNK_SAMPLES
        if self.phase is not Phase.LIVE or self._silent_from is None or not (feed.starving and may_speak):
            return None
        return self._silent_from + SILENT_LINK_S

    def receive(self, happened: Input, now: Instant, jitter: float) -> list[Command]:
        """Takes one input.

        Args:
            happened: What happened.
            now: When.
            jitter: Dice for a back-off, 0 <= jitter < 1.
        """
        if self.phase is Phase.OVER:
            return []
        live = self.phase is Phase.LIVE
        match happened:
            case Appended() | Found() | AppendFailed():
                commands = self._from_store(happened, now, jitter)
            case QueueAnswered() | BusAnswered():
                return self._from_ways(happened, now, jitter) + self._settle(now, heard=False)
            case DeepgramThrottled() | DeepgramOpened() | DeepgramRefused():
                commands = self._hearing.from_deepgram(happened, now, jitter) if live else []
                for event in self._throttle.told(happened, self._journal.state.epoch, now) if live else []:
                    self._publication.tell(event, now)
            case DeepgramMessage() | DeepgramClosed():
                commands = self._hearing.from_deepgram(happened, now, jitter) if live else []
            case IntentsRead():
                commands = self._ask(happened) if live else []
            case Draining():
                self._draining = True
                commands = self._release("drained") if live else []
            case _:
                self._silent_from = now.s
                commands = self._from_link(happened, now)
        return commands + self._settle(now)

    def tick(self, now: Instant, jitter: float) -> list[Command]:
        """Does what is due by now."""
        if self.phase is Phase.OVER:
            return []
        commands: list[Command] = []
        if self._grace_until is not None and now.s >= self._grace_until:
            self._grace_until = None
            commands += self._release("link_lost") if self.phase is Phase.LIVE else []
        if self._forgotten_at is not None and now.s >= self._forgotten_at:
            commands += self._release("link_silent")
        if self.phase is Phase.LIVE:
            commands += self._hearing.tick(now, jitter)
        return commands + self._settle(now)

    # Inputs

    def _from_link(self, happened: LinkInput, now: Instant) -> list[Command]:
        match happened:
            case Attached():
                return self._attach(happened)
            case Detached():
                self._handle = self._credit_told = None
                if self.phase is Phase.LIVE and self._hearing.feed.starving:
                    self._grace_until = now.s + GRACE_S
            case Notice():
                if happened.code == STREAM_QUIET:
                    self._hearing.feed.pause_of_stream()
                keys = {"reason": happened.code, "explanation": happened.explanation}
                return [Report("transcribe.notice", keys)]
            case Release():
                return self._release("released") if self.phase is Phase.LIVE else []
            case _:
                if self.phase is Phase.LIVE:
                    self._hearing.from_link(happened, now)
        return []

    def _attach(self, attached: Attached) -> list[Command]:
        self._handle, self._receipt_handle = attached.handle, attached.receipt_handle
        self._grace_until = self._credit_told = None
        if self._refuse is not None:
            return []
        hearing = self._hearing
        hearing.feed.reattached()
        opened = OpenedSession.model_validate(
            {
                "handle": attached.handle,
                "epoch": self._journal.state.epoch,
                "t0_ms": hearing.t0_ms,
                "position_samples": hearing.feed.expected,
                "segment_uids": hearing.gate[0],
                "contact_ids": hearing.gate[1],
            }
        )
        return [SendFrame(opened), *self._tell_intents(self._intents)]

    def _ask(self, read: IntentsRead) -> list[Command]:
        """What the contact flow and Connect ask for: part is ours to do, part is ingest's."""
        self._hearing.from_intents(read)
        before, self._intents = self._intents, read.intents
        return self._tell_intents(self._intents, before)

    def _tell_intents(
        self, intents: ContactIntents | None, before: ContactIntents | None = None
    ) -> list[Command]:
        """What ingest does not know yet; `before`: what it was told."""
        commands: list[Command] = []
        if self._handle is None or intents is None:
            return commands
        contact_ids = intents.accepted_contact_ids
        if contact_ids and (before is None or contact_ids != before.accepted_contact_ids):
            commands.append(SendFrame(Accept(handle=self._handle, contact_ids=contact_ids)))
        ended_at_ms = intents.ended_at_ms
        if ended_at_ms is not None and (before is None or ended_at_ms != before.ended_at_ms):
            hint = EndHint(handle=self._handle, disconnected_at_ms=ended_at_ms)
            commands.append(SendFrame(hint))
        return commands

    def _from_store(
        self, happened: Appended | Found | AppendFailed, now: Instant, jitter: float
    ) -> list[Command]:
        commands: list[Command] = []
        match happened:
            case Appended():
                self._logged_at = now.s
                logged = self._journal.appended()
                commands.append(Observe(metrics.LOG_APPEND, happened.elapsed_ms))
            case Found():
                logged = self._journal.found(happened.record)
            case AppendFailed():
                self._journal.unavailable(now, jitter)
                return [Report("transcribe.append_failed", {"reason": happened.reason}, "warning")]
        if logged is None:
            return self._fenced()
        self._publication.place(logged, now)
        if isinstance(logged.record, Final):
            commands.append(Count(metrics.FINALS_LOGGED))
        return commands

    def _from_ways(self, happened: QueueAnswered | BusAnswered, now: Instant, jitter: float) -> list[Command]:
        is_queue = isinstance(happened, QueueAnswered)
        way = self._publication.queue if is_queue else self._publication.bus
        if not happened.accepted:
            way.failed(now.s, jitter)
            return []
        lag_ms = now.epoch_ms - way.accepted().received_at_ms
        return [Observe(metrics.ANNOUNCE_LAG, lag_ms)] if is_queue else []

    # Ways to end

    def _release(self, cause: str) -> list[Command]:
        self.phase = Phase.RELEASING
        return [*self._hearing.release(), Report("transcribe.session_released", {"cause": cause})]

    def _conclude(self, ending: Ending) -> list[Command]:
        self.phase = Phase.CONCLUDING
        ending, commands = self._hearing.conclude(ending)
        failed = ending.outcome is Outcome.FAILED
        keys = {"outcome": ending.outcome.value, "reason": ending.reason, "explanation": ending.explanation}
        report = Report("transcribe.session_ended", keys, "warning" if failed else "info")
        return [*commands, report, Count(metrics.SESSIONS_FAILED if failed else metrics.SESSIONS_ENDED)]

    def _fenced(self) -> list[Command]:
        commands = self._hearing.feed.disconnect()
        commands += [Count(metrics.STALE_WRITER), Report("transcribe.session_lost", {}, "warning")]
        return [*commands, *self._over("leave", "taken_over")]

    def _over(self, disposition: Disposition, reason: str) -> list[Command]:
        self.phase = Phase.OVER
        commands: list[Command] = [self._unlist] if disposition == "delete" else []
        if self._handle is None:
            free = self._receipt_handle if disposition != "leave" else None
            return [*commands, FreeRequest(free), Finish()] if free else [*commands, Finish()]
        if self._refuse is None:
            closed = ClosedSession(handle=self._handle, disposition=disposition, reason=reason)
            return [*commands, SendFrame(closed), Finish()]
        refused = Refused(
            handle=self._handle,
            refusal=self._refuse.refusal,
            explanation=self._refuse.explanation,
            retry_after_s=self._refuse.retry_after_s,
        )
        return [*commands, SendFrame(refused), Finish()]

    # What follows from the state

    def _settle(self, now: Instant, *, heard: bool = True) -> list[Command]:
        """What is to be done now; `heard`: something happened to the audio."""
        if self.phase is Phase.OVER:
            return []
        commands: list[Command] = []
        if heard and self.phase is Phase.LIVE:
            commands += self._hearing.pump(now)
            self._show_life(now)
            if self._hearing.ending is not None:
                commands += self._conclude(self._hearing.ending)
        for placed in self._journal.settle():
            self._publication.place(placed, now)
        if self.phase is Phase.LIVE:
            commands += self._flow_control(now)
        elif over := self._finish_if_done():
            return [*commands, *over]
        if self._journal.due(now.s):
            record = self._journal.append(now, {"announced": self._publication.announced})
            commands += [Append(record)] if record is not None else []
        if (message := self._publication.queue.take(now.s)) is not None:
            commands.append(PublishToQueue(message))
        if (event := self._publication.bus.take(now.s)) is not None:
            commands.append(PublishToBus(event))
        return commands

    def _show_life(self, now: Instant) -> None:
        if self._logged_at is None:
            self._logged_at = now.s
        if now.s >= self._logged_at + ALIVE_S:
            self._logged_at = now.s
            if self._journal.idle:
                self._hearing.show_life()

    def _flow_control(self, now: Instant) -> list[Command]:
        if self._handle is None:
            return []
        commands: list[Command] = []
        feed = self._hearing.feed
        position = feed.take_rewind()
        if position is not None:
            commands.append(SendFrame(Rewind(handle=self._handle, position_samples=position)))
            self._credit_told = None
        if max(self._journal.waiting, self._publication.waiting) > MAX_WAITING_RECORDS:
            return commands
        until = feed.credit_until
        if self._credit_told is None or until - self._credit_told >= CREDIT_STEP_SAMPLES:
            self._credit_told, self._silent_from = until, now.s
            commands.append(SendFrame(Credit(handle=self._handle, until_samples=until)))
        return commands

    def _finish_if_done(self) -> list[Command]:
        if not self._journal.idle:
            return []
        if self.phase is Phase.RELEASING:
            return self._over("put_back", "released")
        if not self._publication.empty:
            return self._over("put_back", "drained") if self._draining else []
        if self._marked:
            return self._over("delete", "ended")
        self._marked = True
        self._journal.write(Write(AnnouncedRecord))
        return []

"""One session that this process serves: claimed in the log, heard by Deepgram, announced. Pure.

    live --all heard, failed--> concluding --announced--> over (request deleted)
    live --release, drain, link dead--> releasing --logged--> over (request put back)
    any --another writer in the log--> over (request left alone)

Drive it with `receive` for each input and `tick` at `deadline`; perform the commands in order.
"""

from collections.abc import Sequence
from enum import StrEnum

from contracts import metrics
from contracts.link import STREAM_QUIET, Notice, Release
from contracts.session import AnnouncedRecord, Final, LogRecord, Outcome, SessionHeader
from services.transcribe.commands import (
    Append,
    Command,
    Count,
    Finish,
    Observe,
    PublishToBus,
    PublishToQueue,
    Report,
    Unlist,
)
from services.transcribe.far_end import Disposition, FarEnd
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
    Refusal,
)
from services.transcribe.instants import Instant, earliest
from services.transcribe.journal import Journal, Write
from services.transcribe.publication import Publication
from services.transcribe.session_log import Refuse
from services.transcribe.throttle import Throttle

GRACE_S = 2.0
"""A dead link: for as long ingest may come back and find Deepgram's connection as it was."""
REFUSED_S = 300.0
"""A store that refuses every record for so long is not waited for any more: in less a policy takes effect."""
ALIVE_S = 60.0
"""A live session appends at least so often, whatever happens: one that is silent for long has no owner."""
MAX_WAITING_RECORDS = 500
"""Records that the store or a way out has not taken; with more, no further audio is asked for."""
MAX_WAITING_BYTES = 2_000_000
"""Of their texts; ten minutes in which both sides talk without a pause are about 1.6 MB."""


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
        self._far_end = FarEnd(refuse)
        self._unlist = Unlist(header.session_id, header.requested_at_ms)
        self._journal = Journal(tail[-1])
        self._publication = Publication(header, state.announced, bus_interims=bus_interims)
        self._throttle = Throttle(self._publication.events)
        self._hearing = Hearing(header, state, self._journal)
        self._grace_until: float | None = None
        self._logged_at: float | None = None
        self._draining = False
        self._marked = False
        for at, record in enumerate(tail):
            if at or record.n == 1:
                before = tail[at - 1].state if at else None
                self._publication.record(record, before, record.written_at_ms)

    @property
    def is_told(self) -> bool:
        """Whether the session is over, and everyone was told all of it."""
        return self.phase is Phase.OVER and self._marked

    @property
    def deadline(self) -> float | None:
        """When `tick` is due."""
        if self.phase is Phase.OVER:
            return None
        others = (self._forgotten_at, self._grace_until, self._journal.deadline, self._publication.deadline)
        if self.phase is not Phase.LIVE:
            return earliest(*others)
        alive = None if self._logged_at is None else self._logged_at + ALIVE_S
        return earliest(self._hearing.deadline, alive, *others)

    def confirm_intents(self, at: float) -> bool:
        """The contact's intents were at that moment (of the steady clock) as they were told last.

        Without being told so again and again no audio goes out. False: give the intents anew.
        """
        return self._hearing.confirm_intents(at)

    @property
    def _forgotten_at(self) -> float | None:
        return self._far_end.forgotten_at(self._hearing.feed) if self.phase is Phase.LIVE else None

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
                self._far_end.spoke(now.s)
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
                self._far_end.detach()
                if self.phase is Phase.LIVE and self._hearing.feed.starving:
                    self._grace_until = now.s + GRACE_S
            case Notice(from_samples=None):
                if happened.code == STREAM_QUIET:
                    self._hearing.feed.pause_of_stream()
                keys = {"reason": happened.code, "explanation": happened.explanation}
                publication = self._publication
                told = publication.events.noticed(happened.code, happened.explanation, now.epoch_ms)
                publication.tell(told, now)
                return [Report("transcribe.notice", keys)]
            case Release():
                return self._release("released") if self.phase is Phase.LIVE else []
            case _:
                if self.phase is Phase.LIVE:
                    self._hearing.from_link(happened, now)
        return []

    def _attach(self, attached: Attached) -> list[Command]:
        self._grace_until = None
        hearing = self._hearing
        return self._far_end.attach(
            attached, hearing.feed, self._journal.state.epoch, hearing.t0_ms, hearing.gate
        )

    def _ask(self, read: IntentsRead) -> list[Command]:
        """What the contact flow and Connect ask for: part is ours to do, part is ingest's."""
        self._hearing.from_intents(read)
        return self._far_end.ask(read.intents)

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
                report = Report("transcribe.append_failed", {"reason": happened.reason}, "warning")
                return [report, Count(metrics.APPENDS_FAILED), *self._refused(happened, now)]
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

    def _refused(self, failed: AppendFailed, now: Instant) -> list[Command]:
        """What the store never takes ends the session: in the log if it takes that, at last without it."""
        if failed.refusal is None:
            return []
        refused_s = self._journal.refused(now.s)
        explanation = f"the session store refuses to be written ({failed.reason}); see its policy and table"
        if failed.refusal is Refusal.RECORD and self.phase is Phase.LIVE:
            self._journal.give_up()
            return self._conclude(Ending(Outcome.FAILED, "log_refused", explanation))
        if refused_s < REFUSED_S:
            return []
        event = self._publication.events.unlogged_failure("log_refused", explanation, now.epoch_ms)
        return [
            *self._hearing.feed.disconnect(),
            Count(metrics.SESSIONS_FAILED),
            Report("transcribe.session_unlogged", {"reason": failed.reason}, "warning"),
            PublishToBus(event),
            *self._over("delete", "log_refused"),
        ]

    def _over(self, disposition: Disposition, reason: str) -> list[Command]:
        self.phase = Phase.OVER
        commands: list[Command] = [self._unlist] if disposition == "delete" else []
        return [*commands, *self._far_end.part(disposition, reason), Finish()]

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
        return commands + self._publish(now)

    def _publish(self, now: Instant) -> list[Command]:
        commands: list[Command] = []
        if (message := self._publication.queue.take(now.s)) is not None:
            commands.append(PublishToQueue(message))
        if (event := self._publication.take_event(now.s)) is not None:
            commands.append(PublishToBus(event))
        if dropped := self._journal.take_dropped() + self._publication.take_dropped():
            commands.append(Count(metrics.OUTPUT_DROPPED, dropped))
        return commands

    def _show_life(self, now: Instant) -> None:
        if self._logged_at is None:
            self._logged_at = now.s
        if now.s >= self._logged_at + ALIVE_S:
            self._logged_at = now.s
            if self._journal.idle:
                self._hearing.show_life()

    def _flow_control(self, now: Instant) -> list[Command]:
        journal, publication = self._journal, self._publication
        enough = (
            max(journal.waiting, publication.waiting) > MAX_WAITING_RECORDS
            or max(journal.waiting_bytes, publication.waiting_bytes) > MAX_WAITING_BYTES
        )
        return self._far_end.steer(self._hearing.feed, now.s, enough=enough)

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

"""Reading: one claim's way through the stream, from the position that `opened` names to the call's end.

Says when to open a body and at which time, what goes to the peer, and when the call is over. End of a body is
not end of a call: KVS ends bodies when the stream idles, and after about 45 minutes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from contracts.audio import SAMPLE_RATE_HZ, SAMPLES_PER_MS, samples_of_ms
from contracts.events import SessionRequested
from contracts.link import STREAM_QUIET, Abort, End, Gate, Notice, OpenedSession, Skip, Started
from contracts.metrics import MEDIA_REOPENED
from contracts.model import ContactId
from services.ingest.alarms import Alarms
from services.ingest.call_audio import CallAudio, Decoder, Heard, InBandError, Malformed, UnsupportedFormat
from services.ingest.commands import CloseMedia, Command, Count, Log, OpenMedia, Send
from services.ingest.contact_gate import Confirmed, ContactGate, OtherContact
from services.ingest.known_end import KnownEnd
from services.ingest.laid import Chunk, Misplaced, Skipped
from services.ingest.limits import Limits
from services.ingest.media_faults import (
    FATAL,
    IN_BAND,
    NO_AUDIO,
    QUIET_END_S,
    UNREADABLE,
    UNSUPPORTED_FORMAT,
    Fatal,
    Fault,
    delay_s,
)
from services.ingest.outbox import Outbox
from services.ingest.remarks import Remarks
from services.ingest.timeline import Timeline

REREAD_MS: Final = 1_000
"""A body is opened this much before the wanted position: blocks that reach over it, and late lanes."""
MALFORMED_STEP_MS: Final = 1_000
"""After the second scan error in a row at one position reading goes on this much later, each time."""


MAX_BEHIND_S: Final = 180
"""A clock that went back no more than this is waited for: the call goes on when it has caught up."""


class _Alarm(Enum):
    OPEN = auto()
    QUIET = auto()
    DRAIN = auto()
    GRACE = auto()


@dataclass(slots=True)
class _Streak:
    """Bodies in a row that brought nothing new."""

    attempts: int = 0
    malformed: int = 0
    failing_since: float | None = None


class Reading:
    """Begin with `start`; when `ended`, nothing but a rewind moves it."""

    def __init__(
        self,
        request: SessionRequested,
        opened: OpenedSession,
        limits: Limits,
        new_decoder: Callable[[], Decoder],
        jitter: float,
    ) -> None:
        self._handle = opened.handle
        self._media = request.media
        self._limits = limits
        self._jitter = jitter
        contacts = (request.contact_id, *opened.contact_ids)
        self._audio = CallAudio(
            ContactGate(contacts, opened.segment_uids),
            Timeline(
                limits.chunk_samples,
                start_ms=request.media.start_timestamp_ms,
                t0_ms=opened.t0_ms,
                position=opened.position_samples,
            ),
            new_decoder,
        )
        self._outbox = Outbox(paced=request.pace_realtime)
        self._alarms: Alarms[_Alarm] = Alarms()
        self._started = opened.t0_ms is not None
        self._remarks = Remarks(opened.handle, opened.position_samples)
        self._bodies = 0
        self._body_open = False
        self._body_progressed = False
        self._last_heard_at = float("-inf")
        self._streak = _Streak()
        self._quiet_twice = False
        self._caught_up_by = float("-inf")
        """Until then audio that is left out, since its clock went back, shows that the call goes on."""
        self._known_end: KnownEnd | None = None
        self.ended = False
        """`end` or `abort` was said."""

    @property
    def t0_ms(self) -> int | None:
        """Producer time of position 0."""
        return self._audio.timeline.t0_ms

    @property
    def wants_media(self) -> bool:
        """Whether the body may be read now; without credit it waits, and KVS buffers."""
        return self._body_open and not self._outbox

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called."""
        alarm, due = self._alarms.deadline, self._outbox.deadline
        return alarm if due is None else due if alarm is None else min(alarm, due)

    def start(self) -> list[Command]:
        """Opens the first body."""
        return self._open()

    def body_opened(self, now: float) -> list[Command]:
        """KVS answers; bytes follow."""
        self._audio.open_body()
        self._body_open, self._body_progressed = True, False
        self._last_heard_at = now
        self._bodies += 1
        commands: list[Command] = [Count(MEDIA_REOPENED)] if self._bodies > 1 else []
        return commands + self._out(now)

    def body(self, data: bytes, now: float) -> list[Command]:
        """The next bytes of the body."""
        if not self._body_open:
            return []
        self._last_heard_at = now
        said = self._audio.feed(data)
        if not said:
            return []
        commands: list[Command] = []
        for heard in said:
            commands += self._heard(heard, now)
            if not self._body_open:
                break
        return commands + self._out(now)

    def body_ended(self, now: float) -> list[Command]:
        """The body ended without a fault."""
        commands = self._close_body(now)
        idle = now - self._last_heard_at >= self._limits.drained_s
        end = self._known_end
        unreached = end is not None and end.is_reached(self._audio.timeline) is False
        if end is not None and idle and not (unreached and self._body_progressed):
            commands += self._end(end.reason, now)
        elif self._body_progressed:
            commands += self._open()
        else:
            self._alarms.set(_Alarm.OPEN, now + QUIET_END_S)
        return commands + self._out(now)

    def body_failed(self, fault: Fault, now: float) -> list[Command]:
        """There is no body, or no more of it."""
        return self._fault(fault, now) + self._out(now)

    def credit(self, until: int, now: float) -> list[Command]:
        """The peer takes audio up to the position `until`."""
        self._outbox.allow(until)
        return self._out(now)

    def rewind(self, position: int, now: float) -> list[Command]:
        """The peer wants the audio again from `position` on."""
        if self.t0_ms is None:  # nothing was sent yet
            return []
        self.ended = False
        self._alarms.clear_all()
        self._streak, self._quiet_twice = _Streak(), False
        commands = self._close_body(now)
        heard = self._audio.timeline.heard_channels
        self._audio.timeline = Timeline(
            self._limits.chunk_samples, t0_ms=self.t0_ms, position=position, heard=heard
        )
        self._outbox.clear()
        return commands + self._open() + self._out(now)

    def end_hint(self, disconnected_at_ms: int | None, now: float) -> list[Command]:
        """The call was disconnected; what the stream still holds is read."""
        if self.ended or self._known_end is not None:
            return []
        self._known_end = KnownEnd("disconnected", at_ms=disconnected_at_ms)
        if _Alarm.GRACE in self._alarms:
            return self._end("other_contact", now) + self._out(now)
        commands: list[Command] = []
        if _Alarm.OPEN in self._alarms:
            commands += self._open()
        self._note_end(now)
        return commands + self._out(now)

    def accept(self, contact_ids: Iterable[ContactId], now: float) -> list[Command]:
        """These contacts' audio belongs to the session, too."""
        self._audio.gate.accept(contact_ids)
        if _Alarm.GRACE not in self._alarms:
            return []
        self._alarms.clear(_Alarm.GRACE)
        return self._open() + self._out(now)

    def tick(self, now: float) -> list[Command]:
        """What became due."""
        commands: list[Command] = []
        for alarm in self._alarms.due(now):
            match alarm:
                case _Alarm.OPEN:
                    commands += self._open()
                case _Alarm.QUIET:
                    commands += self._quiet(now)
                case _Alarm.DRAIN:
                    commands += self._end(self._known_end.reason if self._known_end else "disconnected", now)
                case _Alarm.GRACE:
                    commands += self._end("other_contact", now)
            if self.ended:
                break
        return commands + self._out(now)

    # -- what the stream says

    def _heard(self, heard: Heard, now: float) -> list[Command]:
        match heard:
            case Chunk():
                return self._chunk(heard, now)
            case Confirmed():
                gate = self._audio.gate
                uids, contacts = gate.segment_uids, gate.contact_ids
                return [Send(Gate(handle=self._handle, segment_uids=uids, contact_ids=contacts))]
            case OtherContact(at_ms=at_ms):
                return self._other_contact(at_ms, now)
            case Skipped(position=position, end=end):
                self._begin()
                self._outbox.add(_skip(self._handle, position, end))
                return self._remarks.of(heard)
            case Misplaced(position=position, claimed=claimed):
                if 0 < position - claimed <= MAX_BEHIND_S * SAMPLE_RATE_HZ:
                    behind_s = (position - claimed) / SAMPLE_RATE_HZ
                    self._caught_up_by = now + behind_s + self._limits.quiet_s
                return self._remarks.of(heard)
            case InBandError(code=code):
                return self._remarks.of(heard) + self._fault(IN_BAND.get(code, Fault.BROKEN), now)
            case Malformed():
                return self._remarks.of(heard) + self._fault(Fault.MALFORMED, now)
            case UnsupportedFormat():
                return [*self._remarks.of(heard), *self._close_body(now), *self._abort(UNSUPPORTED_FORMAT)]
            case _:
                return self._remarks.of(heard)

    def _chunk(self, chunk: Chunk, now: float) -> list[Command]:
        self._begin()
        self._outbox.add(chunk)
        if not self._body_progressed:
            self._body_progressed = True
            self._streak = _Streak()
        self._quiet_twice = False
        self._alarms.set(_Alarm.QUIET, now + self._limits.quiet_s)
        self._note_end(now)
        return self._remarks.of_sides(chunk.end, self._audio.timeline.silent_channels)

    def _begin(self) -> None:
        if not self._started and self.t0_ms is not None:
            self._started = True
            self._outbox.add(Started(handle=self._handle, t0_ms=self.t0_ms))

    def _other_contact(self, at_ms: int, now: float) -> list[Command]:
        """Another contact's fragment ends the call if it comes after the call's audio."""
        timeline = self._audio.timeline
        if timeline.t0_ms is None or samples_of_ms(at_ms - timeline.t0_ms) < timeline.position:
            return []
        log = Log("ingest.other_contact", {"position_samples": timeline.position})
        commands = [log, *self._flush(now, over=False)]
        if self._known_end is not None:
            return commands + self._end("other_contact", now)
        commands += self._close_body(now)
        self._alarms.clear_all()
        self._alarms.set(_Alarm.GRACE, now + self._limits.transfer_grace_s)
        return commands

    # -- bodies

    def _open(self) -> list[Command]:
        self._alarms.clear(_Alarm.OPEN)
        timeline = self._audio.timeline
        if timeline.t0_ms is None:
            start_ms = self._media.start_timestamp_ms
        else:
            start_ms = timeline.t0_ms + timeline.position // SAMPLES_PER_MS - REREAD_MS
        start_ms += max(0, self._streak.malformed - 1) * MALFORMED_STEP_MS
        return [OpenMedia(max(0, start_ms))]

    def _close_body(self, now: float) -> list[Command]:
        self._body_open = False
        return [CloseMedia(), *(c for heard in self._audio.end_body() for c in self._heard(heard, now))]

    def _fault(self, fault: Fault, now: float) -> list[Command]:
        commands = self._close_body(now)
        self._alarms.clear(_Alarm.QUIET)
        streak = self._streak
        streak.attempts += 1
        streak.malformed += fault is Fault.MALFORMED
        if streak.failing_since is None:
            streak.failing_since = now
        fatal = FATAL.get(fault)
        if fatal is None and now - streak.failing_since > self._limits.reading_patience_s:
            fatal = UNREADABLE
        if fatal is not None:
            return commands + self._abort(fatal)
        self._note_end(now)
        wait_s = delay_s(fault, streak.attempts, self._jitter)
        self._alarms.set(_Alarm.OPEN, now + wait_s)
        keys = {"reason": fault.value, "attempt": streak.attempts, "delay_s": round(wait_s, 3)}
        commands.append(Log("ingest.media_fault", keys, "warning"))
        return commands

    # -- the end

    def _note_end(self, now: float) -> None:
        """Once the audio reaches the known end, a short quiet is enough."""
        if self._known_end is None:
            return
        reached = self._known_end.is_reached(self._audio.timeline)
        wait_s = self._limits.drained_s if reached else self._limits.drain_s
        self._alarms.set(_Alarm.DRAIN, now + wait_s)

    def _quiet(self, now: float) -> list[Command]:
        """First what was heard becomes final, then the call is over."""
        timeline = self._audio.timeline
        if (
            timeline.misplaced
            and now - self._last_heard_at < self._limits.quiet_s
            and now < self._caught_up_by
        ):
            self._alarms.set(_Alarm.QUIET, now + self._limits.quiet_s)
            return []
        if self._quiet_twice:
            return self._end("misplaced_audio" if timeline.misplaced else "idle", now)
        silent = timeline.ends_silent() and not timeline.misplaced
        commands: list[Command] = []
        if self._known_end is None and not silent and not timeline.misplaced:
            commands = self._flush(now, over=False)
            explanation = "the stream has nothing new, though the call did not end in silence"
            self._outbox.add(Notice(handle=self._handle, code=STREAM_QUIET, explanation=explanation))
        self._quiet_twice = True
        idle_s = self._limits.idle_silent_s if silent else self._limits.idle_s
        self._alarms.set(_Alarm.QUIET, now + max(0.0, idle_s - self._limits.quiet_s))
        return commands

    def _flush(self, now: float, *, over: bool) -> list[Command]:
        laid = self._audio.timeline.flush(over=over)
        return [command for item in laid for command in self._heard(item, now)]

    def _end(self, reason: str, now: float) -> list[Command]:
        commands = [*self._close_body(now), *self._flush(now, over=True)]
        if self.t0_ms is None and reason in ("idle", "misplaced_audio"):
            return commands + self._abort(NO_AUDIO)
        self._alarms.clear_all()
        self.ended = True
        position = self._audio.timeline.position
        self._known_end = KnownEnd(reason, position)
        self._outbox.add(End(handle=self._handle, position_samples=position, reason=reason))
        return commands

    def _abort(self, fatal: Fatal) -> list[Command]:
        self._alarms.clear_all()
        self.ended = True
        self._outbox.clear()
        frame = Abort(handle=self._handle, reason=fatal.reason, explanation=fatal.explanation)
        return [CloseMedia(), Log("ingest.aborted", {"reason": fatal.reason}, "error"), Send(frame)]

    def _out(self, now: float) -> list[Command]:
        """What may be sent now. The call is quiet only while nothing waits here, and KVS answers."""
        commands = self._outbox.take(now)
        if self._outbox or self.ended:
            self._alarms.clear(_Alarm.QUIET, _Alarm.DRAIN)
            return commands
        if self._body_open and _Alarm.QUIET not in self._alarms:
            self._alarms.set(_Alarm.QUIET, now + self._limits.quiet_s)
        if _Alarm.DRAIN not in self._alarms:
            self._note_end(now)
        return commands


def _skip(handle: int, position: int, end: int) -> Skip:
    return Skip(handle=handle, from_samples=position, to_samples=end, cause="audio_missing")

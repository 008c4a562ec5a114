"""Session: one request's life in this process, from the queue to its end; sans I/O.

    REQUESTED --assigned--> OPENING --opened--> READING --end/abort/release--> ENDING --closed--> ENDED
        ^                      |                   |                             |
        +------ refused -------+----------------- link lost ---------------------+

Whatever happens, it ends with one `Finish`, which says what becomes of the request.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from contracts.link import (
    Accept,
    ClosedSession,
    Credit,
    EndHint,
    FromTranscribe,
    Open,
    OpenedSession,
    Refusal,
    Refused,
    Release,
    Rewind,
)
from services.ingest.alarms import Alarms
from services.ingest.call_audio import Decoder
from services.ingest.commands import CloseMedia, Command, Disposition, FindPeer, Finish, LeavePeer, Log, Send
from services.ingest.lease import Request
from services.ingest.limits import Limits
from services.ingest.media_faults import Fault
from services.ingest.reading import Reading


class Phase(Enum):
    """Where a session stands; see the module's picture."""

    REQUESTED = auto()
    OPENING = auto()
    READING = auto()
    ENDING = auto()
    ENDED = auto()


class _Alarm(Enum):
    PEER = auto()
    """Look for one again."""
    PATIENCE = auto()
    """No peer took the session."""
    ANSWER = auto()
    """The peer does not answer."""
    CLOSED = auto()
    """The peer does not close."""


_DELETED: Final = frozenset({Refusal.ALREADY_SERVED, Refusal.ENDED, Refusal.FAILED})


class Session:
    """Call `start` first; after each call perform the commands, in order; call `tick` at `deadline`."""

    def __init__(
        self,
        request: Request,
        limits: Limits,
        new_decoder: Callable[[], Decoder],
        jitter: float,
    ) -> None:
        self._request = request
        self._limits = limits
        self._new_decoder = new_decoder
        self._jitter = jitter
        self._alarms: Alarms[_Alarm] = Alarms()
        self._handle: int | None = None
        self._reading: Reading | None = None
        self._end_hint: EndHint | None = None
        self.phase = Phase.REQUESTED

    @property
    def deadline(self) -> float | None:
        """When `tick` must be called."""
        own = self._alarms.deadline
        other = self._reading.deadline if self._reading is not None else None
        return own if other is None else other if own is None else min(own, other)

    @property
    def wants_media(self) -> bool:
        """Whether the body may be read now."""
        return self._reading is not None and self._reading.wants_media

    @property
    def t0_ms(self) -> int | None:
        """Producer time of position 0, epoch ms."""
        return self._reading.t0_ms if self._reading is not None else None

    def renew(self, request: Request) -> None:
        """The same message, received again: the next peer gets its newest receipt handle."""
        self._request = request

    @property
    def _released(self) -> bool:
        """Whether it was given up while a peer might have it."""
        return self.phase is Phase.ENDING and self._reading is None

    def start(self, now: float) -> list[Command]:
        """Looks for a peer."""
        return self._find(now)

    def assigned(self, handle: int, now: float) -> list[Command]:
        """A link was found; `handle` is unique on it."""
        self._handle = handle
        self.phase = Phase.OPENING
        self._alarms.clear(_Alarm.PEER)
        self._alarms.set(_Alarm.ANSWER, now + self._limits.answer_s)
        frame = Open(
            handle=handle,
            request=self._request.detail,
            message_id=self._request.message_id,
            receipt_handle=self._request.receipt_handle,
        )
        return [Send(frame)]

    def no_peer(self, now: float) -> list[Command]:
        """No link would take the session now."""
        if self.phase is not Phase.REQUESTED:
            return []
        self._alarms.set(_Alarm.PEER, now + self._limits.peer_retry_s)
        return []

    def link_lost(self, now: float, *, given_away: bool = False) -> list[Command]:
        """The link died; another one, or another peer, goes on where the log ends.

        `given_away`: transcribe made the request visible meanwhile. Whoever received it has the session now,
        and to open it again would take it from him; in all other cases nobody else would for up to a minute.
        """
        if self.phase is Phase.ENDED:
            return []
        commands: list[Command] = [CloseMedia(), Log("ingest.link_lost", {}, "warning")]
        if self._released:  # it is free already
            return commands + self._finish("put_back", "released")
        if given_away:
            return commands + self._finish("leave", "slept")
        return commands + self._find(now)

    def receive(self, frame: FromTranscribe, now: float) -> list[Command]:
        """A frame for the session's handle."""
        if self.phase is Phase.ENDED:
            return []
        match frame:
            case OpenedSession() if self.phase is Phase.OPENING:
                return self._opened(frame, now)
            case Refused() if self.phase is Phase.OPENING or self._released:
                return self._refused(frame, now)
            case ClosedSession():
                return self._finish(frame.disposition, frame.reason)
            case EndHint():
                self._end_hint = frame
            case _:
                pass
        return self._read(self._steer(frame, now), now)

    def media_opened(self, now: float) -> list[Command]:
        """The body that the last `OpenMedia` asked for begins."""
        return self._read(self._reading.body_opened(now) if self._reading is not None else [], now)

    def media(self, data: bytes, now: float) -> list[Command]:
        """Bytes of the body."""
        return self._read(self._reading.body(data, now) if self._reading is not None else [], now)

    def media_ended(self, now: float) -> list[Command]:
        """The body ended without a fault."""
        return self._read(self._reading.body_ended(now) if self._reading is not None else [], now)

    def media_failed(self, fault: Fault, now: float) -> list[Command]:
        """The body could not be had, or broke off."""
        return self._read(self._reading.body_failed(fault, now) if self._reading is not None else [], now)

    def release(self, now: float) -> list[Command]:
        """The process stops: another one goes on with the session."""
        if self.phase is Phase.ENDED:
            return []
        commands: list[Command] = [CloseMedia()]
        self._reading = None
        if self._handle is None or self.phase is Phase.REQUESTED:
            return commands + self._finish("put_back", "released")
        self.phase = Phase.ENDING
        self._alarms.clear_all()
        self._alarms.set(_Alarm.CLOSED, now + self._limits.release_s)
        return [*commands, Send(Release(handle=self._handle))]

    def tick(self, now: float) -> list[Command]:
        """What became due."""
        commands: list[Command] = []
        for alarm in self._alarms.due(now):
            match alarm:
                case _Alarm.PEER:
                    commands.append(FindPeer())
                case _Alarm.PATIENCE:
                    commands += self._give_up("no_peer")
                case _Alarm.ANSWER:
                    commands += self._give_up("no_answer")
                case _Alarm.CLOSED:
                    commands += self._finish("put_back", "not_closed")
            if self.phase is Phase.ENDED:
                return commands
        return commands + self._read(self._reading.tick(now) if self._reading is not None else [], now)

    def _find(self, now: float) -> list[Command]:
        self.phase = Phase.REQUESTED
        self._handle = None
        self._reading = None
        self._alarms.clear(_Alarm.ANSWER, _Alarm.CLOSED)
        if _Alarm.PATIENCE not in self._alarms:
            self._alarms.set(_Alarm.PATIENCE, now + self._limits.peer_patience_s)
        return [FindPeer()]

    def _opened(self, frame: OpenedSession, now: float) -> list[Command]:
        self.phase = Phase.READING
        self._alarms.clear_all()
        reading = Reading(self._request.detail, frame, self._limits, self._new_decoder, self._jitter)
        self._reading = reading
        keys = {"epoch": frame.epoch, "position_samples": frame.position_samples, "t0_ms": frame.t0_ms}
        commands = [Log("ingest.session_opened", keys), *reading.start()]
        if self._end_hint is not None:  # the call's end is a fact, whoever serves it
            commands += reading.end_hint(self._end_hint.disconnected_at_ms, now)
        return self._read(commands, now)

    def _refused(self, frame: Refused, now: float) -> list[Command]:
        log = Log("ingest.session_refused", {"refusal": frame.refusal.value}, "warning")
        if self._released and frame.refusal not in _DELETED:
            return [log, *self._finish("put_back", "released")]
        if frame.refusal in (Refusal.FULL, Refusal.DRAINING):
            return [log, LeavePeer(), *self._find(now)]
        if frame.refusal in _DELETED:
            return [log, *self._finish("delete", frame.refusal.value)]
        return [
            log,
            *self._finish("put_back", frame.refusal.value, frame.retry_after_s or self._limits.busy_s),
        ]

    def _steer(self, frame: FromTranscribe, now: float) -> list[Command]:
        reading = self._reading
        if reading is None:
            return []
        match frame:
            case Credit(until_samples=until):
                return reading.credit(until, now)
            case Rewind(position_samples=position):
                return reading.rewind(position, now)
            case EndHint(disconnected_at_ms=at_ms):
                return reading.end_hint(at_ms, now)
            case Accept(contact_ids=contact_ids):
                return reading.accept(contact_ids, now)
            case _:
                return []

    def _read(self, commands: list[Command], now: float) -> list[Command]:
        """Follows the reading's state: ended, or going on again after a rewind."""
        if self._reading is None:
            return commands
        if self._reading.ended and self.phase is Phase.READING:
            self.phase = Phase.ENDING
            self._alarms.set(_Alarm.CLOSED, now + self._limits.closed_s)
        elif not self._reading.ended and self.phase is Phase.ENDING:
            self.phase = Phase.READING
            self._alarms.clear(_Alarm.CLOSED)
        return commands

    def _give_up(self, reason: str) -> list[Command]:
        """Whoever claimed the session by our request is told that nothing will come."""
        release = [Send(Release(handle=self._handle))] if self._handle is not None else []
        return [*release, *self._finish("put_back", reason)]

    def _finish(self, disposition: Disposition, reason: str, delay_s: int = 0) -> list[Command]:
        self.phase = Phase.ENDED
        self._alarms.clear_all()
        self._reading = None
        keys = {"disposition": disposition, "reason": reason}
        finish = Finish(disposition, reason, delay_s)
        log = Log("ingest.session_closed", keys)
        return [CloseMedia(), LeavePeer(), log, finish]

"""Audio from ingest to Deepgram: kept until it is final, paced, and sent again after a loss. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.audio import SAMPLE_RATE_HZ
from contracts.link import AudioChunk
from services.transcribe.backlog import Backlog, Piece
from services.transcribe.commands import Command, Connect, Disconnect, SendAudio, SendText
from services.transcribe.deepgram_session import FINALIZE, DeepgramSession, State
from services.transcribe.instants import earliest
from services.transcribe.obedience import Silence, hushed
from services.transcribe.pacing import CATCH_UP, Pacing
from services.transcribe.segments import TOLERANCE_SAMPLES
from services.transcribe.time_map import TimeMap

KEPT_SAMPLES = 15 * SAMPLE_RATE_HZ
"""Audio that was sent and is kept for a replay; what is older comes from ingest again."""
WINDOW_SAMPLES = 5 * SAMPLE_RATE_HZ
"""Credit beyond what was sent."""
MAX_UNSENT_SAMPLES = KEPT_SAMPLES + WINDOW_SAMPLES
"""More than credit ever allows; what comes beyond is refused and asked for later."""
CHUNK_SAMPLES = SAMPLE_RATE_HZ // 10
"""Deepgram: 20-250 ms; 100 ms costs a third less than 64 ms."""
MAX_CHUNK_SAMPLES = SAMPLE_RATE_HZ // 4
HOLD_S = 0.1
"""A shorter chunk than `CHUNK_SAMPLES` is sent when the last one is this old."""
END_TOLERANCE_SAMPLES = SAMPLE_RATE_HZ // 4
"""Less than that, at the end, counts as heard once nothing more is tried."""
MAX_FLUSHES = 3
"""That were answered, and brought nothing new."""
HELD_END_S = 120.0
"""That much time is left for the call's end, whatever time audio had to be held."""
END_LIMIT_S = 600.0
"""From the call's end until what is missing is given up."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A range without audio."""

    start: int
    end: int
    cause: str


class AudioFeed:
    """One session's audio from `position` on; holes before `holes_until` are told already.

    `deepgram` says how the connection is; `times` is the present connection's map.
    """

    def __init__(self, position: int, *, holes_until: int = 0, pace_realtime: bool = False) -> None:
        self.deepgram = DeepgramSession()
        self.times = TimeMap()
        self._rate = 1.0 if pace_realtime else CATCH_UP
        self._pacing = Pacing(0.0, rate=self._rate)
        self._backlog = Backlog(position)
        self._cursor = position
        self._sent_until = position
        self._sent = 0
        self._chunk_at = float("-inf")
        self._next_chunk_at: float | None = None
        self._holes: deque[Hole] = deque()
        self._holes_until = max(position, holes_until)
        self._rewind: int | None = None
        self._rewinding = False
        self._overrun = False
        self._end: int | None = None
        self._reach = position
        """The furthest position that was ever spoken of: what a rewind forgets is still to be heard."""
        self._end_by: float | None = None
        self._flushes = 0
        self._flushed_to = position
        self._stream_quiet = False
        self._finalized = 0
        self.silences: Sequence[Silence] = ()
        """Audio that reaches Deepgram as silence, however often it is sent."""
        self.remapped = False
        """The connection's map began or went on; for its reader to reset."""
        self.flushed = False
        """Deepgram said that it heard all to the end."""

    @property
    def expected(self) -> int:
        """Position of the sample that ingest is to send next."""
        return self._backlog.end

    @property
    def sent_until(self) -> int:
        """Position after the newest sample that was sent, on whatever connection."""
        return self._sent_until

    @property
    def credit_until(self) -> int:
        """Audio up to here may come."""
        return self._cursor + WINDOW_SAMPLES

    @property
    def reach(self) -> int:
        """Where the audio ends, as far as was ever known."""
        return max(self._reach, self._backlog.end if self._end is None else self._end)

    @property
    def starving(self) -> bool:
        """Whether audio is missing that only ingest has."""
        return self._end is None or self._backlog.end < self._end

    @property
    def deadline(self) -> float | None:
        """When `pump` has something to do without any input."""
        return earliest(self.deepgram.deadline, self._next_chunk_at, self._end_by)

    @property
    def held_deadline(self) -> float | None:
        """The same for `hold`."""
        return None if self.deepgram.state is State.WAITING else self.deepgram.deadline

    def hold(self, now: float) -> list[Command]:
        """In place of `pump` while no audio may go out: the connection is kept, and nothing is given up."""
        self._next_chunk_at = None
        if self._end_by is not None:
            self._end_by = max(self._end_by, now + HELD_END_S)
        text = self.deepgram.tick(now) if self.deepgram.state is State.OPEN else None
        return [SendText(self.deepgram.connection, text)] if text is not None else []

    def audio(self, chunk: AudioChunk) -> None:
        """Takes audio from the link; what does not follow is ignored, and asked for."""
        piece = Piece(chunk.position_samples, chunk.pcm)
        end = piece.end
        if end <= self._backlog.end:
            return
        if piece.position > self._backlog.end:
            self._ask_again(self._backlog.end)
        elif end - self._cursor > MAX_UNSENT_SAMPLES:
            self._overrun, self._rewinding = True, False
        else:
            self._overrun = self._rewinding = self._stream_quiet = False
            self._backlog.push(piece)

    def skip(self, hole: Hole) -> None:
        """There is no audio in `hole`, and never will be."""
        if hole.start > self._backlog.end:
            self._ask_again(self._backlog.end)
            return
        if hole.end <= self._backlog.end:
            return
        self.note(Hole(max(hole.start, self._backlog.end), hole.end, hole.cause))
        self._overrun = self._rewinding = False
        self._backlog.skip(hole.end)

    def note(self, hole: Hole) -> None:
        """What comes for `hole` is silence in place of audio that is lost; what is known of it is not new."""
        start = max(hole.start, self._holes_until)
        if hole.end > start:
            self._holes.append(Hole(start, hole.end, hole.cause))
            self._holes_until = hole.end

    def pause_of_stream(self) -> None:
        """The stream has had nothing new for long: what was heard so far is to be final.

        Should the call go on after all, a word that was cut there stays cut; the audio was, too.
        """
        self._stream_quiet = True

    def finish(self, position: int, now: float) -> None:
        """The audio ends at `position`."""
        self._end_by = self._end_by or now + END_LIMIT_S
        self._reach = max(self._reach, position)
        if (self._rewinding or self._overrun) and position > self._backlog.end:
            return  # said before ingest knew that it is to go back; it will say so again
        self._end = max(position, self._backlog.end)
        if self._backlog.end < self._end:
            self._ask_again(self._backlog.end)

    def reattached(self) -> None:
        """The peer begins at `expected`; what was asked of the old link is void."""
        self._rewind, self._rewinding, self._overrun = None, False, False

    def take_rewind(self) -> int | None:
        """The position that ingest is to go back to, once."""
        if self._overrun and self._backlog.end - self._cursor < WINDOW_SAMPLES // 2:
            self._overrun = False
            self._ask_again(self._backlog.end)
        position, self._rewind = self._rewind, None
        return position

    def take_holes(self, covered: Sequence[int], *, rest: bool = False) -> list[Hole]:
        """The holes up to which all is final (or, at the end, all), oldest first, each once."""
        due: list[Hole] = []
        while self._holes and (rest or self._holes[0].start <= min(covered) + TOLERANCE_SAMPLES):
            due.append(self._holes.popleft())
        return due

    def pump(self, now: float, covered: Sequence[int]) -> list[Command]:
        """What is to be sent now; `covered`: per channel, the end of what is final."""
        self._backlog.trim(max(min(covered), min(self._backlog.end - KEPT_SAMPLES, self._cursor)))
        self._next_chunk_at = None
        match self.deepgram.state:
            case State.IDLE | State.WAITING:
                wanted = (self._has_unsent or self._all_here) and not self.complete(now, covered)
                if not wanted:
                    self.deepgram.rest(now)
                    return []
                number = self.deepgram.connect(now)
                return [] if number is None else [Connect(number)]
            case State.OPEN:
                return self._send(now, covered)
            case _:
                return []

    def opened(self, now: float) -> None:
        """The connection is there; the audio goes out from the cursor on."""
        self.deepgram.opened(now)
        self.times = TimeMap()
        self._pacing = Pacing(now, rate=self._rate)
        self._sent = self._finalized = 0
        self._chunk_at = float("-inf")

    def lost(self, covered: Sequence[int]) -> None:
        """The connection is gone: what is not final goes out again, from the backlog or from ingest."""
        position = min(covered)
        if position < self._backlog.start:
            self._reach = self.reach
            self._backlog.reset(position)
            self._rewinding = self._overrun = False
            self._ask_again(position)
        self._cursor = position

    def unflushed(self, covered: Sequence[int]) -> None:
        """The connection ended after CloseStream without having said that all was heard."""
        if min(covered) > self._flushed_to:
            self._flushed_to, self._flushes = min(covered), 0
        self._flushes += 1
        self.lost(covered)

    def complete(self, now: float, covered: Sequence[int]) -> bool:
        """Whether the audio is over and nothing more will be heard of it."""
        if self.flushed or self._given_up(now):
            return True
        if self._end is None:
            return False
        quiet = self.deepgram.state in (State.IDLE, State.WAITING)
        return quiet and min(covered) >= self._end - TOLERANCE_SAMPLES

    def missing(self, covered: Sequence[int], cause: str) -> Hole | None:
        """At the end: what was never heard, `cause` being why."""
        heard = min(covered)
        if self.flushed:
            heard = max(heard, self.reach if self._end is None else self._end)
        if heard >= self.reach - END_TOLERANCE_SAMPLES:
            return None
        return Hole(heard, self.reach, cause)

    def disconnect(self) -> list[Command]:
        """Drops the connection, if there is one."""
        connected = self.deepgram.state not in (State.IDLE, State.WAITING)
        self.deepgram.abandon()
        return [Disconnect(self.deepgram.connection)] if connected else []

    @property
    def _has_unsent(self) -> bool:
        return self._cursor < self._backlog.end

    @property
    def _all_here(self) -> bool:
        return self._end is not None and self._backlog.end >= self._end

    def _given_up(self, now: float) -> bool:
        return self._flushes >= MAX_FLUSHES or (self._end_by is not None and now >= self._end_by)

    def _send(self, now: float, covered: Sequence[int]) -> list[Command]:
        commands: list[Command] = []
        while self._has_unsent:
            wanted = min(self._backlog.end - self._cursor, CHUNK_SAMPLES)
            at = self._pacing.ready_at(wanted)
            if wanted < CHUNK_SAMPLES and not self._all_here:
                at = max(at, self._chunk_at + HOLD_S)
            if at > now:
                self._next_chunk_at = at
                return commands
            limit = max(wanted, min(MAX_CHUNK_SAMPLES, self._pacing.allowance(now)))
            piece = self._backlog.read(self._cursor, limit, covered)
            if piece is None:
                self._cursor = self._backlog.end
                break
            samples = piece.samples
            self.remapped |= self.times.mark(self._sent, piece.position)
            self._sent += samples
            self.times.until = self._sent
            self._cursor = piece.position + samples
            self._sent_until = max(self._sent_until, self._cursor)
            self._chunk_at = now
            self._pacing.spend(samples, now)
            self.deepgram.sent(samples, now)
            pcm = hushed(piece.pcm, piece.position, self.silences)
            commands.append(SendAudio(self.deepgram.connection, pcm))
        if self._all_here:
            commands.append(SendText(self.deepgram.connection, self.deepgram.finish(now)))
        elif self._stream_quiet and not self._has_unsent and self._finalized != self._sent:
            self._finalized = self._sent
            commands.append(SendText(self.deepgram.connection, FINALIZE))
        elif (text := self.deepgram.tick(now)) is not None:
            commands.append(SendText(self.deepgram.connection, text))
        return commands

    def _ask_again(self, position: int) -> None:
        """Wants the audio from `position` on, once there is room; ingest then says anew where it ends."""
        self._end = None
        if not self._rewinding and not self._overrun:
            self._rewind = position
            self._rewinding = True

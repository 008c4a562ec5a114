"""What is heard of a session: audio to Deepgram, its messages to the journal, until the audio is over. Pure.

Joins the audio feed, the segments and what of both the log must know.
"""

from dataclasses import dataclass

from contracts import metrics
from contracts.audio import SAMPLE_RATE_HZ
from contracts.link import Abort, AudioChunk, End, Gate, Notice, Skip, Started
from contracts.session import (
    Ended,
    Final,
    Gap,
    Outcome,
    Paused,
    Progress,
    Resumed,
    SessionHeader,
    SessionState,
)
from services.transcribe.audio_feed import AudioFeed, Hole
from services.transcribe.commands import Command, Count, Disconnect, Observe, Report
from services.transcribe.deepgram_session import Failure, Flushed, Lost
from services.transcribe.inputs import (
    DeepgramClosed,
    DeepgramInput,
    DeepgramMessage,
    DeepgramOpened,
    DeepgramRefused,
    DeepgramThrottled,
    IntentsRead,
)
from services.transcribe.instants import Instant
from services.transcribe.journal import Journal, Say, Writable, Write
from services.transcribe.obedience import Obedience
from services.transcribe.segments import Closing, Dropped, Remark, Segment, Segments
from services.transcribe.size import bounded, fits
from services.transcribe.time_map import is_new_connection

PROGRESS_SAMPLES = 5 * SAMPLE_RATE_HZ
"""What a successor hears again at most, of audio in which neither side has words."""
INCOMPLETE = "deepgram_incomplete"
MAX_EXPLANATION = 1_000
MAX_OFFSETS = 50
"""Marks of the present connection that the log keeps."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the session ends."""

    outcome: Outcome
    reason: str
    explanation: str


class Hearing:
    """From the claim, of which `state` is the log's, to `ending`.

    Args:
        header: The session's.
        state: Its state as of the claim.
        journal: Takes what is to be logged and said.
    """

    def __init__(self, header: SessionHeader, state: SessionState, journal: Journal) -> None:
        self._journal = journal
        self._segments = Segments(header.session_id, state.covered_samples)
        self._obedience = Obedience(state, header.requested_at_ms)
        self.feed = AudioFeed(
            min(state.covered_samples),
            holes_until=state.gaps_until_samples,
            pace_realtime=header.pace_realtime,
        )
        self.t0_ms = state.t0_ms
        self.gate = (state.segment_uids, state.contact_ids)
        self._held = True
        self._started = state.t0_ms is not None
        self._written = state.covered_samples
        self._floor = 0
        self._offsets = state.offsets
        self._wanted_ending: Ending | None = None
        self._metadata: str | None = None
        self.ending: Ending | None = None
        """Set once nothing more will be heard; then call `conclude`."""

    def from_link(
        self, happened: AudioChunk | Started | Gate | Skip | Notice | End | Abort, now: Instant
    ) -> None:
        """Takes what ingest says of the audio."""
        match happened:
            case AudioChunk():
                self.feed.audio(happened)
            case Started():
                self.t0_ms = happened.t0_ms if self.t0_ms is None else self.t0_ms
                self._obey()
            case Gate():
                self._confirm((happened.segment_uids, happened.contact_ids))
            case Skip():
                self.feed.skip(Hole(happened.from_samples, happened.to_samples, happened.cause))
            case Notice(from_samples=int(first), to_samples=int(last)):
                self.feed.note(Hole(first, last, happened.code))
            case Notice():
                pass
            case End():
                self._end(happened.position_samples, Ending(Outcome.COMPLETED, happened.reason, ""), now)
            case Abort():
                ending = Ending(Outcome.FAILED, happened.reason, happened.explanation)
                self._end(self.feed.expected, ending, now)

    @property
    def deadline(self) -> float | None:
        """When `tick` or `pump` has something to do without any input."""
        return self.feed.held_deadline if self._held else self.feed.deadline

    def confirm_intents(self, at: float) -> bool:
        """The intents were the same at that moment; False: tell them anew."""
        return self._obedience.confirm(at)

    def from_intents(self, happened: IntentsRead) -> None:
        """Takes what is asked of the contact; before the first time, nothing is sent."""
        self._obedience.read(happened.intents, happened.read_at)
        self._obey()

    def from_deepgram(self, happened: DeepgramInput, now: Instant, jitter: float) -> list[Command]:
        """Takes what the present connection says; an older one's words are nobody's business."""
        deepgram = self.feed.deepgram
        if happened.connection != deepgram.connection:
            return []
        match happened:
            case DeepgramOpened():
                self._segments.replay()
                self.feed.opened(now.s)
                return [Count(metrics.DEEPGRAM_RECONNECTS)] if happened.connection > 1 else []
            case DeepgramMessage():
                deepgram.heard(now.s)
                return self._hear(happened.text, now)
            case DeepgramThrottled():
                deepgram.throttled(now.s)
                return [Report("transcribe.deepgram_throttled", {"count": happened.ahead}, "warning")]
            case DeepgramRefused():
                keys = {"status": happened.status, "reason": happened.reason}
                report: list[Command] = [Report("transcribe.deepgram_refused", keys, "warning")]
                verdict = deepgram.refused(happened.status, happened.reason, now.s, jitter)
            case DeepgramClosed():
                keys = {"close_code": happened.code, "reason": happened.reason}
                report = [Report("transcribe.deepgram_closed", keys)]
                verdict = deepgram.closed(happened.code, happened.reason, now.s, jitter)
        self._connection_over(verdict)
        return report

    def tick(self, now: Instant, jitter: float) -> list[Command]:
        """Drops a connection that does not answer, or for which there is no place."""
        if (failure := self.feed.deepgram.given_up(now.s)) is not None:
            self._connection_over(failure)
            return [Disconnect(self.feed.deepgram.connection)]
        if not self.feed.deepgram.stalled(now.s):
            return []
        connection = self.feed.deepgram.connection
        gone = DeepgramClosed(connection, 1006, "no answer in time")
        return [Disconnect(connection), *self.from_deepgram(gone, now, jitter)]

    def pump(self, now: Instant) -> list[Command]:
        """Sends what may be sent, and logs what must be known."""
        if self.ending is not None:
            return []
        held, self._held = self._held, not self._obedience.fresh(now.s)
        if self._held:  # a pause may hold
            told: list[Command] = [] if held else [Report("transcribe.audio_held", {}, "warning")]
            return told + self.feed.hold(now.s)
        if self.t0_ms is None and self.feed.expected > 0:
            return []  # audio came before `started`: it waits for it
        stop_at = self._obedience.stop_at
        if stop_at is not None and self._wanted_ending is None and self.feed.expected >= stop_at:
            self._end(stop_at, Ending(Outcome.COMPLETED, "stopped", ""), now)
        covered = self._segments.covered
        commands = self.feed.pump(now.s, covered)
        if self.feed.remapped:
            self.feed.remapped = False
            commands += self._note_map(now)
        for hole in self.feed.take_holes(covered):
            self._log_gap(hole)
        if min(covered) - min(self._written) >= PROGRESS_SAMPLES:
            self._write(Progress)
        if self._wanted_ending and self.feed.complete(now.s, covered):
            self.ending = self._wanted_ending
        return commands

    def show_life(self) -> None:
        """Logs that the session is served, though nothing is new."""
        self._write(Progress)

    def release(self) -> list[Command]:
        """Gives the session up: the log says so, and Deepgram is left without a flush."""
        self._write(Progress, change={"writer": None})
        return self.feed.disconnect()

    def conclude(self, ending: Ending) -> tuple[Ending, list[Command]]:
        """Logs the end; returns how it was in truth, and what to do."""
        covered = self._segments.covered
        complete = ending.outcome is Outcome.COMPLETED
        missing = self.feed.missing(covered, INCOMPLETE if complete else ending.reason)
        if missing is not None and complete:
            explanation = "Deepgram did not finish the end of the call; the gap says what is missing"
            ending = Ending(Outcome.FAILED, INCOMPLETE, explanation)
        for hole in [*self.feed.take_holes(covered, rest=True), *([missing] if missing else [])]:
            self._log_gap(hole)
        end = self.feed.reach
        if complete:
            self._segments.pass_over(end)
        self._write(
            Ended,
            {
                "outcome": ending.outcome,
                "reason": ending.reason,
                "explanation": ending.explanation[:MAX_EXPLANATION],
                "end_samples": end,
                "metadata_message": fits(self._metadata),
            },
        )
        return ending, self.feed.disconnect()

    def _obey(self) -> None:
        """From here on nothing is sent that the intents forbid, and the log says so."""
        obeyed = self._obedience.place(self.t0_ms, self.feed.sent_until)
        self.feed.silences = self._obedience.silences
        for at in obeyed.paused_at:
            self._write(Paused, {"at_samples": at}, obeyed.change)
        for at in obeyed.resumed_at:
            self._write(Resumed, {"at_samples": at}, obeyed.change)
        if obeyed.change and not (obeyed.paused_at or obeyed.resumed_at):
            self._write(Progress, change=obeyed.change)

    def _connection_over(self, verdict: Failure | Lost | Flushed) -> None:
        covered = self._segments.covered
        match verdict:
            case Failure():
                self.ending = Ending(Outcome.FAILED, verdict.reason, verdict.explanation)
            case Flushed(complete=True):
                self.feed.flushed = True
            case Flushed():
                self.feed.unflushed(covered)
            case Lost():
                self.feed.lost(covered)

    def _hear(self, message: str, now: Instant) -> list[Command]:
        covered = self._segments.covered
        heard = self._segments.receive(message, self.feed.times)
        if self._segments.covered != covered:
            self.feed.deepgram.transcribed()
        match heard:
            case Segment(is_final=True):
                logged = self._written  # without the final: should it not be logged, it is heard again
                for hole in self.feed.take_holes(self._segments.covered):
                    self._log_gap(hole, {"covered_samples": logged})
                self._log_final(heard, now)
            case Segment():
                self._journal.say(Say("interim", heard.message, now.epoch_ms, heard))
            case Remark():
                self._journal.say(Say(heard.kind, heard.message, now.epoch_ms))
            case Closing():
                if self.feed.deepgram.metadata(now.s):
                    self._metadata = heard.message
            case Dropped(reason="covered"):
                pass
            case Dropped():
                return [Report("transcribe.message_dropped", {"reason": heard.reason}, "warning")]
        return []

    def _confirm(self, gate: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
        if gate != self.gate:
            self.gate = gate
            self._write(Progress, change={"segment_uids": gate[0], "contact_ids": gate[1]})

    def _end(self, position: int, ending: Ending, now: Instant) -> None:
        self._wanted_ending = self._wanted_ending or ending
        self.feed.finish(position, now.s)

    def _note_map(self, now: Instant) -> list[Command]:
        """The connection's map began or went on; the session's first audio starts it."""
        offsets = self.feed.times.marks[-MAX_OFFSETS:]
        if not self._started:
            self._started, self._offsets = True, offsets
            self._write(Progress, change={"t0_ms": self.t0_ms, "offsets": offsets})
            lag_ms = now.epoch_ms - (self.t0_ms or 0)
            return [Observe(metrics.FIRST_AUDIO_SENT, lag_ms), Report("transcribe.first_audio_sent")]
        if offsets != self._offsets:
            moved = is_new_connection(self._offsets, offsets)
            self._offsets = offsets
            if moved:
                self._write(Progress, change={"offsets": offsets})
            else:
                self._journal.carry({"offsets": offsets})
        return []

    def _log_final(self, segment: Segment, now: Instant) -> None:
        kept = bounded(segment.message, segment.transcript)
        self._write(
            Final,
            {
                "segment_id": segment.segment_id,
                "channel": segment.channel,
                "start_samples": segment.start,
                "end_samples": segment.end,
                "transcript": kept.transcript,
                "message": kept.message,
                "trimmed": kept.trimmed,
            },
            received_at_ms=now.epoch_ms,
        )

    def _log_gap(self, hole: Hole, change: dict[str, object] | None = None) -> None:
        self._floor = max(self._floor, hole.end)
        fields: dict[str, object] = {
            "from_samples": hole.start,
            "to_samples": hole.end,
            "cause": hole.cause,
        }
        self._write(Gap, fields, {"gaps_until_samples": hole.end, **(change or {})})

    def _write(
        self,
        kind: Writable,
        fields: dict[str, object] | None = None,
        change: dict[str, object] | None = None,
        received_at_ms: int | None = None,
    ) -> None:
        """A record that carries, with its own change, what is covered now."""
        covered = self._segments.covered
        self._written = (max(covered[0], self._floor), max(covered[1], self._floor))
        full = {"covered_samples": self._written, **(change or {})}
        self._journal.write(Write(kind, fields or {}, full, received_at_ms))

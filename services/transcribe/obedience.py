"""What a contact's intents mean for one session: where its audio is silence, and where it ends. Pure.

Intents speak of media time; until the session's t0 is known they have no position. What is to be silent is
silent in everything that is sent from then on, replays and re-reads included.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from contracts.audio import CHANNELS, STEREO_SAMPLE_BYTES, samples_of_ms
from contracts.intents import ContactIntents, PauseIntent
from contracts.session import Pause, SessionState

FRESH_S = 5.0
"""Audio is held while the intents could not be read for so long: another process may have taken the session
over meanwhile, and have confirmed a pause."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Audio of [start, end) is not for Deepgram; `end` None: nor is any after `start`."""

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Obeyed:
    """What is to be logged: pauses that began and ended, and the state that says so."""

    paused_at: tuple[int, ...] = ()
    resumed_at: tuple[int, ...] = ()
    change: dict[str, object] = field(default_factory=dict[str, object])
    """Of `SessionState`; empty: nothing is new."""


class Obedience:
    """One session's.

    Args:
        state: The session's, as of the claim.
        requested_at_ms: When the session was requested: a stop asked for before is for an older one.
    """

    def __init__(self, state: SessionState, requested_at_ms: int) -> None:
        self._requested_at_ms = requested_at_ms
        self._pauses = list(state.pauses)
        self._revision = state.intents_revision
        self._asked: ContactIntents | None = None
        self._read_at: float | None = None
        self.silences: tuple[Silence, ...] = ()
        self.stop_at: int | None = None
        """Position at which the flow stopped the session."""

    def read(self, intents: ContactIntents | None, at: float) -> None:
        """The intents as they were in the store at that moment; None: there were none. Then call `place`."""
        self._read_at = at
        self._asked = intents

    def confirm(self, at: float) -> bool:
        """What `read` was told last still held at that moment. False: tell it anew, audio waits for it."""
        if not self.fresh(at):
            return False
        self._read_at = at
        return True

    def fresh(self, now: float) -> bool:
        """Whether it is known well enough what may be sent; else not a byte may be."""
        return self._read_at is not None and now < self._read_at + FRESH_S

    def place(self, t0_ms: int | None, sent_until: int) -> Obeyed:
        """Gives the intents their positions, once there are any; what is new is to be logged.

        Args:
            t0_ms: Producer time of position 0.
            sent_until: Position after the newest sample that was sent: a pause begins there at the earliest.
        """
        asked = self._asked
        if asked is None:
            return Obeyed()
        began: list[int] = []
        ended: list[int] = []
        if t0_ms is not None:
            self.silences = (*(_silence(pause, t0_ms) for pause in asked.pauses), *self._stopped(t0_ms))
            for number, silence in enumerate(self.silences[: len(asked.pauses)]):
                self._follow(number, silence, sent_until, began, ended)
        if not (began or ended) and asked.revision == self._revision:
            return Obeyed()
        self._revision = asked.revision
        return Obeyed(
            tuple(began),
            tuple(ended),
            {"pauses": tuple(self._pauses), "intents_revision": asked.revision},
        )

    def _follow(
        self, number: int, silence: Silence, sent_until: int, began: list[int], ended: list[int]
    ) -> None:
        """Pause `number` of the intents is pause `number` of the state."""
        if number == len(self._pauses):
            start = max(silence.start, sent_until)
            if silence.end is not None and silence.end <= start:  # over before it could begin
                self._pauses.append(Pause(from_samples=start, to_samples=start))
                return
            self._pauses.append(Pause(from_samples=start, to_samples=None))
            began.append(start)
        pause = self._pauses[number]
        if silence.end is not None and pause.to_samples is None:
            end = max(silence.end, pause.from_samples)
            self._pauses[number] = Pause(from_samples=pause.from_samples, to_samples=end)
            ended.append(end)

    def _stopped(self, t0_ms: int) -> Iterable[Silence]:
        stopped_at_ms = self._asked.stopped_at_ms if self._asked else None
        if stopped_at_ms is None or stopped_at_ms < self._requested_at_ms:
            return ()
        self.stop_at = _position(stopped_at_ms, t0_ms)
        return (Silence(self.stop_at, None),)


def hushed(pcm: bytes, position: int, silences: Sequence[Silence]) -> bytes:
    """`pcm` (interleaved stereo s16le from `position` on), zero on both channels within `silences`."""
    end = position + len(pcm) // STEREO_SAMPLE_BYTES
    buffer: bytearray | None = None
    for silence in silences:
        first = max(silence.start, position)
        last = end if silence.end is None else min(silence.end, end)
        if first < last:
            buffer = bytearray(pcm) if buffer is None else buffer
            offset, length = first - position, last - first
            buffer[offset * STEREO_SAMPLE_BYTES : (offset + length) * STEREO_SAMPLE_BYTES] = bytes(
                length * CHANNELS * 2
            )
    return pcm if buffer is None else bytes(buffer)


def _silence(pause: PauseIntent, t0_ms: int) -> Silence:
    end = None if pause.to_ms is None else _position(pause.to_ms, t0_ms)
    return Silence(_position(pause.from_ms, t0_ms), end)


def _position(at_ms: int, t0_ms: int) -> int:
    return max(0, samples_of_ms(at_ms - t0_ms))

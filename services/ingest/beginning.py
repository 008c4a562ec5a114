"""Beginning: the blocks before position 0 of a call is known."""

from operator import itemgetter
from typing import Final

from contracts.audio import SAMPLES_PER_MS, Channel, samples_of_ms
from services.ingest.far_audio import MAX_SKIPPED_SAMPLES, FarAudio

MAX_LAG_SAMPLES: Final = samples_of_ms(256)
"""A lane that is this far behind the other is taken as silent."""
MAX_FIRST_BYTES: Final = 256 * 1024
"""Held until the call begins; a quarter second has 4 KiB."""
NEAR_SAMPLES: Final = samples_of_ms(30_000)
"""From Connect's own start of the stream. What begins further off must be borne out by more than a fragment:
a call that is read late begins where KVS still has it, but one wrong time must not shift a whole call."""

type Timed = tuple[Channel, bytes, int]
"""Lane, PCM, producer time in ms."""


class Beginning:
    """Until `is_ready`; `start_ms`: producer time at which Connect says that the stream began, if known."""

    def __init__(self, start_ms: int | None) -> None:
        self._start_ms = start_ms
        self._first: list[Timed] = []
        self._far = FarAudio()

    def add(self, channel: Channel, pcm: bytes, at_ms: int) -> int | None:
        """One more block; gives the place (samples from the start) of audio whose time proved wrong."""
        start = 0 if self._start_ms is None else samples_of_ms(at_ms - self._start_ms)
        if at_ms < 0 or abs(start) > MAX_SKIPPED_SAMPLES:
            return start
        wrong = self._far.position
        refuted = abs(start) <= NEAR_SAMPLES or not self._far.fits(start)
        refuted = refuted and bool(self._far.take())
        if abs(start) > NEAR_SAMPLES:
            self._far.hold(channel, start, pcm)
        else:
            self._first.append((channel, pcm, at_ms))
        return wrong if refuted else None

    @property
    def is_ready(self) -> bool:
        """Whether both lanes are there, or one is late."""
        if self._far.believed or not self._first:
            return self._far.believed
        times = [at_ms for _, _, at_ms in self._first]
        late = samples_of_ms(max(times) - min(times)) >= MAX_LAG_SAMPLES
        held_bytes = sum(len(pcm) for _, pcm, _ in self._first)
        return late or held_bytes > MAX_FIRST_BYTES or len({channel for channel, _, _ in self._first}) > 1

    def take(self, *, over: bool) -> list[Timed]:
        """The blocks that the call begins with; `over`: what is in doubt is believed, for want of more."""
        first, self._first = self._first, []
        believed = self._far.believed
        if first or believed or over:
            from_ms = -1 if believed else min((at_ms for _, _, at_ms in first), default=-1)
            start_ms = self._start_ms or 0
            far = [(lane, pcm, start_ms + start // SAMPLES_PER_MS) for lane, start, pcm in self._far.take()]
            first += [timed for timed in far if timed[2] >= from_ms]
            if far:
                first.sort(key=itemgetter(2))
        return first

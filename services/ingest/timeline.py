"""Timeline: two lanes of timed blocks in, one interleaved stereo stream out.

Position p is the instant `t0 + p / 8` ms, and each block stands where its own time puts it: holes become
silence (told as gaps where both lanes have them for over a second), and where blocks overlap the earlier one
stays. Nothing is measured from block to block, so that the output from a position on is the same wherever
reading began (but for blocks begun before that).
"""

from collections.abc import Collection
from typing import Final

from contracts.audio import MONO_SAMPLE_BYTES, Channel, samples_of_ms
from services.ingest.beginning import MAX_LAG_SAMPLES, Beginning
from services.ingest.far_audio import MAX_SKIPPED_SAMPLES, FarAudio
from services.ingest.gaps import Gaps
from services.ingest.laid import Chunk, Hole, Laid, Misplaced, Skipped

COUNTED_HOLE_SAMPLES: Final = samples_of_ms(20)
"""Holes up to this are jitter of the timecodes."""
MAX_FILLED_SAMPLES: Final = samples_of_ms(30_000)
"""What is missing beyond this is skipped: the position moves over it."""
LATE_SAMPLES: Final = samples_of_ms(2_000)
"""Within one body, audio that comes so much behind its lane is told: the producer's clock went back."""
_SIGNS: Final = b"\x00\xff"
"""Upper bytes of samples from -256 to 255: line noise, -42 dB of full scale."""
_TAIL_CHUNKS: Final = 3


class _Lane:
    __slots__ = ("begun", "channel", "heard", "missing_from", "pcm")

    def __init__(self, channel: Channel, *, begun: bool, heard: bool) -> None:
        self.channel = channel
        self.pcm = bytearray()
        """From the timeline's position on."""
        self.missing_from: int | None = None
        """Where silence took the place of audio that had not come."""
        self.begun = begun
        """Whether what is missing now was there before, or may have been."""
        self.heard = heard


class Timeline:
    """The output is cut at whole multiples of `chunk_samples`; call `flush` at the end of the call.

    `start_ms`: producer time at which Connect says that the stream began, to judge the first block's by.
    `heard`: the lanes of which an earlier timeline of the same claim had audio.
    """

    def __init__(
        self,
        chunk_samples: int,
        *,
        start_ms: int | None = None,
        t0_ms: int | None = None,
        position: int = 0,
        heard: Collection[Channel] = (),
    ) -> None:
        self._chunk_samples = chunk_samples
        self._t0_ms = t0_ms
        self._position = position
        begun = t0_ms is not None
        self._lanes = tuple(_Lane(channel, begun=begun, heard=channel in heard) for channel in Channel)
        """By channel."""
        self._customer, self._agent = self._lanes
        self._beginning = Beginning(start_ms)
        self._silent_chunks = 0
        """In a row, up to now."""
        self._gaps = Gaps()
        self._far = FarAudio()
        self._far_from: int | None = None
        """Where the audio ended when the far began to come; None while there is none."""
        self._caught_up = False
        """Whether the present body has brought something new."""
        self._misplaced = False

    @property
    def misplaced(self) -> bool:
        """Whether the newest audio was left out for its time."""
        return self._misplaced

    @property
    def t0_ms(self) -> int | None:
        """Producer time of position 0, epoch ms; None until both lanes have begun, or one is late."""
        return self._t0_ms

    @property
    def position(self) -> int:
        """Everything before it was given out."""
        return self._position

    @property
    def reached(self) -> int:
        """End of the audio that came, of the lane that came further."""
        return self._position + max(len(self._customer.pcm), len(self._agent.pcm)) // MONO_SAMPLE_BYTES

    @property
    def silent_channels(self) -> tuple[Channel, ...]:
        """Lanes that had no block since reading began."""
        return tuple(lane.channel for lane in self._lanes if not lane.heard)

    @property
    def heard_channels(self) -> tuple[Channel, ...]:
        """The other lanes."""
        return tuple(lane.channel for lane in self._lanes if lane.heard)

    def ends_silent(self) -> bool:
        """Whether both lanes were silent in the last chunks and since."""
        pending = (lane.pcm[1::MONO_SAMPLE_BYTES] for lane in self._lanes)
        return self._silent_chunks >= _TAIL_CHUNKS and not any(upper.lstrip(_SIGNS) for upper in pending)

    def push(self, channel: Channel, pcm: bytes, at_ms: int) -> list[Laid]:
        """Lays one block down; gives what is complete now. `pcm`: s16le, 8 kHz, mono, whole samples."""
        if not pcm:
            return []
        laid: list[Laid] = []
        if self._t0_ms is None:
            wrong = self._beginning.add(channel, pcm, at_ms)
            if wrong is not None:
                self._misplace("clock_jumped", wrong, laid)
            return laid + self._begin() if self._beginning.is_ready else laid
        self._place(channel, samples_of_ms(at_ms - self._t0_ms), pcm, laid)
        self._give(laid)
        return laid

    def new_body(self) -> None:
        """What follows was read anew, and may begin with what is here already."""
        self._caught_up = False

    def flush(self, *, over: bool = True) -> list[Laid]:
        """Gives out everything; a lane that ends before the other is silent from there on.

        `over`: what is held because its time is in doubt, too, since nothing will bear it out or refute it.
        """
        laid = self._begin(over=over) if self._t0_ms is None else []
        if over:
            self._believe(laid)
        self._give_all(laid)
        return laid

    def _begin(self, *, over: bool = False) -> list[Laid]:
        blocks = self._beginning.take(over=over)
        if not blocks:
            return []
        self._t0_ms = min(at_ms for _, _, at_ms in blocks)
        self._misplaced = False
        return [laid for channel, pcm, at_ms in blocks for laid in self.push(channel, pcm, at_ms)]

    def _place(self, channel: Channel, start: int, pcm: bytes, laid: list[Laid]) -> None:
        """Lays a block down, unless its time is in doubt."""
        lane = self._lanes[channel]
        end = self._position + len(lane.pcm) // MONO_SAMPLE_BYTES
        if start > end + MAX_FILLED_SAMPLES and start > self.reached + MAX_FILLED_SAMPLES:
            self._hold(channel, start, pcm, laid)
        elif start + len(pcm) // MONO_SAMPLE_BYTES > end:
            self._lay(lane, pcm, start, laid)
            self._caught_up, self._misplaced = True, False
            if self._far_from is not None and self.reached > self._far_from + MAX_LAG_SAMPLES:
                self._refute(laid)
                self._misplaced = False
        elif self._caught_up and start < end - LATE_SAMPLES:
            self._misplace("clock_went_back", start, laid)

    def _hold(self, channel: Channel, start: int, pcm: bytes, laid: list[Laid]) -> None:
        if start > self.reached + MAX_SKIPPED_SAMPLES:
            self._misplace("clock_jumped", start, laid)
            return
        if not self._far.fits(start):
            self._refute(laid)
        if self._far_from is None:
            self._far_from = self.reached
        self._far.hold(channel, start, pcm)
        if self._far.believed:
            self._believe(laid)

    def _believe(self, laid: list[Laid]) -> None:
        blocks = self._far.take()
        self._far_from = None
        if blocks:
            self._caught_up, self._misplaced = True, False
        for channel, start, pcm in blocks:
            self._lay(self._lanes[channel], pcm, start, laid)

    def _refute(self, laid: list[Laid]) -> None:
        self._misplace("clock_jumped", self._far.position, laid)
        self._far.take()
        self._far_from = None

    def _misplace(self, cause: str, claimed: int, laid: list[Laid]) -> None:
        if not self._misplaced:
            laid.append(Misplaced(cause, self._position, claimed))
        self._misplaced = True

    def _lay(self, lane: _Lane, pcm: bytes, start: int, laid: list[Laid]) -> None:
        end = self._position + len(lane.pcm) // MONO_SAMPLE_BYTES
        if start < end:
            pcm = pcm[(end - start) * MONO_SAMPLE_BYTES :]
            start = end
        if not pcm:
            return
        self._gaps.audio(start, start + len(pcm) // MONO_SAMPLE_BYTES, laid)
        if start > end or lane.missing_from is not None:
            self._fill(lane, end, start, laid)
        lane.pcm += pcm
        lane.begun = lane.heard = True

    def _fill(self, lane: _Lane, end: int, start: int, laid: list[Laid]) -> None:
        """Silence from `end` to `start`, or a skip over what both lanes miss."""
        missing_from = end if lane.missing_from is None else lane.missing_from
        lane.missing_from = None
        both_from = self.reached
        if start - both_from > MAX_FILLED_SAMPLES:
            end = self._skip(start, laid)
            missing_from = max(missing_from, end)
        self._gaps.begin(both_from, start, laid)
        for first, last in self._gaps.apart(missing_from, start) if lane.begun else ():
            if last - first > COUNTED_HOLE_SAMPLES:
                laid.append(Hole(lane.channel, first, last))
        lane.pcm += bytes((start - end) * MONO_SAMPLE_BYTES)

    def _skip(self, start: int, laid: list[Laid]) -> int:
        """Moves the position over what is missing, but for the room that the other lane's blocks may need."""
        self._give_all(laid)
        target = (start - MAX_LAG_SAMPLES) // self._chunk_samples * self._chunk_samples
        laid.append(Skipped(self._position, target))
        self._position = target
        for lane in self._lanes:
            lane.missing_from = None
        return target

    def _give(self, laid: list[Laid]) -> None:
        """Chunks that both lanes have, or that one has and the other is too late for."""
        customer, agent = self._customer.pcm, self._agent.pcm
        held_from: int | None = None
        if (gap := self._gaps.open) is not None:
            gap_start, gap_end = gap
            both_until = self._position + min(len(customer), len(agent)) // MONO_SAMPLE_BYTES
            if both_until < gap_end and self.reached < gap_end + MAX_LAG_SAMPLES:
                held_from = gap_start - MAX_LAG_SAMPLES
            else:
                self._gaps.close(laid)
        while True:
            samples = self._chunk_samples - self._position % self._chunk_samples
            if held_from is not None and self._position + samples > held_from:
                return
            wanted = samples * MONO_SAMPLE_BYTES
            if len(customer) < wanted or len(agent) < wanted:
                if max(len(customer), len(agent)) < wanted + MAX_LAG_SAMPLES * MONO_SAMPLE_BYTES:
                    return
                self._pad(wanted)
            laid.append(self._take(samples))

    def _give_all(self, laid: list[Laid]) -> None:
        self._gaps.close(laid)
        self._pad(max(len(self._customer.pcm), len(self._agent.pcm)))
        while self._customer.pcm:
            samples = self._chunk_samples - self._position % self._chunk_samples
            laid.append(self._take(min(samples, len(self._customer.pcm) // MONO_SAMPLE_BYTES)))

    def _pad(self, wanted: int) -> None:
        for lane in self._lanes:
            lacking = wanted - len(lane.pcm)
            if lacking > 0:
                if lane.missing_from is None:
                    lane.missing_from = self._position + len(lane.pcm) // MONO_SAMPLE_BYTES
                lane.pcm += bytes(lacking)

    def _take(self, samples: int) -> Chunk:
        """The next `samples` of both lanes as stereo, taken from them.

        Measured: slices of bytes cost half of what `array`, `memoryview.cast` and numpy do at this length.
        """
        size = samples * MONO_SAMPLE_BYTES
        customer, agent = self._customer.pcm[:size], self._agent.pcm[:size]
        upper_customer, upper_agent = customer[1::2], agent[1::2]
        out = bytearray(2 * size)
        out[0::4], out[1::4] = customer[0::2], upper_customer
        out[2::4], out[3::4] = agent[0::2], upper_agent
        del self._customer.pcm[:size], self._agent.pcm[:size]
        silent = not (upper_customer.lstrip(_SIGNS) or upper_agent.lstrip(_SIGNS))
        self._silent_chunks = self._silent_chunks + 1 if silent else 0
        chunk = Chunk(self._position, bytes(out))
        self._position += samples
        return chunk

"""Words modulated into PCM so that they can be read back exactly, wherever and however the audio arrives.

A word is a run of *cells* of 10 ms (80 samples at 8 kHz). Each cell is 80 bytes, one byte per sample: a mark,
the word's identity (call, channel, ordinal, vocabulary index, its first sample's position in the call), the
cell's index and count, a tone, and a CRC-32 over all of them. A byte `b` is the sample `64 b - 8160`, so no
sample of a word is zero and silence is exactly zero: any sample that was altered, lost, doubled, moved or
silenced is noticed, and any 10 ms of a word tell which word it was. Pure: samples in, words out.
"""

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from emulators.deepgram.vocabulary import VOCABULARY

type Samples = npt.NDArray[np.int16]

SAMPLE_RATE = 8000
CELL_SAMPLES = 80  # 10 ms at 8 kHz
MAX_CELLS = 255  # the count is one byte; a word of 600 ms has 60
MARK = b"\xd3\x0e\xf1\x2c"

_HEAD = struct.Struct(">4sIBHBIBB")  # mark, call, channel, ordinal, vocabulary, start, index, count
_CHECK = struct.Struct(">I")
_TONE_BYTES = CELL_SAMPLES - _HEAD.size - _CHECK.size
_STEP, _OFFSET = 64, 8160  # sample = 64 * byte - 8160: odd multiples of 32, within ±8160
_SILENT, _CODED = 0, 1  # kinds of samples; 2 is anything else


class Identity(NamedTuple):
    """What every cell of a word says about it. `start_samples` counts from the call's first sample."""

    call: int
    channel: int
    ordinal: int
    vocabulary: int
    start_samples: int

    @property
    def text(self) -> str:
        """The word as a transcript shows it: unique among all calls, lower case, without punctuation."""
        side = "lr"[self.channel] if self.channel < 2 else str(self.channel)
        return f"{VOCABULARY[self.vocabulary % len(VOCABULARY)]}-{side}{self.ordinal:04d}-{self.call:x}"


type Condition = Literal["whole", "cut", "altered", "noise"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One word found in the audio. `start` and `end` are samples of the audio fed, the end exclusive.

    `cut` is a word whose head or tail is missing, `altered` one with samples that were never encoded,
    `noise` audio that belongs to no word at all (then `identity` is None).
    """

    start: int
    end: int
    identity: Identity | None
    condition: Condition

    @property
    def text(self) -> str:
        """The transcript's token; anything but a whole word carries `~` and its condition."""
        name = self.identity.text if self.identity else ""
        return name if self.condition == "whole" else f"{name}~{self.condition}"


def encode_word(identity: Identity, cells: int) -> Samples:
    """Modulate one word of `cells` times 10 ms (1 to 255); int16 samples, none of them zero."""
    pitch_hz = 180.0 + 6.0 * identity.vocabulary
    samples = np.arange(cells)[:, None] * CELL_SAMPLES + np.arange(_TONE_BYTES)
    tones = (128 + np.rint(96 * np.sin(2 * math.pi * pitch_hz / SAMPLE_RATE * samples))).astype(np.uint8)
    coded = bytearray()
    for index in range(cells):
        head = _HEAD.pack(MARK, *identity[:4], identity.start_samples, index, cells)
        body = head + tones[index].tobytes()
        coded += body + _CHECK.pack(zlib.crc32(body))
    return (np.frombuffer(bytes(coded), np.uint8).astype(np.int16) * _STEP - _OFFSET).astype(np.int16)


@dataclass(frozen=True, slots=True)
class _Cell:
    identity: Identity
    index: int
    count: int


def _read_cell(coded: bytes, kinds: bytes, at: int) -> _Cell | None:
    if coded[at : at + 4] != MARK or kinds.count(_CODED, at, at + CELL_SAMPLES) < CELL_SAMPLES:
        return None
    body = coded[at : at + CELL_SAMPLES]
    if _CHECK.unpack_from(body, CELL_SAMPLES - _CHECK.size)[0] != zlib.crc32(body[: -_CHECK.size]):
        return None
    _, call, channel, ordinal, vocabulary, start, index, count = _HEAD.unpack_from(body)
    return _Cell(Identity(call, channel, ordinal, vocabulary, start), index, count)


@dataclass(slots=True)
class _Burst:
    """Audio between two silences that is, or may be, of one word."""

    start: int
    end: int
    identity: Identity | None = None
    count: int = 0
    first: int = 0  # index of the first cell seen
    cells: int = 0
    head_noise: int = 0  # samples before the first cell
    tail_noise: int = 0  # samples after the last one
    broken: bool = False

    def extend(self, end: int) -> None:
        """Take samples that are no cell."""
        self.tail_noise += end - self.end
        self.end = end

    def takes(self, cell: _Cell) -> bool:
        """Whether a cell that follows directly may be of the same word."""
        if self.identity is None:
            # A head that was cut is shorter than the cells it lacks; else the noise is a thing of its own.
            return 0 < self.tail_noise < cell.index * CELL_SAMPLES + CELL_SAMPLES and cell.index > 0
        return self.identity == cell.identity and not self.complete

    def take(self, cell: _Cell, end: int) -> None:
        """Add one cell ending at `end`."""
        if self.identity is None:
            self.identity, self.count, self.first = cell.identity, cell.count, cell.index
            self.head_noise, self.tail_noise = self.tail_noise, 0
        elif self.tail_noise or cell.index != self.first + self.cells:
            self.broken, self.tail_noise = True, 0
        self.cells += 1
        self.end = end

    @property
    def complete(self) -> bool:
        """Whether the word's last cell has been seen."""
        return self.identity is not None and self.first + self.cells >= self.count

    def heard(self) -> Heard:
        return Heard(self.start, self.end, self.identity, self._condition())

    def _condition(self) -> Condition:
        if self.identity is None:
            return "noise"
        whole = self.first == 0 and self.cells == self.count
        if whole and not (self.broken or self.head_noise or self.tail_noise):
            return "whole"
        fits = self.head_noise < CELL_SAMPLES and self.tail_noise < CELL_SAMPLES
        short = not (self.head_noise and self.first == 0) and not (self.tail_noise and self.complete)
        return "cut" if fits and short and not self.broken else "altered"


class WordDecoder:
    """Finds words in one channel's samples, fed in pieces of any size; the pieces make no difference."""

    def __init__(self) -> None:
        self._position = 0  # samples decided so far
        self._coded = b""
        self._kinds = b""
        self._burst: _Burst | None = None

    @property
    def speaking_since(self) -> int | None:
        """The first sample of a word that has not ended yet, or None in silence."""
        if self._burst is not None:
            return self._burst.start
        return self._position if self._kinds else None

    @property
    def partial(self) -> Heard | None:
        """The word that is being heard, as far as it is known."""
        if self._burst is None or self._burst.identity is None:
            return None
        return Heard(self._burst.start, self._burst.end, self._burst.identity, "cut")

    def feed(self, samples: Samples) -> list[Heard]:
        """Take the next samples; return the words that ended in what is known by now."""
        if not self._kinds and self._burst is None and not samples.any():
            self._position += len(samples)  # silence costs nothing
            return []
        wide = samples.astype(np.int32) + _OFFSET
        coded = (wide >> 6).astype(np.uint8)
        legal = (wide & (_STEP - 1) == 0) & (wide >= 0) & (wide < 256 * _STEP)
        kinds = np.where(samples == 0, np.uint8(_SILENT), np.where(legal, np.uint8(_CODED), np.uint8(2)))
        self._coded += coded.tobytes()
        self._kinds += kinds.tobytes()
        return list(self._decide(final=False))

    def flush(self) -> list[Heard]:
        """End what is being heard here and now: a word in progress comes out cut, as does its rest later."""
        found = list(self._decide(final=True))
        if self._burst is not None:
            found.append(self._end_burst(self._burst))
        return found

    def _decide(self, *, final: bool) -> Iterator[Heard]:
        """Walk over what is decided whatever follows: a cell, silence, or a sample of no cell."""
        coded, kinds, at = self._coded, self._kinds, 0
        while at < len(kinds):
            if kinds[at] == _SILENT:
                if self._burst is not None:
                    yield self._end_burst(self._burst)
                at = len(kinds) - len(kinds[at:].lstrip(b"\0"))
                continue
            if not final and self._undecided(at):
                break
            cell = _read_cell(coded, kinds, at)
            start, at = at, (at + CELL_SAMPLES) if cell else self._end_of_noise(at)
            if cell is None:
                self._noise(self._position + start, self._position + at)
            else:
                yield from self._cell(cell, self._position + start)
        self._position += at
        self._coded, self._kinds = coded[at:], kinds[at:]

    def _undecided(self, at: int) -> bool:
        """Whether a cell may begin here whose end has not arrived."""
        there = len(self._kinds) - at
        if there >= CELL_SAMPLES or self._kinds.find(_SILENT, at) >= 0:
            return False
        return self._coded[at : at + 4] == MARK[: min(4, there)]

    def _end_of_noise(self, at: int) -> int:
        """The next place where silence or a cell may begin; at least one sample further."""
        end = self._kinds.find(_SILENT, at + 1)
        end = len(self._kinds) if end < 0 else end
        mark = self._coded.find(MARK[:1], at + 1, end)
        return end if mark < 0 else mark

    def _noise(self, start: int, end: int) -> None:
        if self._burst is None:
            self._burst = _Burst(start, start)
        self._burst.extend(end)

    def _cell(self, cell: _Cell, start: int) -> Iterator[Heard]:
        if self._burst is not None and not self._burst.takes(cell):
            yield self._end_burst(self._burst)
        if self._burst is None:
            self._burst = _Burst(start, start)
        self._burst.take(cell, start + CELL_SAMPLES)

    def _end_burst(self, burst: _Burst) -> Heard:
        self._burst = None
        return burst.heard()

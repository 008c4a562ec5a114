"""Audio that is not final yet, by position, so that it can be sent again after Deepgram was lost.

Pure and bounded by its owner through `trim`. Positions are samples per channel since t0.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from contracts.audio import CHANNELS, STEREO_SAMPLE_BYTES


class Piece(NamedTuple):
    """Audio without a hole; `pcm`: interleaved s16le, 8 kHz, 2 channels."""

    position: int
    pcm: bytes

    @property
    def samples(self) -> int:
        """Length, per channel."""
        return len(self.pcm) // STEREO_SAMPLE_BYTES

    @property
    def end(self) -> int:
        """Position after the last sample."""
        return self.position + self.samples


class Backlog:
    """The audio of [start, end), but for holes that nobody can fill."""

    def __init__(self, position: int) -> None:
        self.start = position
        """Everything from here to `end` can be read again."""
        self.end = position
        """Position of the next sample to come."""
        self._pieces: list[Piece] = []
        self._ends: list[int] = []

    def push(self, piece: Piece) -> None:
        """Takes what follows at `end`; the part that is there already is cut.

        Raises:
            ValueError: the piece begins above `end`.
        """
        if piece.position > self.end:
            raise ValueError(f"audio at {piece.position} does not follow {self.end}")
        end = piece.end
        if end <= self.end:
            return
        known = self.end - piece.position
        self._pieces.append(Piece(self.end, piece.pcm[known * STEREO_SAMPLE_BYTES :]) if known else piece)
        self.end = end
        self._ends.append(self.end)

    def skip(self, position: int) -> None:
        """There is no audio from `end` to `position`."""
        self.end = max(self.end, position)

    def trim(self, position: int) -> None:
        """Forgets what lies before `position`; whole pieces only, so some of it may stay readable."""
        if self._ends and position >= self._ends[0]:
            gone = bisect_right(self._ends, position)
            del self._pieces[:gone], self._ends[:gone]
        first_kept = self._pieces[0].position if self._pieces else self.end
        if first_kept > self.start < position:
            self.start = min(position, first_kept)

    def reset(self, position: int) -> None:
        """Forgets all; audio from `position` on is to come."""
        self._pieces.clear()
        self._ends.clear()
        self.start = self.end = position

    def read(self, position: int, limit: int, covered: Sequence[int]) -> Piece | None:
        """Up to `limit` samples without a hole, the first at or after `position`; None when there are none.

        On a channel that is covered beyond `position` the samples before are zero: they were heard already.
        """
        begin = bisect_right(self._ends, position)
        last = self._pieces[begin] if begin == len(self._pieces) - 1 else None
        if last is not None and last.position >= position and last.samples <= limit:  # as most often
            pcm = silenced(last.pcm, last.position, covered)
            return last if pcm is last.pcm else Piece(last.position, pcm)
        parts: list[bytes] = []
        first = end = 0
        for piece in islice(self._pieces, begin, None):
            if not parts:
                first = end = max(position, piece.position)
            elif piece.position != end:
                break
            wanted = limit - (end - first)
            if wanted <= 0:
                break
            offset = (end - piece.position) * STEREO_SAMPLE_BYTES
            part = piece.pcm[offset : offset + wanted * STEREO_SAMPLE_BYTES]
            parts.append(part)
            end += len(part) // STEREO_SAMPLE_BYTES
        return Piece(first, silenced(b"".join(parts), first, covered)) if parts else None


def silenced(pcm: bytes, position: int, covered: Sequence[int]) -> bytes:
    """`pcm` (interleaved stereo s16le from `position` on) with each channel zero before its `covered`."""
    if position >= max(covered):
        return pcm
    length = len(pcm) // STEREO_SAMPLE_BYTES
    counts = [max(0, min(covered[channel] - position, length)) for channel in range(CHANNELS)]
    if not any(counts):
        return pcm
    buffer = bytearray(pcm)
    for channel, count in enumerate(counts):
        end = count * STEREO_SAMPLE_BYTES
        buffer[2 * channel : end : STEREO_SAMPLE_BYTES] = bytes(count)
        buffer[2 * channel + 1 : end : STEREO_SAMPLE_BYTES] = bytes(count)
    return bytes(buffer)

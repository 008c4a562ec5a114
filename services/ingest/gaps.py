"""Gaps: what both lanes lack for so long that it is told with its exact range."""

from typing import Final

from contracts.audio import samples_of_ms
from services.ingest.laid import Gap, Laid

TOLD_SAMPLES: Final = samples_of_ms(1_000)
"""A gap that is longer is told; a lost fragment of Connect's has 1,088 ms."""


class Gaps:
    """Of one timeline. A gap is open until it is sure that no lane has audio in it; then it is told, once."""

    def __init__(self) -> None:
        self._open: tuple[int, int] | None = None
        self._newest = (0, 0)
        """The newest that was begun, open or not."""

    @property
    def open(self) -> tuple[int, int] | None:
        """The open gap, as known so far; nothing from its beginning on may be given out yet."""
        return self._open

    def begin(self, start: int, end: int, laid: list[Laid]) -> None:
        """One lane goes on at `end`, and up to `start` there was audio."""
        if end - start > TOLD_SAMPLES:
            self.close(laid)
            self._open = self._newest = (start, end)

    def audio(self, start: int, end: int, laid: list[Laid]) -> None:
        """A lane has audio from `start` to `end`, maybe inside the open gap."""
        if self._open is not None and start < self._open[1]:
            gap_start, gap_end = self._open
            self._tell(gap_start, start, laid)
            self._open = (max(gap_start, end), gap_end)

    def close(self, laid: list[Laid]) -> None:
        """No lane has anything in the open gap but what it was told."""
        if self._open is not None:
            self._tell(*self._open, laid)
            self._open = None

    def apart(self, start: int, end: int) -> list[tuple[int, int]]:
        """The parts of what one lane lacks that are no part of the newest gap."""
        gap_start, gap_end = self._newest
        parts = ((start, min(end, gap_start)), (max(start, gap_end), end))
        return [(first, last) for first, last in parts if first < last]

    def _tell(self, start: int, end: int, laid: list[Laid]) -> None:
        if end - start > TOLD_SAMPLES:
            laid.append(Gap(start, end))

"""The piecewise map of one Deepgram connection: samples sent on it -> positions of the session.

Deepgram's times count the audio sent on the connection. A connection that began at position p, or that left
out a range, needs its times moved.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from contracts.audio import samples_of_seconds
from contracts.session import TimeMark

MAX_MARKS = 1_000
"""Marks kept of one connection; results that are older than that many holes cannot come any more."""


def is_new_connection(old: Sequence[TimeMark], new: Sequence[TimeMark]) -> bool:
    """Whether the map of another connection came in the place of `old`; a long map loses its oldest marks."""
    return bool(old and new) and new[0].sent_samples == 0 and new[0] != old[0]


class TimeMap:
    """Grows with each hole in the audio sent; empty until the first audio."""

    def __init__(self) -> None:
        self._sent: list[int] = []
        self._positions: list[int] = []
        self.until: int | None = None
        """Samples sent; what Deepgram says of later ones it cannot have heard. None: not known."""

    def mark(self, sent: int, position: int) -> bool:
        """Audio sent from `sent` on is of `position` on; True when that was a new piece of the map."""
        if self._sent and position - sent == self._positions[-1] - self._sent[-1]:
            return False
        if self._sent and self._sent[-1] == sent:
            self._positions[-1] = position
            return True
        self._sent.append(sent)
        self._positions.append(position)
        del self._sent[:-MAX_MARKS], self._positions[:-MAX_MARKS]
        return True

    @property
    def identity(self) -> bool:
        """Whether times are the session's as they are."""
        return not self._sent or (len(self._sent) == 1 and self._positions[0] == self._sent[0])

    @property
    def marks(self) -> tuple[TimeMark, ...]:
        """The map as the log keeps it, oldest first."""
        return tuple(
            TimeMark(sent_samples=sent, position_samples=position)
            for sent, position in zip(self._sent, self._positions, strict=True)
        )

    def start(self, sent: int) -> int:
        """Position of the first sample of something; where a hole is, that is after it."""
        return self._moved(bisect_right(self._sent, sent) - 1, sent)

    def end(self, sent: int) -> int:
        """Position of an exclusive end; where a hole is, that is before it."""
        return self._moved(bisect_left(self._sent, sent) - 1, sent)

    def start_of_seconds(self, seconds: float) -> int:
        """As `start`, of Deepgram's seconds."""
        return self.start(self._heard(seconds))

    def end_of_seconds(self, seconds: float) -> int:
        """As `end`, of Deepgram's seconds."""
        return self.end(self._heard(seconds))

    def _heard(self, seconds: float) -> int:
        sent = max(0, samples_of_seconds(seconds))
        return sent if self.until is None else min(sent, self.until)

    def _moved(self, piece: int, sent: int) -> int:
        if not self._sent:
            return sent
        piece = max(piece, 0)
        return max(0, self._positions[piece] + sent - self._sent[piece])

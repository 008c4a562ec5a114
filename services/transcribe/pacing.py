"""How fast audio may go to Deepgram: a bucket of samples that fills at a little more than real time.

Source: Deepgram, "Recovering from connection errors": send at most at 1.25 times real time.
"""

from contracts.audio import SAMPLE_RATE_HZ

CATCH_UP = 1.25
BURST_S = 1.25
"""A whole KVS fragment (about 1.1 s) goes out at once: waiting would only add to the latency."""
_EXACT = 1e-6
"""Samples: the rounding of the arithmetic below, so that a deadline that has come is never just missed."""


class Pacing:
    """Allowance in samples per channel; full at the start."""

    def __init__(self, now: float, *, rate: float = CATCH_UP, burst_s: float = BURST_S) -> None:
        self._per_s = rate * SAMPLE_RATE_HZ
        self._burst = burst_s * SAMPLE_RATE_HZ
        self._level = self._burst
        self._at = now

    def allowance(self, now: float) -> int:
        """Samples that may be sent now."""
        return int(self._filled(now) + _EXACT)

    def spend(self, samples: int, now: float) -> None:
        """Takes what was sent."""
        self._level = self._filled(now) - samples
        self._at = now

    def ready_at(self, samples: int) -> float:
        """When `samples` may be sent at once."""
        return self._at + max(0.0, min(samples, self._burst) - self._level) / self._per_s

    def _filled(self, now: float) -> float:
        return min(self._burst, self._level + max(0.0, now - self._at) * self._per_s)

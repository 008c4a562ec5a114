"""Pulse: whether this process slept (SIGSTOP, a machine that stood still) until others had its sessions."""

import math
from typing import Final

from contracts.link import DEAD_AFTER_S

GIVEN_AWAY_AFTER_S: Final = DEAD_AFTER_S + 2.0
"""Since our last sign of life: transcribe has waited 2 s for another link, and made our requests visible."""


class Pulse:
    """Of a process; call `beat` much more often than sleep is long."""

    def __init__(self, now: float) -> None:
        self._beat_at = now
        self._slept_from = -math.inf
        """When the last long sleep began."""

    def beat(self, now: float) -> None:
        """The process is awake."""
        if now - self._beat_at > GIVEN_AWAY_AFTER_S:
            self._slept_from = self._beat_at
        self._beat_at = now

    def slept_since(self, at: float, now: float) -> bool:
        """Whether it fell asleep after `at`, for so long that what it held is given away."""
        self.beat(now)
        return self._slept_from >= at

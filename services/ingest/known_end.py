"""KnownEnd: that a call is over, and where its audio ends."""

from dataclasses import dataclass

from contracts.audio import samples_of_ms
from services.ingest.timeline import Timeline


@dataclass(frozen=True, slots=True)
class KnownEnd:
    """Of one call; what is left of its audio is drained.

    Attributes:
        reason: why it is over.
        position: where the audio ended when it was read to its end.
        at_ms: when the call was disconnected, epoch ms; None if nobody says.
    """

    reason: str
    position: int | None = None
    at_ms: int | None = None

    def is_reached(self, timeline: Timeline) -> bool | None:
        """Whether the audio reaches the end; None: where it is is not known."""
        target = self.position
        if target is None and self.at_ms is not None and timeline.t0_ms is not None:
            target = samples_of_ms(self.at_ms - timeline.t0_ms)
        return None if target is None else timeline.reached >= target

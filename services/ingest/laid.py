"""What a timeline gives out."""

from dataclasses import dataclass

from contracts.audio import STEREO_SAMPLE_BYTES, Channel


@dataclass(frozen=True, slots=True)
class Chunk:
    """`pcm`: interleaved s16le, 8 kHz, 2 channels, from `position` on."""

    position: int
    pcm: bytes

    @property
    def end(self) -> int:
        """Position after the last sample."""
        return self.position + len(self.pcm) // STEREO_SAMPLE_BYTES


@dataclass(frozen=True, slots=True)
class Skipped:
    """No audio in this range; the output goes on at `end`, shortly before the audio does (see `Gap`)."""

    position: int
    end: int


@dataclass(frozen=True, slots=True)
class Hole:
    """A lane had no audio in this range (of which no `Gap` tells); it is filled with silence."""

    channel: Channel
    position: int
    end: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Neither lane had audio in this range; its silence, if it is not skipped, comes after this."""

    position: int
    end: int


@dataclass(frozen=True, slots=True)
class Misplaced:
    """Audio with a time that cannot be its own; it is left out.

    Told once until there is good audio again: `clock_went_back`, or `clock_jumped` for a jump that nothing
    bore out.
    """

    cause: str
    position: int
    """Where the output stands."""
    claimed: int
    """The place that the audio's own time names; may be negative."""


type Laid = Chunk | Skipped | Hole | Gap | Misplaced

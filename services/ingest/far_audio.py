"""FarAudio: blocks that stand far ahead of all before, held until there are enough of them to be believed.

One wrong timestamp must not move the position of a call for good; a clock that truly jumped must.
"""

from typing import Final

from contracts.audio import MONO_SAMPLE_BYTES, Channel, samples_of_ms

BELIEVED_SAMPLES: Final = samples_of_ms(1_500)
"""Of one lane: more than a fragment (1.1 s), whose blocks share one Cluster's time."""
MAX_SPREAD_SAMPLES: Final = samples_of_ms(30_000)
"""Blocks further apart than this do not bear each other out."""
MAX_SKIPPED_SAMPLES: Final = samples_of_ms(12 * 3_600_000)
"""A block that is further away than this has a wrong time, whatever follows it."""
MAX_BLOCKS: Final = 1_024

type Placed = tuple[Channel, int, bytes]
"""Lane, position, PCM."""


class FarAudio:
    """Bounded: `believed` as soon as a lane has its measure, and then to be taken."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[Channel, int], bytes] = {}
        """By lane and position: a fragment that is read again adds nothing."""
        self._sizes = dict.fromkeys(Channel, 0)
        self._near = 0

    @property
    def believed(self) -> bool:
        """Whether it is no mistake of a single fragment."""
        enough = BELIEVED_SAMPLES * MONO_SAMPLE_BYTES
        return len(self._blocks) >= MAX_BLOCKS or any(size >= enough for size in self._sizes.values())

    @property
    def position(self) -> int:
        """Where it begins; 0 when there is none."""
        return min((start for _, start in self._blocks), default=0)

    def fits(self, start: int) -> bool:
        """Whether a block at `start` bears out what is held."""
        return not self._blocks or abs(start - self._near) <= MAX_SPREAD_SAMPLES

    def hold(self, channel: Channel, start: int, pcm: bytes) -> None:
        """One more block."""
        if (channel, start) not in self._blocks:
            self._blocks[channel, start] = pcm
            self._sizes[channel] += len(pcm)
        self._near = start

    def take(self) -> list[Placed]:
        """All of it, in the order of its coming; nothing is held any more."""
        blocks = [(channel, start, pcm) for (channel, start), pcm in self._blocks.items()]
        self._blocks, self._sizes = {}, dict.fromkeys(Channel, 0)
        return blocks

"""Blocks of two lanes, and what a timeline lays of them."""

from collections.abc import Sequence

from hypothesis import settings

from contracts.audio import Channel, samples_of_ms
from services.ingest.laid import Laid
from services.ingest.timeline import Timeline
from tests.unit.ingest.stereo import Placed

SLOWLY = settings(deadline=None, max_examples=60)
"""A busy machine may take its time."""
C, A = Channel.CUSTOMER, Channel.AGENT
T0_MS = 1_700_000_000_000
CHUNK = samples_of_ms(100)


def audio(seed: int, ms: int) -> bytes:
    return bytes([1 + (seed * 37 + n) % 251 for n in range(ms * 16)])


def laid(blocks: Sequence[Placed], timeline: Timeline, *, flush: bool = True) -> list[Laid]:
    out = [item for channel, at_ms, pcm in blocks for item in timeline.push(channel, pcm, at_ms)]
    return out + timeline.flush() if flush else out


def pairs(count: int, first: int = 0) -> list[Placed]:
    return [
        (channel, T0_MS + n * 64, audio(2 * n + channel, 64))
        for n in range(first, first + count)
        for channel in Channel
    ]


def args(block: Placed) -> tuple[Channel, bytes, int]:
    channel, at_ms, pcm = block
    return channel, pcm, at_ms


def moved(blocks: list[Placed], ms: int) -> list[Placed]:
    return [(channel, at_ms + ms, pcm) for channel, at_ms, pcm in blocks]


def of_kind[Kind: Laid](kind: type[Kind], out: list[Laid]) -> list[Kind]:
    return [item for item in out if isinstance(item, kind)]

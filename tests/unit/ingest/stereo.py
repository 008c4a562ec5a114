"""What a timeline must give out, worked out sample by sample in the plainest way."""

from collections.abc import Iterable, Sequence

from contracts.audio import Channel
from services.ingest.timeline import Chunk, Laid, Skipped

type Placed = tuple[Channel, int, bytes]
"""Lane, producer time in ms, PCM."""


def expected_stereo(blocks: Sequence[Placed], t0_ms: int) -> bytes:
    """All of it: the first block that covers a sample gives it; what none covers is silent."""
    ends = dict.fromkeys(Channel, 0)
    samples: dict[tuple[Channel, int], bytes] = {}
    for channel, at_ms, pcm in blocks:
        for index in range(len(pcm) // 2):
            position = (at_ms - t0_ms) * 8 + index
            if position >= ends[channel]:
                samples[channel, position] = pcm[2 * index : 2 * index + 2]
                ends[channel] = position + 1
    silence = b"\0\0"
    return b"".join(
        samples.get((channel, position), silence)
        for position in range(max(ends.values()))
        for channel in Channel
    )


def joined(laid: Iterable[Laid]) -> bytes:
    """The chunks' PCM; they must follow one another."""
    out = b""
    at: int | None = None
    for item in laid:
        if isinstance(item, Chunk):
            assert at is None or item.position == at
            at = item.end
            out += item.pcm
        elif isinstance(item, Skipped):
            at = item.end
    return out

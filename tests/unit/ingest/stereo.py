"""What a timeline must give out, worked out sample by sample in the plainest way."""

from collections.abc import Iterable, Sequence

from contracts.audio import Channel
from services.ingest.laid import Chunk, Laid, Skipped

type Placed = tuple[Channel, int, bytes]
"""Lane, producer time in ms, PCM."""


def expected_stereo(blocks: Sequence[Placed], t0_ms: int) -> bytes:
    """All of it: the first block that covers a sample gives it; what none covers is silent."""
    lanes = {channel: bytearray() for channel in Channel}
    for channel, at_ms, pcm in blocks:
        lane, start = lanes[channel], (at_ms - t0_ms) * 16
        lane += bytes(max(0, start - len(lane))) + pcm[max(0, len(lane) - start) : len(pcm) // 2 * 2]
    length = max(map(len, lanes.values()))
    customer, agent = (lane.ljust(length, b"\0") for lane in lanes.values())
    return b"".join(customer[n : n + 2] + agent[n : n + 2] for n in range(0, length, 2))


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

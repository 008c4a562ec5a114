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


def expected_call(blocks: Sequence[Placed]) -> bytes:
    """What a call's blocks become: as above, but that jumps of more than 30 s are skipped.

    After a jump the output begins at a chunk of 100 ms, with room for a lane that is 256 ms earlier.
    """
    if not blocks:
        return b""
    t0_ms = min(block[1] for block in blocks[:2])
    parts: list[list[Placed]] = [[]]
    last_ms = t0_ms
    for block in blocks:
        if block[1] > last_ms + 30_000:
            parts.append([])
        parts[-1].append(block)
        last_ms = max(last_ms, block[1])
    out = expected_stereo(parts[0], t0_ms)
    for part in parts[1:]:
        begins = ((min(at_ms for _, at_ms, _ in part) - t0_ms) * 8 - 256 * 8) // 800 * 800
        out += expected_stereo(part, t0_ms)[4 * begins :]
    return out


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

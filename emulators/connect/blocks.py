"""How Connect cuts a call's audio into blocks; pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from emulators.connect.audio import SAMPLE_RATE_HZ, STEREO_SAMPLE_BYTES, AudioSource
from emulators.kvs.fragments import Lane

BLOCK_SAMPLES = 512
"""1024 bytes, 64 ms (measured in published captures)."""

BLOCKS_AFTER_ODD = 5
SHORT_BLOCK_BYTES = 192


@dataclass(frozen=True, slots=True)
class Cut:
    """The shape of a call's blocks; the defaults are what captures show."""

    odd_samples: int = 312
    """Once, shortly before the end, both sides have a block of this length (0: no such pair)."""
    agent_starts_ms: int = 0
    """TO_CUSTOMER has no block before this time of the call; its audio until then is not sent."""
    short_every: int = 0
    """Each n-th block of a side is cut to 192 bytes, times staying on the grid: 52 ms are lost (0: none)."""

    def __post_init__(self) -> None:
        if not 0 <= self.odd_samples < BLOCK_SAMPLES:
            raise ValueError(f"odd_samples is below {BLOCK_SAMPLES}")


@dataclass(frozen=True, slots=True)
class SideBlock:
    """One block of one side; `at_samples` counts from the start of the call, `pcm` is mono s16le."""

    lane: Lane
    at_samples: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class Moment:
    """Blocks that are ready at the same time: `ready_samples` of the call have passed."""

    ready_samples: int
    blocks: tuple[SideBlock, ...]


def moments(source: AudioSource, cut: Cut) -> Iterator[Moment]:
    """Cut a source into blocks, both sides together.

    The end is padded with silence, by less than a block, so that the last blocks have their lengths.
    """
    at_samples = 0
    for number, piece in enumerate(_pieces(source, cut.odd_samples)):
        size = len(piece) // STEREO_SAMPLE_BYTES
        blocks: list[SideBlock] = []
        for lane, pcm in zip(Lane, sides(piece), strict=True):
            if lane is Lane.TO_CUSTOMER and at_samples * 1000 < cut.agent_starts_ms * SAMPLE_RATE_HZ:
                continue
            short = cut.short_every and number % cut.short_every == cut.short_every - 1
            blocks.append(SideBlock(lane, at_samples, pcm[:SHORT_BLOCK_BYTES] if short else pcm))
        at_samples += size
        yield Moment(at_samples, tuple(blocks))


def sides(stereo: bytes) -> tuple[bytes, bytes]:
    """Left and right of interleaved s16le."""
    left, right = bytearray(len(stereo) // 2), bytearray(len(stereo) // 2)
    left[0::2], left[1::2] = stereo[0::4], stereo[1::4]
    right[0::2], right[1::2] = stereo[2::4], stereo[3::4]
    return bytes(left), bytes(right)


def _pieces(source: AudioSource, odd_samples: int) -> Iterator[bytes]:
    """Pieces of a block's length; five from the end the odd one, for which so many are read ahead."""
    full = BLOCK_SAMPLES * STEREO_SAMPLE_BYTES
    ahead: list[bytes] = []
    while piece := source.read(BLOCK_SAMPLES):
        ahead.append(piece)
        if len(piece) < full:
            break
        if len(ahead) > BLOCKS_AFTER_ODD:
            yield ahead.pop(0)
    tail = b"".join(ahead)
    if not tail:
        return
    odd = odd_samples * STEREO_SAMPLE_BYTES
    tail += bytes((odd - len(tail)) % full)
    if odd:
        yield tail[:odd]
    for offset in range(odd, len(tail), full):
        yield tail[offset : offset + full]

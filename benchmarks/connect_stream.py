"""The bytes of a Connect stream, block by block, as fast as they can be made."""

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from emulators.kvs import matroska

BLOCK_MS = 64
BLOCK_BYTES = 1024
BLOCKS_PER_TRACK = 17
CONTACT = "11111111-1111-4111-8111-111111111111"
T0_MS = 1_700_000_000_000
FIRST_FRAGMENT = 91343852333181432392682062642743920146264094
CUSTOMER, AGENT = "AUDIO_FROM_CUSTOMER", "AUDIO_TO_CUSTOMER"
IDENTITY = {
    "ContactId": CONTACT,
    "InstanceId": "22222222-2222-4222-8222-222222222222",
    "MimeType": "audio/L16;rate=8000;channels=1;",
    "AUDIO_FROM_CUSTOMER": "1",
    "AUDIO_TO_CUSTOMER": "2",
    "Events": "[]",
}
_NOISE = hashlib.shake_128(b"noise").digest(1 << 20)


@dataclass(frozen=True, slots=True)
class Piece:
    """What a stream brings at once: one block, with all that stands before or after it.

    `number` counts the blocks of a lane; `last` says that the other lane's block of that number is here, too.
    """

    number: int
    last: bool
    data: bytes


def noise(number: int) -> bytes:
    """A block's audio; another one for each number, the same at each call."""
    at = number * 7919 * 2 % (len(_NOISE) - BLOCK_BYTES)
    return _NOISE[at : at + BLOCK_BYTES]


def pieces(start_ms: int = T0_MS) -> Iterator[Piece]:
    """A call without end, as Connect streams it: fragments of 17 blocks a lane, tracks swapped at times."""
    trailer = matroska.tags_one_each(IDENTITY)
    for fragment in itertools.count():
        at_ms = start_ms + fragment * BLOCKS_PER_TRACK * BLOCK_MS
        names = [CUSTOMER, AGENT] if fragment // 3 % 2 == 0 else [AGENT, CUSTOMER]
        seconds = f"{at_ms // 1000}.{at_ms % 1000:03d}"
        head = matroska.head(
            segment_uid=bytes(range(16)),
            entries=[matroska.Track(n, name) for n, name in enumerate(names, 1)],
            leading_tags={
                "AWS_KINESISVIDEO_FRAGMENT_NUMBER": f"{FIRST_FRAGMENT + fragment}",
                "AWS_KINESISVIDEO_SERVER_TIMESTAMP": seconds,
                "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP": seconds,
            },
            at_ms=at_ms,
        )
        tail = trailer + matroska.tags(
            {"AWS_KINESISVIDEO_MILLIS_BEHIND_NOW": "0", "AWS_KINESISVIDEO_CONTINUATION_TOKEN": str(fragment)}
        )
        for block in range(BLOCKS_PER_TRACK):
            number = fragment * BLOCKS_PER_TRACK + block
            for track, name in enumerate(names, 1):
                audio = noise(2 * number + (name == AGENT))
                data = matroska.simple_block(track, block * BLOCK_MS, audio)
                first, last = block == 0 and track == 1, block == BLOCKS_PER_TRACK - 1 and track == 2
                yield Piece(number, track == 2, (head if first else b"") + data + (tail if last else b""))

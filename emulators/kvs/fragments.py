"""How one contact's blocks become fragments; pure.

A fragment grows piece by piece while its blocks arrive, so that it can be sent on as it grows. It is complete
with its last block, with one that would not fit any more, or with the end of the contact.
"""

import enum
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from emulators.kvs import matroska

BLOCKS_PER_TRACK = 17
"""17 blocks of 64 ms are the 1.088 s that Connect's fragments last (measured in published captures)."""

MAX_OFFSET_MS = 30_000
"""A block's time in its cluster is a signed 16-bit number of milliseconds."""

SAMPLES_PER_MS = 8
BYTES_PER_SAMPLE = 2


class Lane(enum.IntEnum):
    """Which side a mono block was taken from."""

    FROM_CUSTOMER = 0
    TO_CUSTOMER = 1

    @property
    def track_name(self) -> str:
        """The name of the lane's track."""
        return f"AUDIO_{self.name}"


@dataclass(frozen=True, slots=True)
class Block:
    """Audio of one lane; `at_ms` is its producer time (epoch ms), `pcm` mono s16le at 8 kHz."""

    lane: Lane
    at_ms: int
    pcm: bytes

    @property
    def end_ms(self) -> int:
        """Producer time of the first sample after the block, rounded up."""
        return self.at_ms + -(-len(self.pcm) // (BYTES_PER_SAMPLE * SAMPLES_PER_MS))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a contact's fragments look like, where that is known to differ from call to call."""

    blocks_per_track: int = BLOCKS_PER_TRACK
    swap_every: int = 3
    """The two tracks change number and order after so many fragments; 0 is never."""
    identity_first: bool = False
    """The contact's tags stand before the cluster, too."""
    tagless_tail: bool = False
    """The fragment that is open when the contact ends carries none of the contact's tags."""
    lanes: tuple[Lane, ...] = (Lane.FROM_CUSTOMER, Lane.TO_CUSTOMER)


@dataclass(slots=True)
class Fragment:
    """A fragment of a stream, complete or growing.

    `pieces` holds the bytes before its trailing tags, in order, and only ever grows; `trailer` is None until
    the fragment is complete.
    """

    index: int
    number: str
    contact_id: str
    producer_ms: int
    server_ms: int
    producer_end_ms: int
    server_end_ms: int
    pieces: list[bytes] = field(default_factory=list[bytes])
    trailer: bytes | None = None
    size_bytes: int = 0

    @property
    def complete(self) -> bool:
        """Whether no block will be added any more."""
        return self.trailer is not None

    def add(self, piece: bytes) -> None:
        """Append bytes."""
        self.pieces.append(piece)
        self.size_bytes += len(piece)


def closing_tags(fragment: Fragment, *, now_ms: int) -> bytes:
    """The last tags of a complete fragment, which depend on when it is read."""
    behind_ms = max(0, now_ms - fragment.server_end_ms)
    return matroska.tags(
        {
            "AWS_KINESISVIDEO_MILLIS_BEHIND_NOW": str(behind_ms),
            "AWS_KINESISVIDEO_CONTINUATION_TOKEN": fragment.number,
        }
    )


class ContactAudio:
    """Forms the fragments of one contact.

    Give it each arrival of blocks; it asks `begin` for the next fragment whenever it needs one, and that
    fragment grows in place.
    """

    def __init__(
        self,
        *,
        contact_id: str,
        instance_id: str,
        shape: Shape,
        begin: Callable[[str, int, int], Fragment],
    ) -> None:
        """`begin(contact_id, producer_ms, now_ms)` enters a new fragment into the stream and returns it."""
        self.contact_id = contact_id
        self._shape = shape
        self._begin = begin
        self._segment_uid = hashlib.blake2b(contact_id.encode(), digest_size=16).digest()
        self._identity = {
            "ContactId": contact_id,
            "InstanceId": instance_id,
            "MimeType": "audio/L16;rate=8000;channels=1;",
            "AUDIO_FROM_CUSTOMER": "1",
            "AUDIO_TO_CUSTOMER": "2",
            "Events": "[]",
        }
        self._trailer = matroska.tags_one_each(self._identity)
        self._fragment: Fragment | None = None
        self._counts: dict[Lane, int] = {}
        self._order = shape.lanes
        self._closed = 0

    def push(self, blocks: Sequence[Block], *, now_ms: int) -> None:
        """Add blocks that arrived together; those of one instant are written in the order of the tracks.

        Blocks of a side that is not streamed are left out.
        """
        streamed = [block for block in blocks if block.lane in self._order]
        for block in sorted(streamed, key=lambda block: (block.at_ms, self._order.index(block.lane))):
            fragment = self._fragment_for(block, now_ms)
            self._counts[block.lane] += 1
            track = self._order.index(block.lane) + 1
            fragment.add(matroska.simple_block(track, block.at_ms - fragment.producer_ms, block.pcm))
            fragment.producer_end_ms = max(fragment.producer_end_ms, block.end_ms)
            fragment.server_end_ms = now_ms
            if min(self._counts.values()) >= self._shape.blocks_per_track:
                self._close()

    def end(self) -> None:
        """No more audio of this contact: its open fragment is complete."""
        self._close(tagged=not self._shape.tagless_tail)

    def _fragment_for(self, block: Block, now_ms: int) -> Fragment:
        fragment = self._fragment
        if fragment is not None and (
            self._counts[block.lane] >= self._shape.blocks_per_track
            or abs(block.at_ms - fragment.producer_ms) > MAX_OFFSET_MS
        ):
            self._close()
            fragment = None
        return self._open(block.at_ms, now_ms) if fragment is None else fragment

    def _open(self, producer_ms: int, now_ms: int) -> Fragment:
        self._counts = dict.fromkeys(self._order, 0)
        fragment = self._begin(self.contact_id, producer_ms, now_ms)
        fragment.add(
            matroska.head(
                segment_uid=self._segment_uid,
                entries=[matroska.Track(n, lane.track_name) for n, lane in enumerate(self._order, 1)],
                leading_tags={
                    "AWS_KINESISVIDEO_FRAGMENT_NUMBER": fragment.number,
                    "AWS_KINESISVIDEO_SERVER_TIMESTAMP": _seconds(now_ms),
                    "AWS_KINESISVIDEO_PRODUCER_TIMESTAMP": _seconds(producer_ms),
                },
                identity_tags=self._identity if self._shape.identity_first else None,
                at_ms=producer_ms,
            )
        )
        self._fragment = fragment
        return fragment

    def _close(self, *, tagged: bool = True) -> None:
        if self._fragment is None:
            return
        self._fragment.trailer = self._trailer if tagged else b""
        self._fragment = None
        self._closed += 1
        shape = self._shape
        swapped = shape.swap_every > 0 and self._closed // shape.swap_every % 2 == 1
        self._order = shape.lanes[::-1] if swapped else shape.lanes


def _seconds(at_ms: int) -> str:
    """Epoch seconds with three decimals, as KVS writes its timestamps."""
    return f"{at_ms // 1000}.{at_ms % 1000:03d}"

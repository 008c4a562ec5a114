"""What a producer of calls says to the emulator over its websocket; pure but for the models at its edge.

The first message is text, an `Open`; the answer is text, an `Opened` (or a close with a reason). Then every
binary message is one or more blocks that were ready at the same time, and the end of the websocket is the end
of the contact. There is no other message.
"""

import struct
from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from emulators.kvs.fragments import BLOCKS_PER_TRACK, Block, Lane, Shape

PATH = "/_emulator/uplink"

MAX_BLOCK_BYTES = 0xFFFF
_HEADER = struct.Struct(">BqH")
_LANES = tuple(Lane)

StreamName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.-]{1,256}$")]


class Open(BaseModel):
    """A contact begins to stream."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact_id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    instance_id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    stream_name: StreamName | None = None
    """The stream to write to; without it a free one is taken, or a new one made."""
    prefix: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_.-]{1,128}$")] = "connect"
    """How the names of free and new streams begin."""
    blocks_per_track: Annotated[int, Field(ge=1, le=400)] = BLOCKS_PER_TRACK
    swap_every: Annotated[int, Field(ge=0)] = 3
    customer_only: bool = False
    """The flow streams one direction only: there is no track TO_CUSTOMER."""
    identity_first: bool = False
    tagless_tail: bool = False

    @property
    def shape(self) -> Shape:
        """The fragments that are wanted."""
        return Shape(
            blocks_per_track=self.blocks_per_track,
            swap_every=self.swap_every,
            lanes=(Lane.FROM_CUSTOMER,) if self.customer_only else tuple(Lane),
            identity_first=self.identity_first,
            tagless_tail=self.tagless_tail,
        )


class Opened(BaseModel):
    """Where the contact's audio can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    stream_name: str
    stream_arn: str
    start_fragment_number: str
    """The number that the contact's first fragment will have."""


class MalformedBlocks(ValueError):
    """A binary message that is no sequence of blocks: the producer's fault."""


def encode(blocks: Iterable[Block]) -> bytes:
    """The binary message for blocks that are ready together."""
    parts: list[bytes] = []
    for block in blocks:
        parts += (_HEADER.pack(block.lane, block.at_ms, len(block.pcm)), block.pcm)
    return b"".join(parts)


def decode(message: bytes) -> list[Block]:
    """The blocks of a binary message.

    Raises:
        MalformedBlocks: it ends inside a block, or names an unknown lane or a time before 1970.
    """
    blocks: list[Block] = []
    offset = 0
    while offset < len(message):
        if len(message) - offset < _HEADER.size:
            raise MalformedBlocks("the message ends inside a block's header")
        header: tuple[int, int, int] = _HEADER.unpack_from(message, offset)
        lane, at_ms, size = header
        offset += _HEADER.size + size
        if offset > len(message):
            raise MalformedBlocks(f"a block of {size} bytes ends outside the message")
        if lane >= len(_LANES) or at_ms < 0:
            raise MalformedBlocks(f"there is no lane {lane} at {at_ms} ms")
        blocks.append(Block(_LANES[lane], at_ms, message[offset - size : offset]))
    return blocks

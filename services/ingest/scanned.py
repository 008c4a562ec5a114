"""What the bytes of a GetMedia body say, value by value."""

from dataclasses import dataclass
from typing import NamedTuple

from contracts.audio import Channel


@dataclass(frozen=True, slots=True)
class FragmentStarted:
    """An EBML header; nothing said of an earlier fragment holds for what follows."""


@dataclass(frozen=True, slots=True)
class SegmentUid:
    """The fragment's SegmentUID, hexadecimal, not all zeros; a call keeps it over all of its fragments."""

    uid: str


@dataclass(frozen=True, slots=True)
class Tag:
    """One SimpleTag of the fragment, before or after its Cluster."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class ClusterStarted:
    """A Cluster and its producer time, epoch ms."""

    at_ms: int


class Block(NamedTuple):
    """One block of a known lane; `payload`: s16le, 8 kHz, mono (an odd last byte is left in).

    Thirty are made per second of a call: measured, a tuple costs a third of a frozen dataclass.
    """

    channel: Channel
    at_ms: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class BlockDropped:
    """A block that is no audio of a known lane: `unknown_track` or `unusable_block`."""

    reason: str
    size: int


@dataclass(frozen=True, slots=True)
class FragmentEnded:
    """Nothing of the fragment follows; `complete` is False when the body ended, perhaps before its tags."""

    complete: bool


type Scanned = FragmentStarted | SegmentUid | Tag | ClusterStarted | Block | BlockDropped | FragmentEnded

"""Writer of the Matroska that a GetMedia body is made of; pure.

Every fragment of a body is a document of its own: EBML header, Segment of unknown size, Info, Tracks, Tags,
one Cluster of unknown size, and Tags again (order and values as published captures of Amazon Connect streams
show them). `head`, `simple_block` and `tags` give the pieces in the order in which they are sent; the smaller
functions, and those of `ebml`, compose every other shape that a reader may meet: known sizes, lacing,
BlockGroup, Void, CRC-32.
"""

import enum
import functools
import itertools
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from emulators.kvs.ebml import Id, element, open_element, size_field, text, unsigned


class Lacing(enum.IntFlag):
    """The lacing bits of a block's flags (RFC 9559, 10.3)."""

    NONE = 0x00
    XIPH = 0x02
    FIXED_SIZE = 0x04
    EBML = 0x06


KEYFRAME = 0x80
AUDIO_TRACK_TYPE = 2

_SIMPLE_BLOCK_START = struct.Struct(">BQBhB")
"""Connect's usual case at once, since an emulator writes thirty a second for each call."""

WRITER = "Kinesis Video SDK 1.1.0 JNI 2.0"


@dataclass(frozen=True, slots=True)
class Track:
    """One TrackEntry; the defaults are Amazon Connect's: labelled AAC, described by no Audio element."""

    number: int
    name: str
    codec_id: str = "A_AAC"
    codec_private: bytes | None = b"\x11\x90"
    audio: bytes = b""
    """An Audio element written before, see `audio`; Connect sends none."""


@functools.cache
def ebml_header() -> bytes:
    """The header that begins every fragment."""
    return element(
        Id.EBML,
        unsigned(Id.EBML_VERSION, 1),
        unsigned(Id.EBML_READ_VERSION, 1),
        unsigned(Id.EBML_MAX_ID_LENGTH, 4),
        unsigned(Id.EBML_MAX_SIZE_LENGTH, 8),
        text(Id.DOC_TYPE, "matroska"),
        unsigned(Id.DOC_TYPE_VERSION, 2),
        unsigned(Id.DOC_TYPE_READ_VERSION, 2),
    )


def info(segment_uid: bytes | None) -> bytes:
    """Info with times in milliseconds; `segment_uid` is 16 bytes, the same during one call."""
    return element(
        Id.INFO,
        b"" if segment_uid is None else element(Id.SEGMENT_UID, segment_uid),
        unsigned(Id.TIMECODE_SCALE, 1_000_000),
        text(Id.TITLE, "Kinesis Video SDK"),
        text(Id.MUXING_APP, WRITER),
        text(Id.WRITING_APP, WRITER),
    )


def audio(*, rate_hz: int = 8000, channels: int = 1, bit_depth: int = 16) -> bytes:
    """An Audio element, for tracks that describe themselves truly."""
    return element(
        Id.AUDIO,
        element(Id.SAMPLING_FREQUENCY, struct.pack(">d", rate_hz)),
        unsigned(Id.CHANNELS, channels),
        unsigned(Id.BIT_DEPTH, bit_depth),
    )


def tracks(entries: Iterable[Track]) -> bytes:
    """Tracks, the entries in the given order."""
    return element(
        Id.TRACKS,
        *(
            element(
                Id.TRACK_ENTRY,
                unsigned(Id.TRACK_NUMBER, entry.number),
                unsigned(Id.TRACK_UID, entry.number),
                unsigned(Id.TRACK_TYPE, AUDIO_TRACK_TYPE),
                text(Id.NAME, entry.name),
                text(Id.CODEC_ID, entry.codec_id),
                b"" if entry.codec_private is None else element(Id.CODEC_PRIVATE, entry.codec_private),
                entry.audio,
            )
            for entry in entries
        ),
    )


def simple_tag(name: str, value: str | bytes) -> bytes:
    """One name and value; a value in bytes may be anything, also no UTF-8."""
    raw = value.encode() if isinstance(value, str) else value
    return element(Id.SIMPLE_TAG, text(Id.TAG_NAME, name), element(Id.TAG_STRING, raw))


def tags(values: Mapping[str, str]) -> bytes:
    """One Tags element with one Tag that holds all values; nothing when there are none."""
    if not values:
        return b""
    return element(Id.TAGS, element(Id.TAG, *(simple_tag(name, value) for name, value in values.items())))


def tags_one_each(values: Mapping[str, str]) -> bytes:
    """A Tags element for each value, as Connect writes its own tags."""
    return b"".join(tags({name: value}) for name, value in values.items())


def cluster_start(at_ms: int, *, position: int | None = 0) -> bytes:
    """The start of a Cluster of unknown size; `at_ms` is the producer time, epoch milliseconds."""
    return open_element(Id.CLUSTER) + cluster_fields(at_ms, position=position)


def cluster_fields(at_ms: int, *, position: int | None = 0) -> bytes:
    """What stands in a Cluster before its blocks."""
    return unsigned(Id.TIMECODE, at_ms, width=8) + (
        b"" if position is None else unsigned(Id.POSITION, position)
    )


def known_cluster(at_ms: int, *blocks: bytes) -> bytes:
    """A Cluster of known size."""
    return element(Id.CLUSTER, cluster_fields(at_ms), *blocks)


def block_payload(track: int, offset_ms: int, payload: bytes, *, flags: int = KEYFRAME) -> bytes:
    """The inside of a SimpleBlock or Block.

    Raises:
        struct.error: `offset_ms` is no 16-bit signed integer.
    """
    return size_field(track) + struct.pack(">hB", offset_ms, flags) + payload


def simple_block(
    track: int, offset_ms: int, payload: bytes, *, size_width: int = 8, flags: int = KEYFRAME
) -> bytes:
    """A SimpleBlock, `offset_ms` after its Cluster's Timecode; Connect's size fields have 8 bytes."""
    if size_width == 8 and track < 0x7F:
        size = len(payload) + 4
        return _SIMPLE_BLOCK_START.pack(0xA3, size | 1 << 56, track | 0x80, offset_ms, flags) + payload
    body = block_payload(track, offset_ms, payload, flags=flags)
    return Id.SIMPLE_BLOCK.value + size_field(len(body), size_width) + body


def block_group(track: int, offset_ms: int, payload: bytes) -> bytes:
    """A Block in a BlockGroup."""
    return element(Id.BLOCK_GROUP, element(Id.BLOCK, block_payload(track, offset_ms, payload, flags=0)))


def laced(frames: Sequence[bytes], lacing: Lacing) -> tuple[bytes, int]:
    """The payload of a block that holds several frames, and the block's flags.

    Raises:
        ValueError: frames of unequal length in fixed-size lacing, or fewer than two.
    """
    if len(frames) < 2:
        raise ValueError("lacing needs two frames")
    head = bytes([len(frames) - 1])
    match lacing:
        case Lacing.XIPH:
            head += b"".join(b"\xff" * (len(f) // 255) + bytes([len(f) % 255]) for f in frames[:-1])
        case Lacing.EBML:
            head += _ebml_lace_sizes([len(frame) for frame in frames[:-1]])
        case Lacing.FIXED_SIZE:
            if len({len(frame) for frame in frames}) > 1:
                raise ValueError("frames of fixed-size lacing have one length")
        case _:
            raise ValueError(f"{lacing!r} is no lacing")
    return head + b"".join(frames), KEYFRAME | lacing


def _ebml_lace_sizes(sizes: Sequence[int]) -> bytes:
    """The first size as it is, the others as signed differences in two bytes (RFC 9559, 10.3.3)."""
    differences = (after - before for before, after in itertools.pairwise(sizes))
    return size_field(sizes[0]) + b"".join(size_field(d + (1 << 13) - 1, 2) for d in differences)


def head(
    *,
    segment_uid: bytes | None,
    entries: Iterable[Track],
    leading_tags: Mapping[str, str],
    at_ms: int,
    identity_tags: Mapping[str, str] | None = None,
) -> bytes:
    """Everything of a fragment that comes before its first block; its Segment and Cluster stay open.

    Args:
        segment_uid: 16 bytes, the call's.
        entries: tracks in their order in this fragment.
        leading_tags: the number and the two timestamps.
        at_ms: producer time of the fragment, epoch milliseconds.
        identity_tags: who is calling, one Tags element each; usually sent after the Cluster only.
    """
    return b"".join(
        (
            ebml_header(),
            open_element(Id.SEGMENT),
            info(segment_uid),
            tracks(entries),
            tags(leading_tags),
            tags_one_each(identity_tags or {}),
            cluster_start(at_ms),
        )
    )


def error_fragment(*, code: int, error: str) -> bytes:
    """The last thing of a body that GetMedia gives up on: a fragment of two tags and no Cluster."""
    return b"".join(
        (
            ebml_header(),
            open_element(Id.SEGMENT),
            info(None),
            tags({"AWS_KINESISVIDEO_ERROR_CODE": error, "AWS_KINESISVIDEO_ERROR_ID": str(code)}),
        )
    )

"""Writer of EBML elements, and the ids that Matroska gives them; pure.

Element numbers are those of RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

import enum
import zlib


class Id(enum.Enum):
    """Element ids, marker bits included, as they stand on the wire."""

    EBML = bytes.fromhex("1A45DFA3")
    EBML_VERSION = bytes.fromhex("4286")
    EBML_READ_VERSION = bytes.fromhex("42F7")
    EBML_MAX_ID_LENGTH = bytes.fromhex("42F2")
    EBML_MAX_SIZE_LENGTH = bytes.fromhex("42F3")
    DOC_TYPE = bytes.fromhex("4282")
    DOC_TYPE_VERSION = bytes.fromhex("4287")
    DOC_TYPE_READ_VERSION = bytes.fromhex("4285")
    VOID = bytes.fromhex("EC")
    CRC_32 = bytes.fromhex("BF")
    SEGMENT = bytes.fromhex("18538067")
    INFO = bytes.fromhex("1549A966")
    SEGMENT_UID = bytes.fromhex("73A4")
    TIMECODE_SCALE = bytes.fromhex("2AD7B1")
    TITLE = bytes.fromhex("7BA9")
    MUXING_APP = bytes.fromhex("4D80")
    WRITING_APP = bytes.fromhex("5741")
    TRACKS = bytes.fromhex("1654AE6B")
    TRACK_ENTRY = bytes.fromhex("AE")
    TRACK_NUMBER = bytes.fromhex("D7")
    TRACK_UID = bytes.fromhex("73C5")
    TRACK_TYPE = bytes.fromhex("83")
    NAME = bytes.fromhex("536E")
    CODEC_ID = bytes.fromhex("86")
    CODEC_PRIVATE = bytes.fromhex("63A2")
    AUDIO = bytes.fromhex("E1")
    SAMPLING_FREQUENCY = bytes.fromhex("B5")
    CHANNELS = bytes.fromhex("9F")
    BIT_DEPTH = bytes.fromhex("6264")
    TAGS = bytes.fromhex("1254C367")
    TAG = bytes.fromhex("7373")
    SIMPLE_TAG = bytes.fromhex("67C8")
    TAG_NAME = bytes.fromhex("45A3")
    TAG_STRING = bytes.fromhex("4487")
    CLUSTER = bytes.fromhex("1F43B675")
    TIMECODE = bytes.fromhex("E7")
    POSITION = bytes.fromhex("A7")
    SIMPLE_BLOCK = bytes.fromhex("A3")
    BLOCK_GROUP = bytes.fromhex("A0")
    BLOCK = bytes.fromhex("A1")


def size_field(size: int, width: int | None = None) -> bytes:
    """An EBML size, in `width` bytes, or in the fewest that hold it.

    Raises:
        ValueError: the size does not fit the width (all ones is reserved for "unknown").
    """
    for candidate in range(1, 9) if width is None else (width,):
        if size < (1 << 7 * candidate) - 1:
            return (size | 1 << 7 * candidate).to_bytes(candidate)
    raise ValueError(f"size {size} does not fit an EBML size field of {width or 8} bytes")


def element(ident: Id, *payload: bytes, size_width: int | None = None) -> bytes:
    """An element of known size around the joined payload."""
    body = b"".join(payload)
    return ident.value + size_field(len(body), size_width) + body


def open_element(ident: Id, *, size_width: int = 1) -> bytes:
    """The start of an element of unknown size (one byte: FF); what follows belongs to it."""
    return ident.value + ((1 << 7 * size_width + 1) - 1).to_bytes(size_width)


def claim(ident: Id, size: int, *, size_width: int | None = None) -> bytes:
    """The start of an element that claims `size` bytes, true or not."""
    return ident.value + size_field(size, size_width)


def unsigned(ident: Id, value: int, *, width: int | None = None) -> bytes:
    """An element holding an unsigned integer."""
    return element(ident, value.to_bytes(width or max(1, (value.bit_length() + 7) // 8)))


def text(ident: Id, value: str) -> bytes:
    """An element holding UTF-8 text; NULs in it are kept (some producers pad names)."""
    return element(ident, value.encode())


def void(size: int) -> bytes:
    """A Void element with a payload of `size` bytes."""
    return element(Id.VOID, bytes(size))


def with_crc(*children: bytes) -> bytes:
    """The children of a master element, behind the CRC-32 of them all (RFC 8794, 11.3.1)."""
    body = b"".join(children)
    return element(Id.CRC_32, zlib.crc32(body).to_bytes(4, "little")) + body

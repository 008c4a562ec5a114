"""The parts of Matroska (RFC 9559) and EBML (RFC 8794) that a GetMedia body consists of."""

from enum import IntEnum

UNKNOWN_SIZE = -1


class Id(IntEnum):
    """Element ids, with their length marker."""

    EBML = 0x1A45DFA3
    SEGMENT = 0x18538067
    VOID = 0xEC
    CRC_32 = 0xBF
    SEEK_HEAD = 0x114D9B74
    INFO = 0x1549A966
    SEGMENT_UID = 0x73A4
    TIMECODE_SCALE = 0x2AD7B1
    TRACKS = 0x1654AE6B
    TRACK_ENTRY = 0xAE
    TRACK_NUMBER = 0xD7
    TRACK_NAME = 0x536E
    CHAPTERS = 0x1043A770
    CUES = 0x1C53BB6B
    ATTACHMENTS = 0x1941A469
    TAGS = 0x1254C367
    TAG = 0x7373
    SIMPLE_TAG = 0x67C8
    TAG_NAME = 0x45A3
    TAG_STRING = 0x4487
    CLUSTER = 0x1F43B675
    TIMECODE = 0xE7
    SIMPLE_BLOCK = 0xA3
    BLOCK_GROUP = 0xA0
    BLOCK = 0xA1
    POSITION = 0xA7
    PREV_SIZE = 0xAB
    SILENT_TRACKS = 0x5854


class MalformedElement(ValueError):
    """Bytes that are no EBML element where one must be."""


type Buffer = bytes | bytearray | memoryview


def read_id(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    """The element id at `at` (with its marker) and the offset after it; (0, at) when `end` cuts it.

    Raises:
        MalformedElement: longer than 4 bytes (RFC 8794, 5).
    """
    if at >= end:
        return 0, at
    length = 9 - buffer[at].bit_length()
    if length > 4:
        msg = f"no element id: 0x{buffer[at]:02x}"
        raise MalformedElement(msg)
    after = at + length
    return (int.from_bytes(buffer[at:after]), after) if after <= end else (0, at)


def read_size(buffer: Buffer, at: int, end: int) -> tuple[int, int]:
    """The size at `at` (or `UNKNOWN_SIZE`) and the offset after it; (0, at) when `end` cuts it.

    Raises:
        MalformedElement: longer than 8 bytes (RFC 8794, 4.1).
    """
    if at >= end:
        return 0, at
    length = 9 - buffer[at].bit_length()
    if length > 8:
        raise MalformedElement("no element size: 0x00")
    after = at + length
    if after > end:
        return 0, at
    ones = (1 << (7 * length)) - 1
    size = int.from_bytes(buffer[at:after]) & ones
    return (UNKNOWN_SIZE if size == ones else size), after


def children(body: Buffer) -> list[tuple[int, Buffer]]:
    """The children of an element that is here as a whole: (id, body), in order.

    Raises:
        MalformedElement: a child is cut, or of unknown size.
    """
    found: list[tuple[int, Buffer]] = []
    at, end = 0, len(body)
    while at < end:
        child, after_id = read_id(body, at, end)
        size, start = read_size(body, after_id, end)
        if after_id in (at, start) or size == UNKNOWN_SIZE or start + size > end:
            msg = f"child at byte {at} of {end} is cut"
            raise MalformedElement(msg)
        found.append((child, body[start : start + size]))
        at = start + size
    return found


def unsigned(body: Buffer) -> int:
    """An unsigned integer element's value.

    Raises:
        MalformedElement: longer than 8 bytes (RFC 8794, 7.2).
    """
    if len(body) > 8:
        msg = f"an integer of {len(body)} bytes"
        raise MalformedElement(msg)
    return int.from_bytes(body)


def text(body: Buffer) -> str:
    """A string element's value: UTF-8, ended by its first NUL; what is no UTF-8 is replaced."""
    return bytes(body).partition(b"\0")[0].decode("utf-8", "replace")


def laced_frames(body: Buffer, flags: int) -> Buffer:
    """What follows a block's head without its lacing: for PCM the frames simply follow one another.

    Raises:
        MalformedElement: the frames' sizes do not fit the block (RFC 9559, 10.3).
    """
    lacing = flags & 0x06
    if not lacing:
        return body
    if not body:
        raise MalformedElement("lacing without a frame count")
    last = body[0]  # frames - 1
    if lacing == 0x04:
        if (len(body) - 1) % (last + 1):
            raise MalformedElement("frames of fixed size do not fill the block")
        return body[1:]
    total, at = _xiph_sizes(body, last) if lacing == 0x02 else _ebml_sizes(body, last)
    if at + total > len(body):
        raise MalformedElement("laced frames exceed the block")
    return body[at:]


def _xiph_sizes(body: Buffer, count: int) -> tuple[int, int]:
    """Sum of the first `count` frames' sizes, and where the frames begin."""
    total, at = 0, 1
    for _ in range(count):
        while at < len(body) and body[at] == 255:
            total, at = total + 255, at + 1
        if at >= len(body):
            raise MalformedElement("a laced frame's size is cut")
        total, at = total + body[at], at + 1
    return total, at


def _ebml_sizes(body: Buffer, count: int) -> tuple[int, int]:
    """Sum of the first `count` frames' sizes, and where the frames begin."""
    total, at, size = 0, 1, 0
    for index in range(count):
        value, after = read_size(body, at, len(body))
        if after == at or value == UNKNOWN_SIZE:
            raise MalformedElement("a laced frame's size is cut")
        size = value if index == 0 else size + value - ((1 << (7 * (after - at) - 1)) - 1)
        if size < 0:
            raise MalformedElement("a laced frame's size is negative")
        total, at = total + size, after
    return total, at

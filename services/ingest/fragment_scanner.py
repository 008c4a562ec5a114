"""FragmentScanner: bytes of a GetMedia body in, what they say out; any split of the bytes gives the same.

Every KVS fragment is a Matroska document of its own: EBML header, Segment, Info, Tracks, Tags, Cluster, Tags,
with Segment and Cluster of unknown size, and with track numbers that change from one fragment to the next.
The walk is driven by sizes alone, since PCM may hold any magic bytes.
"""

import struct
from collections.abc import Mapping
from typing import Final

from contracts.audio import Channel
from services.ingest.errors import MalformedFragment
from services.ingest.fragment_head import lanes, tags
from services.ingest.matroska import (
    UNKNOWN_SIZE,
    Id,
    MalformedElement,
    children,
    laced_frames,
    read_id,
    read_size,
    unsigned,
)
from services.ingest.scanned import (
    Block,
    BlockDropped,
    ClusterStarted,
    FragmentEnded,
    FragmentStarted,
    Scanned,
    SegmentUid,
)

MAX_ELEMENT_BYTES: Final = 64 * 1024
"""Of any element that is held whole (Connect: blocks of 1 KiB, tags below 1 KiB)."""
_PLAIN_BLOCK: Final = struct.Struct(">HIBHBhB")
"""A SimpleBlock as Connect writes them, up to its payload: id and mark of a size field of 8 bytes, the size
(its upper 5 bytes apart), a track number of one byte, the time relative to the Cluster's, flags."""
_PLAIN_MARK: Final = 0xA301
_BLOCK_HEAD_BYTES: Final = 4
_LACED: Final = 0x06
MAX_CONTAINER_BYTES: Final = 64 * 1024 * 1024
"""Of a Segment or Cluster that claims a size; a KVS fragment has at most 50 MB (KVS quotas)."""
MAX_AT_MS: Final = 1 << 48
"""Of a Cluster's time, epoch ms: in the year 10889."""
NANOSECONDS_PER_MS: Final = 1_000_000

_TOP, _IN_SEGMENT, _IN_CLUSTER = range(3)
_LEVELS: Final = {
    Id.EBML: _TOP,
    Id.SEGMENT: _TOP,
    Id.SEEK_HEAD: _IN_SEGMENT,
    Id.INFO: _IN_SEGMENT,
    Id.TRACKS: _IN_SEGMENT,
    Id.CHAPTERS: _IN_SEGMENT,
    Id.CUES: _IN_SEGMENT,
    Id.ATTACHMENTS: _IN_SEGMENT,
    Id.TAGS: _IN_SEGMENT,
    Id.CLUSTER: _IN_SEGMENT,
    Id.TIMECODE: _IN_CLUSTER,
    Id.SIMPLE_BLOCK: _IN_CLUSTER,
    Id.BLOCK_GROUP: _IN_CLUSTER,
    Id.POSITION: _IN_CLUSTER,
    Id.PREV_SIZE: _IN_CLUSTER,
    Id.SILENT_TRACKS: _IN_CLUSTER,
}
"""Where an element stands. What is not here cannot be told from garbage, and behind garbage the audio might
be another contact's: it ends the walk. (Void and CRC-32 stand anywhere.)"""


class FragmentScanner:
    """Walks one body. After a `MalformedFragment` it is used up."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held = 0
        self._needed = 1
        """Bytes without which nothing more can be said."""
        self._offset = 0
        """Of the first held byte, in the body."""
        self._level = _TOP
        self._ends: list[int | None] = [None, None, None]
        """By level, the body offset at which the open Segment or Cluster ends; None: unknown."""
        self._plain_at_ms: int | None = None
        """The time of a Cluster as Connect writes it: in ms, and nothing around has a known size."""
        self._in_fragment = False
        self._awaits_segment = False
        """Each Segment has an EBML header of its own."""
        self._lanes: Mapping[int, Channel] = {}
        self._timecode_scale_ns = NANOSECONDS_PER_MS
        self._cluster_at_ms: int | None = None

    def feed(self, data: bytes) -> list[Scanned]:
        """What became complete with `data`, in order.

        Raises:
            MalformedFragment: the body cannot be walked on; `scanned` holds what came before.
        """
        self._pieces.append(data)
        self._held += len(data)
        found: list[Scanned] = []
        if self._held < self._needed:
            return found
        buffer = b"".join(self._pieces) if len(self._pieces) > 1 else data
        at = 0
        try:
            end = len(buffer)
            while at < end:
                after = self._plain_block(buffer, at, end, found) or self._element(buffer, at, end, found)
                if after == at:
                    break
                at = after
        except MalformedFragment as error:
            error.scanned = tuple(found)
            raise
        self._offset += at
        self._held -= at
        self._needed -= at
        self._pieces = [buffer[at:]] if self._held else []
        return found

    def feed_eof(self) -> list[Scanned]:
        """The end of the body, which may come at any byte; the scanner is used up."""
        if not self._in_fragment:
            return []
        self._in_fragment = False
        return [FragmentEnded(complete=False)]

    def _plain_block(self, buffer: bytes, at: int, end: int, found: list[Scanned]) -> int:
        """As `_element`, for nearly every byte, since what stands around is known; 0: ask `_element`."""
        if self._plain_at_ms is None or end - at < _PLAIN_BLOCK.size:
            return 0
        mark, high, middle, size, track, relative, flags = _PLAIN_BLOCK.unpack_from(buffer, at)
        if mark != _PLAIN_MARK or high or middle or flags & _LACED or size < _BLOCK_HEAD_BYTES:
            return 0
        channel = self._lanes.get(track & 0x7F) if 0x80 < track < 0xFF else None
        if channel is None:
            return 0
        payload = at + _PLAIN_BLOCK.size
        after = payload + size - _BLOCK_HEAD_BYTES
        if after > end:
            self._needed = after
            return at
        self._needed = after + 1
        found.append(Block(channel, self._plain_at_ms + relative, buffer[payload:after]))
        return after

    def _element(self, buffer: bytes, at: int, end: int, found: list[Scanned]) -> int:
        """Takes one element (of a container its head); gives the offset after it, or `at` when it is cut."""
        if self._level:
            self._leave_full_containers(self._offset + at, found)
        try:
            element, after_id = read_id(buffer, at, end)
            size, body = read_size(buffer, after_id, end) if after_id > at else (0, after_id)
        except MalformedElement as error:
            raise self._malformed(str(error), buffer[at], at) from error
        if body == after_id:  # an empty slice has no size field yet
            self._needed = end + 1
            return at
        self._enter(element, size, at, body)
        if element in (Id.SEGMENT, Id.CLUSTER):
            self._needed = body + 1
            return body
        if body + size > end:
            self._needed = body + size
            return at
        self._needed = body + size + 1
        try:
            self._take(element, buffer[body : body + size], found)
        except MalformedElement as error:
            raise self._malformed(str(error), element, at, size) from error
        return body + size

    def _leave_full_containers(self, offset: int, found: list[Scanned]) -> None:
        if self._level == _IN_CLUSTER and self._ends[_IN_CLUSTER] == offset:
            self._level = _IN_SEGMENT
        if self._level == _IN_SEGMENT and self._ends[_IN_SEGMENT] == offset:
            self._level = _TOP
            self._end_fragment(found)

    def _enter(self, element: int, size: int, at: int, body: int) -> None:
        """Checks place and size of an element, and leaves the containers that it ends."""
        if element not in (Id.VOID, Id.CRC_32):
            level = _LEVELS.get(element)  # pyright: ignore[reportArgumentType, reportCallIssue]  # any int
            if level is None:
                raise self._malformed("unknown", element, at, size)
            if level > self._level:
                raise self._malformed("misplaced", element, at, size)
            if level < self._level and any(self._ends[inner] for inner in range(level + 1, self._level + 1)):
                raise self._malformed("inside a container of known size", element, at, size)
            self._level = level
            if level != _IN_CLUSTER:
                self._plain_at_ms = None
        container = element in (Id.SEGMENT, Id.CLUSTER)
        if size > (MAX_CONTAINER_BYTES if container else MAX_ELEMENT_BYTES):
            raise self._malformed("too large", element, at, size)
        if size == UNKNOWN_SIZE and not container:
            raise self._malformed("of unknown size", element, at)
        finish = None if size == UNKNOWN_SIZE else self._offset + body + size
        self._check_parent(element, finish, at, size)
        if container:
            self._level += 1
            self._ends[self._level] = finish
            if element == Id.SEGMENT and not self._awaits_segment:
                raise self._malformed("without an EBML header", element, at, size)
            self._awaits_segment = False
            self._cluster_at_ms = self._plain_at_ms = None

    def _check_parent(self, element: int, finish: int | None, at: int, size: int) -> None:
        for level in range(1, self._level + 1):
            limit = self._ends[level]
            if limit is not None and (finish is None or finish > limit):
                raise self._malformed("beyond its container's end", element, at, size)

    def _take(self, element: int, body: bytes, found: list[Scanned]) -> None:
        """One element that is held whole."""
        if element == Id.SIMPLE_BLOCK:
            self._block(body, found)
        elif element == Id.BLOCK_GROUP:
            for child, inner in children(body):
                if child == Id.BLOCK:
                    self._block(bytes(inner), found)
        elif element == Id.TIMECODE:
            self._time(body, found)
        elif element == Id.TAGS:
            found += tags(body)
        elif element == Id.TRACKS:
            self._lanes = lanes(body)
        elif element == Id.INFO:
            self._info(body, found)
        elif element == Id.EBML:
            self._end_fragment(found)
            self._in_fragment = self._awaits_segment = True
            self._lanes = {}
            self._timecode_scale_ns = NANOSECONDS_PER_MS
            found.append(FragmentStarted())

    def _time(self, body: bytes, found: list[Scanned]) -> None:
        at_ms = unsigned(body) * self._timecode_scale_ns // NANOSECONDS_PER_MS
        if at_ms >= MAX_AT_MS:
            raise MalformedElement("a time that is none")
        plain = self._timecode_scale_ns == NANOSECONDS_PER_MS and self._ends[1:] == [None, None]
        self._cluster_at_ms, self._plain_at_ms = at_ms, at_ms if plain else None
        found.append(ClusterStarted(at_ms))

    def _end_fragment(self, found: list[Scanned]) -> None:
        if self._in_fragment:
            self._in_fragment = False
            found.append(FragmentEnded(complete=True))

    def _info(self, body: bytes, found: list[Scanned]) -> None:
        for child, inner in children(body):
            if child == Id.SEGMENT_UID and any(inner):
                found.append(SegmentUid(bytes(inner).hex()))
            elif child == Id.TIMECODE_SCALE:
                self._timecode_scale_ns = unsigned(inner) or NANOSECONDS_PER_MS

    def _block(self, body: bytes, found: list[Scanned]) -> None:
        """Block head (RFC 9559, 10.1): track number, 16-bit signed relative time, flags."""
        if self._cluster_at_ms is None:
            raise MalformedElement("block before its Cluster's time")
        size = len(body)
        if size > 3 and 0x80 < body[0] < 0xFF:  # a number of one byte, as Connect's are
            track, at = body[0] & 0x7F, 1
        else:
            track, at = read_size(body, 0, size) if body and body[0] else (0, 0)
        if not at or at + 3 > size:
            found.append(BlockDropped("unusable_block", size))
            return
        channel = self._lanes.get(track)
        if channel is None:
            found.append(BlockDropped("unknown_track", len(body)))
            return
        relative = (body[at] << 8 | body[at + 1]) - ((body[at] & 0x80) << 9)
        if self._timecode_scale_ns != NANOSECONDS_PER_MS:
            relative = relative * self._timecode_scale_ns // NANOSECONDS_PER_MS
        flags = body[at + 2]
        payload = body[at + 3 :]
        if flags & _LACED:
            try:
                payload = bytes(laced_frames(payload, flags))
            except MalformedElement:  # its size is sound, so the walk is
                found.append(BlockDropped("unusable_block", len(body)))
                return
        found.append(Block(channel, self._cluster_at_ms + relative, payload))

    def _malformed(self, problem: str, element: int, at: int, size: int | None = None) -> MalformedFragment:
        name = Id(element).name if element in Id else f"0x{element:x}"
        return MalformedFragment(problem, element=name, offset=self._offset + at, size=size)

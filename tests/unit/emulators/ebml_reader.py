"""A minimal EBML reader, independent of the writers and of the product's scanner, for whole bodies."""

from collections.abc import Iterator
from dataclasses import dataclass, field

EBML, SEGMENT, INFO, TRACKS, TAGS, CLUSTER = (
    0x1A45DFA3,
    0x18538067,
    0x1549A966,
    0x1654AE6B,
    0x1254C367,
    0x1F43B675,
)
MASTERS_IN_SEGMENT = {INFO, TRACKS, TAGS, CLUSTER}


@dataclass
class Element:
    ident: int
    size: int | None
    payload: bytes


@dataclass
class ReadFragment:
    """What one fragment of a body says, in the order in which it says it."""

    segment_uid: bytes | None = None
    tracks: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    codecs: set[tuple[str, bytes, bool]] = field(default_factory=set[tuple[str, bytes, bool]])
    """Of each track: codec id, codec private, whether there is an Audio element."""
    leading_tags: dict[str, str] = field(default_factory=dict[str, str])
    trailing_tags: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    """One for each Tags element."""
    cluster_ms: int | None = None
    cluster_size: int | None = -1
    blocks: list[tuple[str, int, bytes]] = field(default_factory=list[tuple[str, int, bytes]])
    """Track name, epoch ms, payload."""
    block_size_widths: set[int] = field(default_factory=set[int])
    order: list[int] = field(default_factory=list[int])
    """Ids of the elements directly in the segment."""

    @property
    def tags(self) -> dict[str, str]:
        together = dict(self.leading_tags)
        for tags in self.trailing_tags:
            together |= tags
        return together

    @property
    def number(self) -> str:
        return self.leading_tags["AWS_KINESISVIDEO_FRAGMENT_NUMBER"]

    def audio(self, track_name: str) -> bytes:
        return b"".join(pcm for name, _, pcm in self.blocks if name == track_name)


def fragments_of(body: bytes) -> list[ReadFragment]:
    """All fragments of a body; fails on anything that is cut off."""
    found: list[ReadFragment] = []
    offset = 0
    while offset < len(body):
        ident, offset = _vint(body, offset, keep_marker=True)
        width = _width(body[offset])
        size, offset = _vint(body, offset)
        unknown = size == (1 << 7 * width) - 1
        if ident == EBML:
            found.append(ReadFragment())
            offset += size
            continue
        fragment = found[-1]
        if ident == SEGMENT:
            continue
        if ident in MASTERS_IN_SEGMENT:
            fragment.order.append(ident)
        if ident == CLUSTER:
            fragment.cluster_size = None if unknown else size
            continue
        assert not unknown, f"element {ident:x} of unknown size"
        assert offset + size <= len(body), f"element {ident:x} is cut off"
        _take(fragment, Element(ident, size, body[offset : offset + size]), width)
        offset += size
    return found


def audio_of(fragments: list[ReadFragment], track_name: str) -> bytes:
    return b"".join(fragment.audio(track_name) for fragment in fragments)


def _take(fragment: ReadFragment, element: Element, width: int) -> None:
    match element.ident:
        case 0x1549A966:
            uids = [child.payload for child in _children(element.payload) if child.ident == 0x73A4]
            fragment.segment_uid = uids[0] if uids else None
        case 0x1654AE6B:
            for entry in _children(element.payload):
                parts = {child.ident: child.payload for child in _children(entry.payload)}
                fragment.tracks.append((int.from_bytes(parts[0xD7]), parts[0x536E].decode()))
                fragment.codecs.add((parts[0x86].decode(), parts.get(0x63A2, b""), 0xE1 in parts))
        case 0x1254C367:
            tags = _tags(element.payload)
            if fragment.cluster_ms is None and "AWS_KINESISVIDEO_ERROR_ID" not in tags:
                fragment.leading_tags |= tags
            else:
                fragment.trailing_tags.append(tags)
        case 0xE7:
            fragment.cluster_ms = int.from_bytes(element.payload)
        case 0xA3:
            assert fragment.cluster_ms is not None
            number, at = _vint(element.payload, 0)
            offset_ms = int.from_bytes(element.payload[at : at + 2], signed=True)
            name = dict(fragment.tracks)[number]
            fragment.blocks.append((name, fragment.cluster_ms + offset_ms, element.payload[at + 3 :]))
            fragment.block_size_widths.add(width)
        case _:
            pass


def _tags(payload: bytes) -> dict[str, str]:
    values: dict[str, str] = {}
    for tag in _children(payload):
        for simple in _children(tag.payload):
            parts = {child.ident: child.payload for child in _children(simple.payload)}
            values[parts[0x45A3].decode()] = parts[0x4487].decode()
    return values


def _children(payload: bytes) -> Iterator[Element]:
    offset = 0
    while offset < len(payload):
        ident, offset = _vint(payload, offset, keep_marker=True)
        size, offset = _vint(payload, offset)
        yield Element(ident, size, payload[offset : offset + size])
        offset += size


def _width(first: int) -> int:
    return 9 - first.bit_length()


def _vint(data: bytes, offset: int, *, keep_marker: bool = False) -> tuple[int, int]:
    width = _width(data[offset])
    value = int.from_bytes(data[offset : offset + width])
    return value if keep_marker else value & ((1 << 7 * width) - 1), offset + width

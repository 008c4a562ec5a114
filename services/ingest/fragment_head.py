"""What stands around a fragment's audio: its tags, and the tracks that its lanes have."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from contracts.audio import Channel
from services.ingest.matroska import Id, children, text, unsigned
from services.ingest.scanned import Tag

MAX_CACHED: Final = 256
MAX_CACHED_BYTES: Final = 256
"""Connect's tags have less, and are the same in each fragment: measured, a tenth of the scanner's cost."""

_TRACK_CHANNELS: Final = {
    "AUDIO_FROM_CUSTOMER": Channel.CUSTOMER,
    "AUDIO_TO_CUSTOMER": Channel.AGENT,
}
_LONE_TRACK_NAMES: Final = frozenset({"Track_audio/L16", ""})
"""Names of the customer's track in streams that have no other track."""


def tags(body: bytes) -> tuple[Tag, ...]:
    """The SimpleTags of a Tags element.

    Raises:
        MalformedElement: a child is cut.
    """
    return _short_tags(body) if len(body) <= MAX_CACHED_BYTES else _parsed_tags(body)


@lru_cache(maxsize=MAX_CACHED)
def _short_tags(body: bytes) -> tuple[Tag, ...]:
    return _parsed_tags(body)


def _parsed_tags(body: bytes) -> tuple[Tag, ...]:
    found: list[Tag] = []
    for tag, inner in children(body):
        for simple, pair in children(inner) if tag == Id.TAG else ():
            parts = dict(children(pair)) if simple == Id.SIMPLE_TAG else {}
            if Id.TAG_NAME in parts and Id.TAG_STRING in parts:
                found.append(Tag(text(parts[Id.TAG_NAME]), text(parts[Id.TAG_STRING])))
    return tuple(found)


def lanes(body: bytes) -> Mapping[int, Channel]:
    """Track numbers by name alone: number and order are not fixed."""
    names: dict[int, str] = {}
    for entry, inner in children(body):
        if entry == Id.TRACK_ENTRY:
            parts = dict(children(inner))
            names[unsigned(parts.get(Id.TRACK_NUMBER, b""))] = text(parts.get(Id.TRACK_NAME, b""))
    if len(names) == 1:
        [(number, name)] = names.items()
        if name in _LONE_TRACK_NAMES:
            return {number: Channel.CUSTOMER}
    found: dict[int, Channel] = {}
    for number, name in names.items():
        channel = _TRACK_CHANNELS.get(name)
        if channel is not None and channel not in found.values():
            found[number] = channel
    return found

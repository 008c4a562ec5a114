"""A small writer of GetMedia bodies, as plain as possible, to check the reader against."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CUSTOMER_TRACK = "AUDIO_FROM_CUSTOMER"
AGENT_TRACK = "AUDIO_TO_CUSTOMER"
BOTH = ((1, CUSTOMER_TRACK), (2, AGENT_TRACK))
SWAPPED = ((1, AGENT_TRACK), (2, CUSTOMER_TRACK))
UID = bytes(range(16))
CONTACT = "11111111-1111-4111-8111-111111111111"
T0_MS = 1_700_000_000_000


def size8(value: int) -> bytes:
    return b"\x01" + value.to_bytes(7)


def size(value: int) -> bytes:
    return bytes([0x80 | value]) if value < 127 else size8(value)


def element(hex_id: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes.fromhex(hex_id) + size(len(body)) + body


def unknown_size(hex_id: str) -> bytes:
    return bytes.fromhex(hex_id) + b"\xff"


def number(hex_id: str, value: int) -> bytes:
    return element(hex_id, value.to_bytes(8))


def string(hex_id: str, value: str | bytes) -> bytes:
    return element(hex_id, value.encode() if isinstance(value, str) else value)


def ebml_header() -> bytes:
    return element("1a45dfa3", number("4286", 1), string("4282", "matroska"))


def info(uid: bytes | None = UID, scale_ns: int = 1_000_000) -> bytes:
    return element("1549a966", element("73a4", uid) if uid else b"", number("2ad7b1", scale_ns))


def tracks(entries: Sequence[tuple[int, str]]) -> bytes:
    return element(
        "1654ae6b",
        *(
            element(
                "ae",
                number("d7", n),
                string("536e", name),
                string("86", "A_AAC"),
                element("63a2", b"\x11\x90"),
            )
            for n, name in entries
        ),
    )


def tag(name: str | bytes, value: str | bytes) -> bytes:
    return element("1254c367", element("7373", element("67c8", string("45a3", name), string("4487", value))))


def tags(values: Mapping[str, str]) -> bytes:
    return b"".join(tag(name, value) for name, value in values.items())


def block_body(track: int, offset_ms: int, payload: bytes, flags: int = 0x80) -> bytes:
    return bytes([0x80 | track]) + struct.pack(">hB", offset_ms, flags) + payload


def simple_block(track: int, offset_ms: int, payload: bytes, flags: int = 0x80) -> bytes:
    body = block_body(track, offset_ms, payload, flags)
    return b"\xa3" + size8(len(body)) + body


def block_group(track: int, offset_ms: int, payload: bytes) -> bytes:
    return element("a0", element("a1", block_body(track, offset_ms, payload, 0)), number("9b", 64))


def cluster(at_ms: int, *blocks: bytes) -> bytes:
    return unknown_size("1f43b675") + number("e7", at_ms) + b"".join(blocks)


def known_cluster(at_ms: int, *blocks: bytes) -> bytes:
    return element("1f43b675", number("e7", at_ms), *blocks)


LEADING = {"AWS_KINESISVIDEO_FRAGMENT_NUMBER": "91343852333181432392682062607743920146264"}
IDENTITY = {
    "ContactId": CONTACT,
    "InstanceId": "22222222-2222-4222-8222-222222222222",
    "MimeType": "audio/L16;rate=8000;channels=1;",
    "AUDIO_FROM_CUSTOMER": "1",
    "AUDIO_TO_CUSTOMER": "2",
}
TRAILING = {"AWS_KINESISVIDEO_MILLIS_BEHIND_NOW": "0", "AWS_KINESISVIDEO_CONTINUATION_TOKEN": "9134"}


@dataclass(frozen=True, slots=True)
class Fragment:
    """One fragment; `clusters`: whole Clusters, in order."""

    clusters: tuple[bytes, ...]
    entries: Sequence[tuple[int, str]] = BOTH
    uid: bytes | None = UID
    leading: Mapping[str, str] | None = None
    trailing: Mapping[str, str] | None = None

    def __bytes__(self) -> bytes:
        before = LEADING if self.leading is None else self.leading
        after = IDENTITY | TRAILING if self.trailing is None else self.trailing
        return b"".join((
            ebml_header(),
            unknown_size("18538067"),
            info(self.uid),
            tracks(self.entries),
            tags(before),
            *self.clusters,
            tags(after),
        ))  # fmt: skip

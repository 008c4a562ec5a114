"""The shapes that a Connect stream may take, each with the blocks that ingest must find in it."""

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.audio import Channel
from tests.unit.ingest.matroska_writer import (
    AGENT_TRACK,
    BOTH,
    CONTACT,
    CUSTOMER_TRACK,
    IDENTITY,
    LEADING,
    SWAPPED,
    T0_MS,
    TRAILING,
    Fragment,
    block_group,
    cluster,
    ebml_header,
    element,
    info,
    known_cluster,
    number,
    simple_block,
    size8,
    tag,
    tags,
    tracks,
    unknown_size,
)

C, A = Channel.CUSTOMER, Channel.AGENT
BLOCK_MS = 64
BLOCK_BYTES = 1024
OTHER = {**IDENTITY, "ContactId": "99999999-9999-4999-8999-999999999999"}

type Found = tuple[Channel, int, bytes]


@dataclass(frozen=True, slots=True)
class Case:
    """`found`: (channel, producer time in ms, payload) of what must be released, in order."""

    name: str
    body: bytes
    found: tuple[Found, ...]
    malformed: bool = False
    """Whether the walk must end with an error after what was found."""
    contacts: tuple[str, ...] = field(default=(CONTACT,))


def pcm(seed: object, size: int = BLOCK_BYTES) -> bytes:
    return random.Random(str(seed)).randbytes(size)


def pair(number: int, seed: object = "", size: int = BLOCK_BYTES) -> list[Found]:
    at_ms = T0_MS + number * BLOCK_MS
    return [(C, at_ms, pcm((seed, number, "c"), size)), (A, at_ms, pcm((seed, number, "a"), size))]


def pairs(first: int, count: int, seed: object = "") -> list[Found]:
    return [found for n in range(first, first + count) for found in pair(n, seed)]


def blocks(found: Sequence[Found], start_ms: int, entries: Sequence[tuple[int, str]] = BOTH) -> list[bytes]:
    by_name = {name.rstrip("\0"): n for n, name in entries}
    track = {C: by_name.get(CUSTOMER_TRACK), A: by_name.get(AGENT_TRACK)}
    return [simple_block(track[channel] or 1, at_ms - start_ms, payload) for channel, at_ms, payload in found]


def fragment(found: Sequence[Found], **wish: object) -> bytes:
    start_ms = min(at_ms for _, at_ms, _ in found)
    entries: Sequence[tuple[int, str]] = wish.get("entries", BOTH)  # pyright: ignore[reportAssignmentType]
    body = cluster(start_ms, *blocks(found, start_ms, entries))
    return bytes(Fragment((body,), **wish))  # pyright: ignore[reportArgumentType]


def segment(*parts: bytes) -> bytes:
    """A fragment from its parts; known to be the contact's by its leading tags."""
    return b"".join((ebml_header(), unknown_size("18538067"), info(), tracks(BOTH), tags(IDENTITY), *parts))


def _plain() -> list[Case]:
    calls = pairs(0, 34)
    halves = fragment(calls[:34]), fragment(calls[34:])
    nul = ((1, CUSTOMER_TRACK + "\0\0"), (2, AGENT_TRACK + "\0"))
    only_customer = [found for found in calls if found[0] is C]
    only_agent = [found for found in calls if found[0] is A]
    late = only_customer[:5] + calls[10:34]
    return [
        Case("two tracks", b"".join(halves), tuple(calls)),
        Case(
            "identity before the audio",
            fragment(calls, leading={**LEADING, **IDENTITY}, trailing=TRAILING),
            tuple(calls),
        ),
        Case("tracks swapped", fragment(calls, entries=SWAPPED), tuple(calls)),
        Case("tracks swapped under way", halves[0] + fragment(calls[34:], entries=SWAPPED), tuple(calls)),
        Case("names padded with NUL", fragment(calls, entries=nul), tuple(calls)),
        Case(
            "legacy track", fragment(only_customer, entries=((1, "Track_audio/L16"),)), tuple(only_customer)
        ),
        Case("nameless track", fragment(only_customer, entries=((1, ""),)), tuple(only_customer)),
        Case("customer only", fragment(only_customer), tuple(only_customer)),
        Case("agent only", fragment(only_agent, entries=((7, AGENT_TRACK),)), tuple(only_agent)),
        Case("agent starts late", fragment(late), tuple(late)),
        Case(
            "one track misses blocks",
            fragment(calls[:9] + calls[10:13] + calls[14:]),
            tuple(calls[:9] + calls[10:13] + calls[14:]),
        ),
    ]


def _odd_blocks() -> list[Case]:
    first, last = pairs(0, 5), pairs(6, 5)
    short = [(C, T0_MS + 5 * BLOCK_MS, pcm("short", 192)), (A, T0_MS + 5 * BLOCK_MS, pcm("full"))]
    odd = [(C, T0_MS + 5 * BLOCK_MS, pcm("x", 700)), (A, T0_MS + 5 * BLOCK_MS, pcm("y", 700))]
    found = {
        "192 bytes on the grid": first + short + last,
        "odd pair near the end": first + odd + last,
        "191 bytes": [*first, (C, T0_MS + 320, pcm("o", 191)), *last],
        "1 byte": [*first, (C, T0_MS + 320, b"\x07"), *last],
        "no payload": [*first, (C, T0_MS + 320, b""), *last],
    }
    return [Case(name, fragment(blocks_), tuple(blocks_)) for name, blocks_ in found.items()]


def _contacts() -> list[Case]:
    ours, tail, theirs = pairs(0, 17), pairs(17, 3), pairs(40, 17, "other")
    other_uid = b"\xee" * 16
    next_contact = fragment(theirs, uid=other_uid, trailing=OTHER, entries=SWAPPED)
    two_uids = segment(info(other_uid), cluster(T0_MS, *blocks(ours, T0_MS)))
    return [
        Case("tail without tags", fragment(ours) + fragment(tail, leading={}, trailing={}), (*ours, *tail)),
        Case("tail with some tags", fragment(ours) + fragment(tail, trailing=TRAILING), (*ours, *tail)),
        Case("never a contact", fragment(ours, trailing=TRAILING), ()),
        Case("next contact", fragment(ours) + next_contact, tuple(ours)),
        Case(
            "next contact with the same SegmentUID",
            fragment(ours) + fragment(theirs, trailing=OTHER),
            tuple(ours),
        ),
        Case(
            "next contact with the same SegmentUID, cut off",
            fragment(ours) + fragment(theirs, trailing={}),
            tuple(ours),
        ),
        Case(
            "tail without tags after a hole",
            fragment(ours) + fragment(pairs(30, 3), trailing={}) + next_contact,
            (*ours, *pairs(30, 3)),
        ),
        Case(
            "tail with some tags after a hole",
            fragment(ours) + fragment(pairs(30, 3), trailing=TRAILING),
            (*ours, *pairs(30, 3)),
        ),
        Case("two SegmentUIDs", two_uids + fragment(tail, uid=other_uid, trailing={}), ()),
        Case("previous contact", next_contact + fragment(pairs(60, 17)), tuple(pairs(60, 17))),
        Case(
            "next contact named before its audio",
            fragment(ours) + fragment(theirs, leading=OTHER, trailing={}),
            tuple(ours),
        ),
        Case(
            "next contact without tags",
            fragment(ours) + fragment(theirs, uid=other_uid, trailing={}),
            tuple(ours),
        ),
        Case(
            "no SegmentUID in the tail", fragment(ours) + fragment(tail, uid=None, trailing={}), tuple(ours)
        ),
        Case(
            "two accepted contacts",
            fragment(ours) + next_contact,
            (*ours, *theirs),
            contacts=(CONTACT, OTHER["ContactId"]),
        ),
        Case("cut before the tags", fragment(ours, leading={}, trailing={}), ()),
    ]


def _times() -> list[Case]:
    first, missing, third = pairs(0, 17), pairs(34, 17), pairs(20, 4)
    return [
        Case("missing fragment", fragment(first) + fragment(missing), (*first, *missing)),
        Case("duplicate fragment", fragment(first) + fragment(first), (*first, *first)),
        Case("clock going back", fragment(missing) + fragment(third), (*missing, *third)),
        Case("clock jumping ahead", fragment(first) + fragment(pairs(1000, 5)), (*first, *pairs(1000, 5))),
    ]


def _matroska() -> list[Case]:
    found = pairs(0, 4)
    raw = blocks(found, T0_MS)
    magic = [(C, T0_MS, bytes.fromhex("1f43b675ff1a45dfa3a3") * 100)]
    void, crc = element("ec", bytes(40)), element("bf", bytes(4))
    grouped = [block_group(1 + channel, at_ms - T0_MS, payload) for channel, at_ms, payload in found]
    scaled = b"".join((
        ebml_header(), unknown_size("18538067"), info(scale_ns=2_000_000), tracks(BOTH), tags(IDENTITY),
        cluster(T0_MS // 2, simple_block(1, 32, pcm("s"))),
    ))  # fmt: skip
    unknown_track = [raw[0], simple_block(9, 0, pcm("u")), *raw[1:]]
    short = [raw[0], b"\xa3" + size8(0), b"\xa3" + size8(2) + b"\x81\x00", *raw[1:]]
    known_segment = b"".join((info(), tracks(BOTH), tags(IDENTITY), known_cluster(T0_MS, *raw)))
    return [
        Case("magic bytes in the audio", fragment(magic), tuple(magic)),
        Case("cluster of known size", segment(known_cluster(T0_MS, *raw), tags(TRAILING)), tuple(found)),
        Case(
            "segment of known size",
            (ebml_header() + element("18538067", known_segment)) * 2,
            (*found, *found),
        ),
        Case(
            "several clusters",
            segment(cluster(T0_MS, *raw[:4]), known_cluster(T0_MS, *raw[4:6]), cluster(T0_MS, *raw[6:])),
            tuple(found),
        ),
        Case(
            "empty cluster", segment(cluster(T0_MS), known_cluster(T0_MS), cluster(T0_MS, *raw)), tuple(found)
        ),
        Case(
            "error without a cluster",
            fragment(found) + segment(tag("AWS_KINESISVIDEO_ERROR_ID", "5000")),
            tuple(found),
        ),
        Case(
            "Void and CRC-32",
            void + segment(crc, void, cluster(T0_MS, crc, *raw[:3], void, *raw[3:])),
            tuple(found),
        ),
        Case("cut in mid block", segment(cluster(T0_MS, *raw[:5], raw[5][:500])), tuple(found[:5])),
        Case("BlockGroup", segment(cluster(T0_MS, *grouped)), tuple(found)),
        Case("blocks too short", segment(cluster(T0_MS, *short)), tuple(found)),
        Case("unknown track", segment(cluster(T0_MS, *unknown_track)), tuple(found)),
        Case("scaled times", scaled, ((C, T0_MS + 64, pcm("s")),)),
        Case("tag that is no UTF-8", segment(tag("x", b"\xff\xfe"), cluster(T0_MS, *raw)), tuple(found)),
        Case(
            "position and prevsize",
            segment(cluster(T0_MS, number("a7", 5), number("ab", 7), *raw)),
            tuple(found),
        ),
    ]


def _lacing() -> list[Case]:
    frames = [pcm("l1", 300), pcm("l2", 512), pcm("l3", 90)]
    xiph = bytes([2, 255, 45, 255, 255, 2]) + b"".join(frames)
    ebml = (
        b"\x02"
        + struct.pack(">H", 0x4000 | 300)
        + struct.pack(">H", 0x4000 | (212 + 0x1FFF))
        + b"".join(frames)
    )
    fixed = b"\x02" + b"".join(pcm(f"f{n}", 200) for n in range(3))
    cases = {
        "Xiph lacing": (0x02, xiph, b"".join(frames)),
        "EBML lacing": (0x06, ebml, b"".join(frames)),
        "fixed lacing": (0x04, fixed, fixed[1:]),
    }
    good = pcm("good")
    return [
        Case(name, segment(cluster(T0_MS, simple_block(1, 0, body, flags))), ((C, T0_MS, expected),))
        for name, (flags, body, expected) in cases.items()
    ] + [
        Case(
            f"unsound lacing {flags:#x}",
            segment(cluster(T0_MS, simple_block(1, 0, body, flags), simple_block(1, 64, good))),
            ((C, T0_MS + 64, good),),
        )
        for flags, body in ((0x02, b"\x02\xff"), (0x04, b"\x02abcd"), (0x06, b"\x01\x81"), (0x06, b""))
    ]


def _malformed() -> list[Case]:
    found = pairs(0, 4)
    raw = blocks(found, T0_MS)
    good = fragment(found)
    bad = {
        "200 MiB block": segment(cluster(T0_MS, *raw, b"\xa3" + size8(200 << 20))),
        "1 TiB block": segment(cluster(T0_MS, *raw, b"\xa3" + size8(1 << 40))),
        "1 TiB cluster": segment(cluster(T0_MS, *raw), bytes.fromhex("1f43b675") + size8(1 << 40)),
        "1 TiB Void": segment(cluster(T0_MS, *raw), b"\xec" + size8(1 << 40)),
        "Tags of unknown size": segment(cluster(T0_MS, *raw), unknown_size("1254c367")),
        "garbage between fragments": good + b"garbage" + good,
        "zeros between fragments": good + bytes(100) + good,
        "block outside a cluster": segment(cluster(T0_MS, *raw)) + segment(raw[0]),
        "segment without a header": unknown_size("18538067"),
        "two segments under one header": segment(cluster(T0_MS, *raw), unknown_size("18538067"), info()),
        "block before its time": segment(cluster(T0_MS, *raw), unknown_size("1f43b675"), raw[0]),
        "child beyond its parent": segment(
            cluster(T0_MS, *raw), bytes.fromhex("1f43b675") + size8(20) + number("e7", T0_MS) + raw[0]
        ),
        "tags inside a known cluster": segment(
            cluster(T0_MS, *raw), known_cluster(T0_MS, tags({"ContactId": CONTACT}))
        ),
    }
    none = {"segment without a header"}
    return [Case(n, body, () if n in none else tuple(found), malformed=True) for n, body in bad.items()]


CASES = (
    *_plain(), *_odd_blocks(), *_contacts(), *_times(), *_matroska(), *_lacing(), *_malformed(),
)  # fmt: skip

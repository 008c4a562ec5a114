"""Frames on the link: one websocket per pair of an ingest and a transcribe process, sessions multiplexed.

ingest dials. Control frames are JSON text, audio frames are binary. The first frame of each side is `hello`.
A session is opened by ingest under a `handle`, a number of ingest's choice that is unique on the link.
Positions are samples since t0 (`contracts.audio`).

The websocket itself is the heartbeat: a ping each `HEARTBEAT_S`; a peer silent for `DEAD_AFTER_S` is dead.
It runs over TLS 1.3 with an external pre-shared key (RFC 8446, 2.2: mutual authentication, forward secrecy,
no certificates). Client contexts keep `verify_mode=CERT_REQUIRED` with no authorities loaded, so that a
server that offers a certificate in place of the key is refused.
"""

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, TypeAdapter

from contracts.audio import STEREO_SAMPLE_BYTES
from contracts.events import SessionRequested
from contracts.model import ContactId, Contract
from contracts.session import NonNegative

VERSIONS: tuple[int, ...] = (1,)
"""That this release speaks. A release that changes frames adds a version and goes on speaking the one before:
during a deployment either side may be the older one."""
PATH = "/link"
HEARTBEAT_S = 1.0
DEAD_AFTER_S = 2.5
MAX_FRAME_BYTES = 1 << 20
"""Of any frame; audio of many sessions is split over several."""

PSK_IDENTITY = "connect-transcription-link-1"
"""Of the first secret; every key has an identity of its own, too."""


def pre_shared_key(link_secret: str) -> bytes:
    """The 32-byte TLS key that both ends derive from the one random secret (32 characters or more)."""
    return hashlib.sha256(f"{PSK_IDENTITY}\0{link_secret}".encode()).digest()


def psk_identity(key: bytes) -> str:
    """Names a key in the handshake, so that two of them may be in use while a secret is rotated."""
    return f"{PSK_IDENTITY}/{hashlib.sha256(b'identity' + key).hexdigest()[:16]}"


def accepted_keys(link_secrets: Sequence[str]) -> dict[str, bytes]:
    """Keys by the identities that a server knows; a peer that names none means the first."""
    keys = [pre_shared_key(secret) for secret in link_secrets]
    return {PSK_IDENTITY: keys[0], **{psk_identity(key): key for key in keys}}


def offered_keys(link_secrets: Sequence[str]) -> list[tuple[str, bytes]]:
    """Identities with their keys in the order in which a client offers them, one per connection.

    A lone secret is offered without its name first: a server of before names knows it, too.
    """
    keys = [pre_shared_key(secret) for secret in link_secrets]
    named, nameless = [(psk_identity(key), key) for key in keys], (PSK_IDENTITY, keys[0])
    return [*named, nameless] if len(named) > 1 else [nameless, *named]


type Handle = Annotated[int, Field(ge=0, lt=1 << 32)]


class Hello(Contract):
    """First frame of each side; the answer names the one version that both speak."""

    type: Literal["hello"] = "hello"
    versions: tuple[int, ...] = VERSIONS
    peer: str
    """Name of the process, for logs."""


def agreed(offered: Iterable[int]) -> int | None:
    """The newest version that is offered and that this release speaks, too; None when there is none."""
    return max(set(offered).intersection(VERSIONS), default=None)


class Open(Contract):
    """ingest -> transcribe: claim this session for me."""

    type: Literal["open"] = "open"
    handle: Handle
    request: SessionRequested
    message_id: str
    """SQS message of the request: the session's lease."""
    receipt_handle: str
    """With it transcribe makes the request visible again when this ingest dies."""


class OpenedSession(Contract):
    """transcribe -> ingest: claimed; send audio from `position_samples` on."""

    type: Literal["opened"] = "opened"
    handle: Handle
    epoch: int
    t0_ms: NonNegative | None
    """None: nothing was heard of the session yet; ingest says with `started`."""
    position_samples: NonNegative
    segment_uids: tuple[str, ...] = ()
    contact_ids: tuple[ContactId, ...] = ()


class Refusal(StrEnum):
    """Why a session was not opened, which says what ingest does with the request."""

    FULL = "full"
    """Try another peer, else put the request back."""
    DRAINING = "draining"
    """Try another peer, else put the request back."""
    ALREADY_SERVED = "already_served"
    """Another request's session lives: delete this request, nothing else."""
    ENDED = "ended"
    """The session is over: delete the request."""
    BUSY = "busy"
    """Another writer made progress a moment ago: put the request back for a few seconds."""
    FAILED = "failed"
    """The session cannot be (no header, no progress over many claims): it was ended; delete the request."""


class Refused(Contract):
    """transcribe -> ingest: not opened."""

    type: Literal["refused"] = "refused"
    handle: Handle
    refusal: Refusal
    explanation: str
    retry_after_s: NonNegative = 0


class Started(Contract):
    """ingest -> transcribe, before a new session's first audio: producer time of position 0."""

    type: Literal["started"] = "started"
    handle: Handle
    t0_ms: NonNegative


class Gate(Contract):
    """ingest -> transcribe: what the contact gate has confirmed so far; a successor starts with it."""

    type: Literal["gate"] = "gate"
    handle: Handle
    segment_uids: tuple[str, ...]
    contact_ids: tuple[ContactId, ...]


class Skip(Contract):
    """ingest -> transcribe: no audio in this range (lost, or a clock jump); the position moves over it."""

    type: Literal["skip"] = "skip"
    handle: Handle
    from_samples: NonNegative
    to_samples: NonNegative
    cause: str


STREAM_QUIET = "stream_quiet"
"""Code of a notice: KVS answers and has nothing new for some seconds, though the call did not end in
silence. What was heard of its last words should wait no longer."""


class Notice(Contract):
    """ingest -> transcribe: what an operator wants to know of the audio, e.g. `one_sided_audio`."""

    type: Literal["notice"] = "notice"
    handle: Handle
    code: str
    explanation: str
    from_samples: NonNegative | None = None
    """With `to_samples`: the range that has no audio; silence comes in its place. It may be told again."""
    to_samples: NonNegative | None = None


class End(Contract):
    """ingest -> transcribe: the call's audio is complete at `position_samples`."""

    type: Literal["end"] = "end"
    handle: Handle
    position_samples: NonNegative
    reason: str


class Abort(Contract):
    """ingest -> transcribe: the audio cannot be read, and trying again will not help."""

    type: Literal["abort"] = "abort"
    handle: Handle
    reason: str
    explanation: str


class Release(Contract):
    """ingest -> transcribe: ingest gives the session up for a successor; what is not final is replayed."""

    type: Literal["release"] = "release"
    handle: Handle


class Credit(Contract):
    """transcribe -> ingest: audio up to `until_samples` may be sent (absolute, so repeats do no harm)."""

    type: Literal["credit"] = "credit"
    handle: Handle
    until_samples: NonNegative


class Rewind(Contract):
    """transcribe -> ingest: send again from `position_samples` on. Audio above it is ignored until then."""

    type: Literal["rewind"] = "rewind"
    handle: Handle
    position_samples: NonNegative


class EndHint(Contract):
    """transcribe -> ingest: the call was disconnected; drain what the stream still holds and end."""

    type: Literal["end_hint"] = "end_hint"
    handle: Handle
    disconnected_at_ms: NonNegative | None


class Accept(Contract):
    """transcribe -> ingest: these contacts' audio belongs to the session, too (a transfer)."""

    type: Literal["accept"] = "accept"
    handle: Handle
    contact_ids: tuple[ContactId, ...]


class ClosedSession(Contract):
    """transcribe -> ingest: the session is over for this pair; says what to do with the request."""

    type: Literal["closed"] = "closed"
    handle: Handle
    disposition: Literal["delete", "put_back", "leave"]
    """`delete` the request (`ended` is in the log), `put_back` for a successor, `leave` to its new owner."""
    reason: str


class Draining(Contract):
    """transcribe -> ingest: open no more sessions here; the open ones will be closed with `put_back`."""

    type: Literal["draining"] = "draining"


type FromIngest = Annotated[
    Hello | Open | Started | Gate | Skip | Notice | End | Abort | Release, Field(discriminator="type")
]
type FromTranscribe = Annotated[
    Hello | OpenedSession | Refused | Credit | Rewind | EndHint | Accept | ClosedSession | Draining,
    Field(discriminator="type"),
]
FROM_INGEST: TypeAdapter[FromIngest] = TypeAdapter(FromIngest)
FROM_TRANSCRIBE: TypeAdapter[FromTranscribe] = TypeAdapter(FromTranscribe)


class MalformedFrame(ValueError):
    """The peer broke the frame format; the link must be closed."""


class AudioChunk(NamedTuple):
    """Audio of one session; `pcm`: interleaved s16le, 8 kHz, 2 channels, a whole number of samples."""

    handle: int
    position_samples: int
    pcm: bytes


_CHUNK_HEAD = struct.Struct("<IQI")


def encode_audio(chunks: Iterable[AudioChunk]) -> Iterator[bytes]:
    """One tick's chunks as binary frames, in order, each at most `MAX_FRAME_BYTES` long.

    A frame is a sequence of (handle u32, position u64, length u32, pcm), little-endian.
    """
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        length = _CHUNK_HEAD.size + len(chunk.pcm)
        if length > MAX_FRAME_BYTES:
            msg = f"a chunk of {len(chunk.pcm)} bytes does not fit a frame"
            raise MalformedFrame(msg)
        if size + length > MAX_FRAME_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
        parts += (_CHUNK_HEAD.pack(chunk.handle, chunk.position_samples, len(chunk.pcm)), chunk.pcm)
        size += length
    if parts:
        yield b"".join(parts)


def decode_audio(frame: bytes) -> Iterator[AudioChunk]:
    """The chunks of one binary frame.

    Raises:
        MalformedFrame: a chunk is cut, or is not a whole number of stereo samples.
    """
    offset = 0
    while offset < len(frame):
        body = offset + _CHUNK_HEAD.size
        if body > len(frame):
            msg = f"chunk head cut at byte {offset} of {len(frame)}"
            raise MalformedFrame(msg)
        handle, position, length = _CHUNK_HEAD.unpack_from(frame, offset)
        offset = body + length
        if offset > len(frame) or length % STEREO_SAMPLE_BYTES:
            msg = f"chunk of {length} bytes at byte {body} of {len(frame)}"
            raise MalformedFrame(msg)
        yield AudioChunk(handle, position, frame[body:offset])

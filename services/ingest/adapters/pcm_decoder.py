"""Blocks to PCM through PyAV (FFmpeg): one canonical container per call, one push and one pull per block.

The demuxer never sees the stream itself: Connect labels PCM as AAC and changes track numbers under way, which
a long-lived container takes for the first fragment's and swaps the speakers. It gets a stream that is written
here: one PCM track on which the lanes take turns, one Cluster per block. Whose block it is, is known without
it: what is pushed is pulled before the next one comes.
"""

import struct
from collections.abc import Generator
from functools import lru_cache
from typing import Final, cast

import av
from av.audio.stream import AudioStream
from av.error import FFmpegError
from av.packet import Packet

from contracts.audio import MONO_SAMPLE_BYTES, SAMPLE_RATE_HZ, Channel
from services.ingest.errors import UndecodableBlock
from services.ingest.matroska import Id

_OPTIONS: Final = {
    # Measured: with the default of 5 MB the container waits for 5 s of audio; 0 would mean the default.
    "probesize": "32",
    "analyzeduration": "1",
    # Bytes of the demuxer's seek index, which otherwise grows by 1 MB over a call.
    "indexmem": "4096",
}
BUFFER_BYTES: Final = 2_048
"""FFmpeg's input buffer: one block of Connect's and its head; larger ones pass it by. It is filled from
end to end before it is used again, so that PyAV's default of 32 KiB, times 500 calls, is never in the
processor's caches (measured: with a second track's codec it doubles what a block costs)."""
_TRACK: Final = 1
_AUDIO_TRACK: Final = 2
_UNKNOWN_SIZE: Final = b"\x01" + b"\xff" * 7


def _size(value: int) -> bytes:
    return struct.pack(">Q", 1 << 56 | value)


def _element(element: Id, body: bytes) -> bytes:
    return _id(element) + _size(len(body)) + body


def _id(element: int) -> bytes:
    return element.to_bytes((element.bit_length() + 7) // 8)


def _unsigned(element: int, value: int) -> bytes:
    return _id(element) + _size(4) + struct.pack(">I", value)


def _raw(element: int, body: bytes) -> bytes:
    return _id(element) + _size(len(body)) + body


def _track() -> bytes:
    audio = b"".join(
        (
            _raw(0xB5, struct.pack(">d", SAMPLE_RATE_HZ)),  # SamplingFrequency
            _unsigned(0x9F, 1),  # Channels
            _unsigned(0x6264, 8 * MONO_SAMPLE_BYTES),  # BitDepth
        )
    )
    return _element(Id.TRACK_ENTRY, b"".join((
        _unsigned(Id.TRACK_NUMBER, _TRACK),
        _unsigned(0x73C5, _TRACK),  # TrackUID
        _unsigned(0x83, _AUDIO_TRACK),  # TrackType
        _unsigned(0x9C, 0),  # FlagLacing
        _raw(0x86, b"A_PCM/INT/LIT"),  # CodecID
        _raw(0xE1, audio),  # Audio
    )))  # fmt: skip


_HEAD: Final = b"".join((
    _element(Id.EBML, b"".join((
        _unsigned(0x4286, 1),  # EBMLVersion
        _unsigned(0x42F7, 1),  # EBMLReadVersion
        _unsigned(0x42F2, 4),  # EBMLMaxIDLength
        _unsigned(0x42F3, 8),  # EBMLMaxSizeLength
        _raw(0x4282, b"matroska"),  # DocType
        _unsigned(0x4287, 4),  # DocTypeVersion
        _unsigned(0x4285, 2),  # DocTypeReadVersion
    ))),
    _id(Id.SEGMENT), _UNKNOWN_SIZE,
    _element(Id.INFO, _unsigned(Id.TIMECODE_SCALE, 1_000_000)),
    _element(Id.TRACKS, _track()),
))  # fmt: skip

_BLOCK_HEAD: Final = struct.Struct(">B h B")
_TIMECODE: Final = _unsigned(Id.TIMECODE, 0)
_KEYFRAME: Final = 0x80


@lru_cache(maxsize=64)
def _cluster_head(size: int) -> bytes:
    """A Cluster with one SimpleBlock, up to its payload of `size` bytes.

    All times are 0: the blocks' own are kept beside the container.
    """
    block = _BLOCK_HEAD.size + size
    return b"".join((
        _id(Id.CLUSTER), _size(len(_TIMECODE) + 9 + block), _TIMECODE,
        _id(Id.SIMPLE_BLOCK), _size(block), _BLOCK_HEAD.pack(0x80 | _TRACK, 0, _KEYFRAME),
    ))  # fmt: skip


class _Pushed:
    """The file that the container reads.

    A `read(n)` that gave more than n bytes would end the process; one that gives none ends the container.
    """

    __slots__ = ("_bytes",)

    def __init__(self) -> None:
        self._bytes = b""

    def push(self, data: bytes) -> None:
        self._bytes += data

    def read(self, size: int) -> bytes:
        data = self._bytes
        if len(data) <= size:
            self._bytes = b""
            return data
        self._bytes = data[size:]
        return data[:size]


class PcmDecoder:
    """Decodes the blocks of one call. After an `UndecodableBlock` it is used up."""

    __slots__ = ("_packets", "_pushed")

    def __init__(self) -> None:
        self._pushed = _Pushed()
        self._pushed.push(_HEAD)
        self._packets: Generator[Packet[AudioStream]] | None = None

    def __del__(self) -> None:
        """A demuxer that is dropped under way would keep 160 bytes for ever (measured, PyAV 19.0)."""
        if self._packets is not None:
            self._packets.close()

    def decode(self, channel: Channel, payload: bytes) -> bytes:
        """PCM (s16le, 8 kHz, mono) of one block; `payload` holds at least one whole sample, and no half.

        Raises:
            UndecodableBlock: nothing, or something else than the block's length came out.
        """
        self._pushed.push(_cluster_head(len(payload)) + payload)
        try:
            if self._packets is None:
                container = av.open(
                    self._pushed, mode="r", format="matroska", options=_OPTIONS, buffer_size=BUFFER_BYTES
                )
                self._packets = cast("Generator[Packet[AudioStream]]", container.demux(audio=0))
            frames = next(self._packets).decode()
        except (FFmpegError, StopIteration) as error:
            msg = f"{len(payload)} bytes of {channel.speaker}"
            raise UndecodableBlock(msg) from error
        pcm = b"".join([bytes(frame.planes[0])[: frame.samples * MONO_SAMPLE_BYTES] for frame in frames])
        if len(pcm) != len(payload):
            msg = f"{len(pcm)} of {len(payload)} bytes of {channel.speaker}"
            raise UndecodableBlock(msg)
        return pcm

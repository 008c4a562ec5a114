"""The Matroska writer, judged by an independent reader and by FFmpeg's demuxer."""

import io
import random

import av
import pytest

from emulators.kvs.ebml import Id, claim, element, open_element, size_field, void, with_crc
from emulators.kvs.matroska import (
    Lacing,
    Track,
    audio,
    block_group,
    cluster_fields,
    cluster_start,
    ebml_header,
    error_fragment,
    head,
    info,
    known_cluster,
    laced,
    simple_block,
    tags,
    tracks,
)
from tests.unit.emulators.ebml_reader import fragments_of

UID = bytes(range(16))
AT_MS = 1_790_000_000_000
ENTRIES = (Track(1, "AUDIO_FROM_CUSTOMER"), Track(2, "AUDIO_TO_CUSTOMER"))
PCM = random.Random(7).randbytes(1024)


def packets_of(body: bytes) -> list[tuple[int, bytes]]:
    with av.open(io.BytesIO(body), mode="r", format="matroska") as container:
        return [(packet.stream.index, bytes(packet)) for packet in container.demux() if packet.size]


def segment(*parts: bytes) -> bytes:
    return b"".join((ebml_header(), open_element(Id.SEGMENT), info(UID), tracks(ENTRIES), *parts))


@pytest.mark.parametrize(
    ("size", "width", "field"),
    [
        (0, None, "80"),
        (126, None, "fe"),
        (127, None, "407f"),
        (1028, None, "4404"),
        (1028, 8, "0100000000000404"),
        (200 << 20, None, "1c800000"),
        (1 << 40, None, "050000000000"),
    ],
)
def test_sizes_are_written_in_as_many_bytes_as_asked(size: int, width: int | None, field: str) -> None:
    written = size_field(size, width).hex()
    assert written == field if width or size < 1 << 28 else len(written) == 12


def test_a_size_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        size_field(127, 1)


def test_a_fragment_reads_back_as_it_was_written() -> None:
    body = (
        head(
            segment_uid=UID,
            entries=ENTRIES[::-1],
            leading_tags={"AWS_KINESISVIDEO_FRAGMENT_NUMBER": "91"},
            identity_tags={"ContactId": "one"},
            at_ms=AT_MS,
        )
        + simple_block(1, 0, PCM)
        + simple_block(2, -64, PCM[:192])
        + tags({"MimeType": "audio/L16;rate=8000;channels=1;"})
    )
    (fragment,) = fragments_of(body)
    assert fragment.segment_uid == UID
    assert fragment.tracks == [(2, "AUDIO_TO_CUSTOMER"), (1, "AUDIO_FROM_CUSTOMER")]
    assert fragment.leading_tags == {"AWS_KINESISVIDEO_FRAGMENT_NUMBER": "91", "ContactId": "one"}
    assert fragment.trailing_tags == [{"MimeType": "audio/L16;rate=8000;channels=1;"}]
    assert fragment.blocks == [
        ("AUDIO_FROM_CUSTOMER", AT_MS, PCM),
        ("AUDIO_TO_CUSTOMER", AT_MS - 64, PCM[:192]),
    ]
    assert packets_of(body) == [(1, PCM), (0, PCM[:192])]


def test_the_fast_way_writes_the_same_as_the_general_one() -> None:
    for size in (0, 1, 191, 1024, 65_536):
        pcm = bytes(size)
        general = element(Id.SIMPLE_BLOCK, b"\x82\x00\x40\x80" + pcm, size_width=8)
        assert simple_block(2, 64, pcm) == general


def test_known_clusters_groups_voids_and_checksums_are_understood_by_ffmpeg() -> None:
    body = segment(
        void(300),
        known_cluster(AT_MS, simple_block(1, 0, PCM, size_width=2), block_group(2, 0, PCM[:192])),
        element(
            Id.CLUSTER, with_crc(cluster_fields(AT_MS + 64, position=None), simple_block(1, 0, PCM[:64]))
        ),
        cluster_start(AT_MS + 128),
        simple_block(2, 0, PCM[:32]),
    )
    assert packets_of(body) == [(0, PCM), (1, PCM[:192]), (0, PCM[:64]), (1, PCM[:32])]


@pytest.mark.parametrize(
    ("lacing", "sizes"),
    [
        (Lacing.XIPH, [256, 255, 0, 513]),
        (Lacing.EBML, [256, 128, 512, 128]),
        (Lacing.FIXED_SIZE, [256, 256, 256, 256]),
    ],
)
def test_laced_frames_come_apart_in_ffmpeg(lacing: Lacing, sizes: list[int]) -> None:
    frames = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    payload, flags = laced(frames, lacing)
    body = segment(cluster_start(AT_MS), simple_block(1, 0, payload, flags=flags))
    assert b"".join(pcm for _, pcm in packets_of(body)) == b"".join(frames)


def test_lacing_refuses_what_it_cannot_say() -> None:
    with pytest.raises(ValueError, match="needs two frames"):
        laced([b"a"], Lacing.XIPH)
    with pytest.raises(ValueError, match="one length"):
        laced([b"a", b"bc"], Lacing.FIXED_SIZE)
    with pytest.raises(ValueError, match="no lacing"):
        laced([b"a", b"b"], Lacing.NONE)


def test_tracks_may_describe_themselves_truly() -> None:
    entry = Track(1, "AUDIO_FROM_CUSTOMER\0\0", codec_id="A_PCM/INT/LIT", codec_private=None, audio=audio())
    body = b"".join(
        (
            ebml_header(),
            open_element(Id.SEGMENT),
            info(UID),
            tracks([entry]),
            cluster_start(AT_MS),
            simple_block(1, 0, PCM),
        )
    )
    with av.open(io.BytesIO(body), mode="r", format="matroska") as container:
        assert container.streams.audio[0].codec_context.name == "pcm_s16le"
        assert container.streams.audio[0].rate == 8_000
    (fragment,) = fragments_of(body)
    assert fragment.tracks == [(1, "AUDIO_FROM_CUSTOMER\0\0")]


def test_an_error_has_tags_and_no_cluster() -> None:
    (fragment,) = fragments_of(error_fragment(code=4000, error="Requested fragment is not found"))
    assert fragment.cluster_ms is None
    assert fragment.trailing_tags == [
        {
            "AWS_KINESISVIDEO_ERROR_CODE": "Requested fragment is not found",
            "AWS_KINESISVIDEO_ERROR_ID": "4000",
        }
    ]


def test_a_claim_may_be_a_lie() -> None:
    assert claim(Id.TAGS, 1 << 40).hex() == "1254c367" + size_field(1 << 40).hex()

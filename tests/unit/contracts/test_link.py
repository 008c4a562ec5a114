import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.link import (
    MAX_FRAME_BYTES,
    VERSIONS,
    AudioChunk,
    Hello,
    MalformedFrame,
    agreed,
    decode_audio,
    encode_audio,
    pre_shared_key,
)

chunks = st.builds(
    AudioChunk,
    handle=st.integers(0, 2**32 - 1),
    position_samples=st.integers(0, 2**63),
    pcm=st.binary(max_size=64).map(lambda pcm: pcm[: len(pcm) // 4 * 4]),
)


@given(st.lists(chunks))
def test_what_is_encoded_is_decoded(sent: list[AudioChunk]) -> None:
    assert [chunk for frame in encode_audio(sent) for chunk in decode_audio(frame)] == sent


def test_many_sessions_are_split_over_frames_within_the_limit() -> None:
    sent = [AudioChunk(handle, 0, bytes(64_000)) for handle in range(40)]
    frames = list(encode_audio(sent))
    assert len(frames) == 3
    assert max(map(len, frames)) <= MAX_FRAME_BYTES
    assert [chunk.handle for frame in frames for chunk in decode_audio(frame)] == list(range(40))


def test_a_chunk_beyond_the_frame_limit_is_refused() -> None:
    with pytest.raises(MalformedFrame, match="does not fit"):
        list(encode_audio([AudioChunk(0, 0, bytes(MAX_FRAME_BYTES))]))


@given(chunks.filter(lambda chunk: len(chunk.pcm) > 0), st.data())
def test_a_cut_frame_is_malformed(chunk: AudioChunk, data: st.DataObject) -> None:
    (frame,) = encode_audio([chunk])
    length = data.draw(st.integers(1, len(frame) - 1))
    with pytest.raises(MalformedFrame):
        list(decode_audio(frame[:length]))


def test_half_a_stereo_sample_is_malformed() -> None:
    (frame,) = encode_audio([AudioChunk(0, 0, bytes(6))])
    with pytest.raises(MalformedFrame, match="chunk of 6 bytes"):
        list(decode_audio(frame))


def test_keys_differ_with_the_secret_and_have_the_length_of_sha256() -> None:
    assert len(pre_shared_key("a")) == 32
    assert pre_shared_key("a") != pre_shared_key("b")


def test_neighbours_one_version_apart_agree_on_the_older_ones() -> None:
    newest = max(VERSIONS)
    assert agreed((newest + 1, newest)) == newest
    assert agreed(Hello(peer="this release").versions) == newest
    assert agreed((min(VERSIONS),)) == min(VERSIONS)


def test_neighbours_without_a_common_version_agree_on_none() -> None:
    assert agreed((max(VERSIONS) + 1,)) is None
    assert agreed(()) is None

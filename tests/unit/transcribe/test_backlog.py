import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.transcribe.backlog import Backlog, Piece, silenced

NOTHING = (0, 0)


def audio(start: int, end: int) -> Piece:
    """Samples that tell their position: left its value, right its negative."""
    left = np.arange(start + 1, end + 1, dtype=np.int16)
    return Piece(start, np.stack([left, -left], axis=1).astype("<i2").tobytes())


def test_audio_is_read_again_from_any_position() -> None:
    backlog = Backlog(0)
    for start in range(0, 1_000, 100):
        backlog.push(audio(start, start + 100))
    assert backlog.read(250, 300, NOTHING) == audio(250, 550)
    assert backlog.read(950, 300, NOTHING) == audio(950, 1_000)
    assert backlog.read(1_000, 300, NOTHING) is None


def test_audio_that_was_sent_already_is_cut() -> None:
    backlog = Backlog(0)
    backlog.push(audio(0, 100))
    backlog.push(audio(40, 160))
    backlog.push(audio(10, 160))
    assert backlog.end == 160
    assert backlog.read(0, 1_000, NOTHING) == audio(0, 160)


def test_audio_that_does_not_follow_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="does not follow"):
        Backlog(0).push(audio(1, 2))


def test_a_read_stops_at_a_hole_and_the_next_begins_after_it() -> None:
    backlog = Backlog(0)
    backlog.push(audio(0, 100))
    backlog.skip(250)
    backlog.push(audio(250, 300))
    assert backlog.read(50, 1_000, NOTHING) == audio(50, 100)
    assert backlog.read(100, 1_000, NOTHING) == audio(250, 300)


def test_what_is_trimmed_is_gone() -> None:
    backlog = Backlog(0)
    backlog.push(audio(0, 100))
    backlog.push(audio(100, 200))
    backlog.trim(150)
    assert (backlog.start, backlog.end) == (100, 200)
    backlog.trim(500)
    assert (backlog.start, backlog.end) == (200, 200)


def test_the_channel_that_was_heard_further_is_silent_until_there() -> None:
    backlog = Backlog(0)
    backlog.push(audio(0, 100))
    piece = backlog.read(20, 80, (20, 60))
    assert piece is not None
    samples = np.frombuffer(piece.pcm, "<i2").reshape(-1, 2)
    expected = np.frombuffer(audio(20, 100).pcm, "<i2").reshape(-1, 2).copy()
    expected[: 60 - 20, 1] = 0
    assert (samples == expected).all()


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 50), st.integers(1, 200))
def test_silence_ends_exactly_where_new_audio_begins(
    left: int, right: int, position: int, length: int
) -> None:
    original = audio(position, position + length)
    samples = np.frombuffer(silenced(original.pcm, position, (left, right)), "<i2").reshape(-1, 2)
    at = np.arange(position, position + length)
    assert ((samples[:, 0] == 0) == (at < left)).all()
    assert ((samples[:, 1] == 0) == (at < right)).all()


@given(
    st.lists(st.tuples(st.integers(1, 200), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(1, 500),
    st.integers(0, 3_000),
)
def test_reading_on_and_on_gives_every_sample_once(
    pieces: list[tuple[int, int]], limit: int, trim: int
) -> None:
    backlog, expected = Backlog(0), list[int]()
    for length, hole in pieces:
        backlog.skip(backlog.end + hole)
        start = backlog.end
        backlog.push(audio(start, start + length))
        expected += range(start, start + length)
    backlog.trim(trim)
    cursor, seen = backlog.start, list[int]()
    while (piece := backlog.read(cursor, limit, NOTHING)) is not None:
        assert piece.samples <= limit
        assert piece == audio(piece.position, piece.end)
        seen += range(piece.position, piece.end)
        cursor = piece.end
    assert seen == [position for position in expected if position >= backlog.start]
    assert backlog.start <= max(trim, 0)

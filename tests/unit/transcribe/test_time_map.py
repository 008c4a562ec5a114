from hypothesis import given
from hypothesis import strategies as st

from contracts.session import TimeMark
from services.transcribe.time_map import TimeMap


def test_a_connection_from_the_sessions_first_sample_needs_no_map() -> None:
    times = TimeMap()
    times.mark(0, 0)
    assert times.identity
    assert times.start(80_000) == times.end(80_000) == 80_000
    assert times.start_of_seconds(1.28) == 10_240


def test_a_connection_that_begins_later_moves_every_time() -> None:
    times = TimeMap()
    times.mark(0, 5_000)
    assert not times.identity
    assert times.start(0) == 5_000
    assert times.end_of_seconds(1.0) == 13_000


def test_at_a_hole_an_end_lies_before_it_and_a_start_after() -> None:
    times = TimeMap()
    assert times.mark(0, 0)
    assert times.mark(1_000, 9_000)
    assert times.end(1_000) == 1_000
    assert times.start(1_000) == 9_000
    assert times.end(1_001) == 9_001


def test_audio_that_goes_on_is_no_new_mark() -> None:
    times = TimeMap()
    times.mark(0, 500)
    assert not times.mark(1_000, 1_500)
    assert times.marks == (TimeMark(sent_samples=0, position_samples=500),)


def test_a_hole_before_the_first_sample_moves_the_first_mark() -> None:
    times = TimeMap()
    times.mark(0, 0)
    times.mark(0, 700)
    assert times.marks == (TimeMark(sent_samples=0, position_samples=700),)


@given(st.lists(st.tuples(st.integers(1, 5_000), st.integers(0, 50_000)), min_size=1, max_size=20))
def test_every_sample_is_mapped_to_where_it_was_read(pieces: list[tuple[int, int]]) -> None:
    times, sent, position = TimeMap(), 0, 0
    expected: dict[int, int] = {}
    for length, hole in pieces:
        position += hole
        times.mark(sent, position)
        expected.update({sent: position, sent + length - 1: position + length - 1})
        sent, position = sent + length, position + length
    assert {at: times.start(at) for at in expected} == expected
    assert {at: times.end(at + 1) for at in expected} == {at: to + 1 for at, to in expected.items()}

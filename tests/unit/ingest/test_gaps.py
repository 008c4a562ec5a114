"""Gaps: what both lanes lack for over a second, told with its range."""

from hypothesis import given
from hypothesis import strategies as st

from contracts.audio import samples_of_ms
from services.ingest.laid import Chunk, Gap, Hole
from services.ingest.timeline import Timeline
from tests.unit.ingest.lanes import CHUNK, SLOWLY, T0_MS, A, C, audio, laid, moved, of_kind, pairs
from tests.unit.ingest.stereo import Placed, expected_stereo, joined


def test_a_hole_of_both_lanes_is_a_gap_from_the_last_audio_to_the_first() -> None:
    agent_first = [*pairs(4), (A, T0_MS + 1990, audio(1, 64)), (C, T0_MS + 2000, audio(2, 64))]
    customer_first = [*pairs(4), (C, T0_MS + 2000, audio(2, 64)), (A, T0_MS + 1990, audio(1, 64))]
    for blocks in (agent_first, customer_first):
        out = laid(blocks, Timeline(CHUNK))
        assert of_kind(Gap, out) == [Gap(samples_of_ms(256), samples_of_ms(1990))]
        assert of_kind(Hole, out) == []
        assert joined(out) == expected_stereo(blocks, T0_MS)


def test_a_gap_is_told_before_the_silence_in_it() -> None:
    out = laid([*pairs(4), *pairs(4, first=40)], Timeline(CHUNK))
    assert [type(item) for item in out[:5]] == [Chunk, Chunk, Gap, Chunk, Chunk]


def test_what_one_lane_lacks_beside_a_gap_is_told_apart() -> None:
    lone: Placed = (A, T0_MS + 256, audio(9, 400))
    out = laid([*pairs(4), lone, *pairs(4, first=40)], Timeline(CHUNK))
    assert of_kind(Gap, out) == [Gap(samples_of_ms(656), samples_of_ms(2560))]
    assert of_kind(Hole, out) == [Hole(C, samples_of_ms(256), samples_of_ms(656))]


def test_a_lane_that_lags_into_a_gap_ends_it_sooner() -> None:
    late: Placed = (A, T0_MS + 1500, audio(9, 100))
    out = laid([*pairs(4), (C, T0_MS + 3000, audio(8, 64)), late], Timeline(CHUNK))
    gaps = [Gap(samples_of_ms(256), samples_of_ms(1500)), Gap(samples_of_ms(1600), samples_of_ms(3000))]
    assert of_kind(Gap, out) == gaps


def test_a_lane_that_lags_before_a_gap_changes_nothing_of_it() -> None:
    ahead: Placed = (C, T0_MS + 256, audio(1, 64))
    lagging: Placed = (A, T0_MS + 256, audio(2, 32))
    blocks = [*pairs(4), ahead, (C, T0_MS + 2000, audio(3, 64)), lagging, (A, T0_MS + 2000, audio(4, 64))]
    out = laid(blocks, Timeline(CHUNK))
    assert of_kind(Gap, out) == [Gap(samples_of_ms(320), samples_of_ms(2000))]


def test_two_gaps_of_which_one_lane_alone_tells_are_both_told() -> None:
    blocks = [*pairs(4), (C, T0_MS + 2000, audio(3, 64)), (C, T0_MS + 5000, audio(4, 64))]
    out = laid(blocks, Timeline(CHUNK))
    gaps = [Gap(samples_of_ms(256), samples_of_ms(2000)), Gap(samples_of_ms(2064), samples_of_ms(5000))]
    assert of_kind(Gap, out) == gaps


def test_a_gap_of_a_second_is_silence_and_a_longer_one_is_told() -> None:
    for ms, told in ((1000, 0), (1001, 1)):
        after = moved(pairs(4), 4 * 64 + ms)
        assert len(of_kind(Gap, laid([*pairs(4), *after], Timeline(CHUNK)))) == told


def test_a_one_sided_call_has_its_gaps_told() -> None:
    customer = [block for block in [*pairs(40), *pairs(40, first=80)] if block[0] is C]
    out = laid(customer, Timeline(CHUNK), flush=False)
    assert of_kind(Gap, out) == [Gap(samples_of_ms(40 * 64), samples_of_ms(80 * 64))]


def test_one_gap_after_the_other_holds_back_nothing_of_what_was_before() -> None:
    islands = [(C, T0_MS + n * 64, audio(n, 64)) for n in range(0, 400, 18)]
    timeline = Timeline(CHUNK)
    out = laid(islands, timeline, flush=False)
    assert len(of_kind(Gap, out)) == len(islands) - 2
    assert timeline.reached - timeline.position < samples_of_ms(18 * 64 + 256 + 200)
    assert joined([*out, *timeline.flush()]) == expected_stereo(islands, T0_MS)


@SLOWLY
@given(hole_ms=st.integers(1_001, 30_000), before_ms=st.integers(0, 1_200), after_ms=st.integers(1, 400))
def test_a_gap_is_told_alike_wherever_before_it_reading_began(
    hole_ms: int, before_ms: int, after_ms: int
) -> None:
    before, after = pairs(20), moved(pairs(after_ms // 64 + 1), 20 * 64 + hole_ms)
    start = samples_of_ms(20 * 64)
    position = start - samples_of_ms(before_ms)
    for timeline in (Timeline(CHUNK), Timeline(CHUNK, t0_ms=T0_MS, position=position)):
        out = laid([*before, *after], timeline)
        assert of_kind(Gap, out) == [Gap(start, start + samples_of_ms(hole_ms))]

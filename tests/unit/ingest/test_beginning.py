"""The beginning: which time a call starts at."""

import pytest

from contracts.audio import samples_of_ms
from services.ingest.beginning import MAX_FIRST_BYTES
from services.ingest.laid import Chunk, Gap, Hole, Misplaced
from services.ingest.timeline import Timeline
from tests.unit.ingest.lanes import CHUNK, T0_MS, A, C, audio, laid, moved, of_kind, pairs
from tests.unit.ingest.stereo import Placed, expected_stereo, joined


def test_the_session_begins_with_the_earlier_lane() -> None:
    blocks: list[Placed] = [(C, T0_MS + 40, audio(1, 64)), (A, T0_MS, audio(2, 64))]
    timeline = Timeline(CHUNK)
    out = laid(blocks, timeline)
    assert timeline.t0_ms == T0_MS
    assert joined(out) == expected_stereo(blocks, T0_MS)
    assert not [item for item in out if isinstance(item, Hole)]


def test_a_session_of_one_lane_begins_once_the_other_is_late() -> None:
    timeline = Timeline(CHUNK)
    blocks = [block for block in pairs(6) if block[0] is A]
    assert laid(blocks[:4], timeline, flush=False) == []
    assert timeline.t0_ms is None
    assert len(laid(blocks[4:], timeline, flush=False)) == 1
    assert timeline.t0_ms == T0_MS
    assert timeline.silent_channels == (C,)


def test_a_short_session_begins_with_the_flush() -> None:
    timeline = Timeline(CHUNK)
    assert joined(laid([(C, T0_MS, b"\1\2")], timeline)) == b"\1\2\0\0"
    assert timeline.t0_ms == T0_MS


def test_one_first_fragment_with_a_wrong_time_does_not_shift_the_call() -> None:
    for ms in (-3_600_000, 40_000, 3_600_000, 13 * 3_600_000, -T0_MS - 1000):
        timeline = Timeline(CHUNK, start_ms=T0_MS - 300)
        out = laid([*moved(pairs(17), ms), *pairs(17, first=17)], timeline)
        assert timeline.t0_ms == T0_MS + 17 * 64
        assert joined(out) == expected_stereo(pairs(17, first=17), T0_MS + 17 * 64)
        assert [told.cause for told in of_kind(Misplaced, out)] == ["clock_jumped"]


@pytest.mark.parametrize("ms", [-60_000, 60_000, 11 * 3_600_000])
def test_a_call_that_begins_far_from_its_start_is_believed_after_more_than_a_fragment(ms: int) -> None:
    timeline = Timeline(CHUNK, start_ms=T0_MS)
    far = moved(pairs(30), ms)
    assert laid(far[:40], timeline, flush=False) == []
    out = laid(far[40:], timeline, flush=False)
    assert timeline.t0_ms == T0_MS + ms
    assert joined([*out, *timeline.flush()]) == expected_stereo(far, T0_MS + ms)


def test_first_times_that_bear_one_another_out_nowhere_begin_nothing() -> None:
    timeline = Timeline(CHUNK, start_ms=T0_MS)
    out = laid([*moved(pairs(17), 3_600_000), *moved(pairs(17), 7_200_000)], timeline, flush=False)
    assert timeline.t0_ms is None
    assert of_kind(Misplaced, out) == [Misplaced("clock_jumped", 0, samples_of_ms(3_600_000))]
    laid(moved(pairs(17, first=17), 7_200_000), timeline, flush=False)
    assert timeline.t0_ms == T0_MS + 7_200_000


def test_a_time_before_1970_begins_nothing() -> None:
    timeline = Timeline(CHUNK, start_ms=100)
    laid([(C, -5, audio(1, 64)), (A, -5, audio(2, 64))], timeline)
    assert timeline.t0_ms is None


@pytest.mark.parametrize("ms", [40_000, 3_600_000])
def test_after_a_first_block_of_one_lane_a_jump_costs_nothing(ms: int) -> None:
    timeline = Timeline(CHUNK, start_ms=T0_MS)
    blocks = [*pairs(1)[:1], *moved(pairs(30, first=1), ms)]
    out = laid(blocks, timeline)
    assert timeline.t0_ms == T0_MS
    [gap] = of_kind(Gap, out)
    assert gap == Gap(samples_of_ms(64), samples_of_ms(64 + ms))
    heard = b"".join(item.pcm for item in out if isinstance(item, Chunk) and item.position >= gap.end - 4000)
    assert heard.lstrip(b"\0") == expected_stereo(blocks[1:], T0_MS + 64 + ms)


@pytest.mark.parametrize("ms", [-40_000, -3_600_000])
def test_a_first_block_of_a_wrong_time_is_outweighed_by_more_than_a_fragment(ms: int) -> None:
    timeline = Timeline(CHUNK, start_ms=T0_MS)
    out = laid([*pairs(1)[:1], *moved(pairs(60), ms)], timeline, flush=False)
    assert timeline.t0_ms == T0_MS + ms
    assert joined([*out, *timeline.flush()]) == expected_stereo(moved(pairs(60), ms), T0_MS + ms)
    assert [told.cause for told in of_kind(Misplaced, out)] == ["clock_jumped"]


def test_a_first_block_of_one_lane_and_a_few_far_ones_make_the_whole_of_a_short_call() -> None:
    blocks = [*pairs(1)[:1], *moved(pairs(2, first=1), 20_000)]
    assert joined(laid(blocks, Timeline(CHUNK, start_ms=T0_MS - 15_000))) == expected_stereo(blocks, T0_MS)


def test_at_the_end_the_little_that_there_is_of_a_call_is_believed() -> None:
    timeline = Timeline(CHUNK, start_ms=T0_MS)
    far = moved(pairs(4), 60_000)
    assert laid(far, timeline, flush=False) + timeline.flush(over=False) == []
    assert joined(timeline.flush()) == expected_stereo(far, T0_MS + 60_000)


def test_what_waits_for_the_first_position_is_bounded() -> None:
    timeline = Timeline(CHUNK)
    laid([(C, T0_MS, bytes(60_000))] * 5, timeline, flush=False)
    assert timeline.t0_ms == T0_MS
    assert MAX_FIRST_BYTES < 5 * 60_000


@pytest.mark.parametrize(("first_ms", "begins"), [(30_000, True), (30_001, False), (-30_000, True)])
def test_a_first_time_near_connects_start_is_believed_at_once(first_ms: int, begins: bool) -> None:
    timeline = Timeline(CHUNK, start_ms=T0_MS)
    laid(moved(pairs(2), first_ms), timeline, flush=False)
    assert (timeline.t0_ms is not None) is begins

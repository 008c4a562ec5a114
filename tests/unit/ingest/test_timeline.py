"""The timeline: every sample at its place."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.audio import Channel, samples_of_ms
from services.ingest.laid import Chunk, Gap, Hole, Misplaced, Skipped
from services.ingest.timeline import Timeline
from tests.unit.ingest.lanes import CHUNK, SLOWLY, T0_MS, A, C, args, audio, laid, moved, of_kind, pairs
from tests.unit.ingest.stereo import Placed, expected_stereo, joined


def test_both_lanes_are_interleaved_customer_first() -> None:
    out = laid([(C, T0_MS, b"\1\2\3\4"), (A, T0_MS, b"\5\6\7\x08")], Timeline(CHUNK))
    assert out == [Chunk(0, b"\1\2\5\6\3\4\7\x08")]


def test_chunks_lie_on_the_grid_of_positions() -> None:
    out = laid(pairs(10), Timeline(CHUNK, t0_ms=T0_MS, position=130))
    chunks = [item for item in out if isinstance(item, Chunk)]
    assert [chunk.position for chunk in chunks] == [130, 800, 1600, 2400, 3200, 4000, 4800]
    assert chunks[-1].end == 5120


def test_a_chunk_is_given_out_as_soon_as_both_lanes_have_it() -> None:
    timeline = Timeline(CHUNK)
    out = laid(pairs(2)[:3], timeline, flush=False)
    assert out == []
    assert [item.end for item in timeline.push(*args(pairs(2)[3])) if isinstance(item, Chunk)] == [800]


def test_a_hole_is_silence_of_exactly_its_length_and_told() -> None:
    blocks = [block for block in pairs(8) if block[:2] not in [(C, T0_MS + 128), (C, T0_MS + 192)]]
    out = laid(blocks, Timeline(CHUNK))
    assert joined(out) == expected_stereo(blocks, T0_MS)
    assert [item for item in out if isinstance(item, Hole)] == [Hole(C, 1024, 2048)]


def test_a_short_block_on_the_grid_leaves_a_hole_of_its_lack() -> None:
    blocks = pairs(6)
    blocks[4] = (C, T0_MS + 128, audio(4, 12))
    out = laid(blocks, Timeline(CHUNK))
    assert joined(out) == expected_stereo(blocks, T0_MS)
    assert [item for item in out if isinstance(item, Hole)] == [Hole(C, 1024 + 96, 1536)]


def test_jitter_is_filled_and_not_told() -> None:
    blocks = [(channel, at_ms + (n % 5) * 4, pcm) for n, (channel, at_ms, pcm) in enumerate(pairs(20))]
    out = laid(blocks, Timeline(CHUNK))
    assert joined(out) == expected_stereo(blocks, T0_MS)
    assert not [item for item in out if isinstance(item, Hole)]


def test_what_was_there_already_is_cut() -> None:
    blocks = pairs(8)
    assert joined(laid([*blocks[:10], *blocks[4:]], Timeline(CHUNK))) == expected_stereo(blocks, T0_MS)


def test_a_late_lane_is_silent_after_256_ms_and_goes_on_at_its_own_time() -> None:
    timeline = Timeline(CHUNK)
    blocks = [block for block in pairs(12) if block[0] is C or block[1] >= T0_MS + 640]
    laid([(A, T0_MS, audio(1, 64))], timeline, flush=False)
    out = laid(blocks, timeline, flush=False)
    first = next(item for item in out if isinstance(item, Chunk))
    assert first.position == 0
    hole = [item for item in out if isinstance(item, Hole)]
    assert hole == [Hole(A, 512, samples_of_ms(640))]


def test_a_lane_that_never_comes_costs_no_more_than_its_lag() -> None:
    timeline = Timeline(CHUNK)
    laid([block for block in pairs(50) if block[0] is C], timeline, flush=False)
    assert samples_of_ms(50 * 64) - timeline.position <= CHUNK + samples_of_ms(256)


def test_a_jump_is_skipped_and_the_position_moves_over_it() -> None:
    far = [(channel, at_ms + 60_000, pcm) for channel, at_ms, pcm in pairs(6)]
    out = laid([*pairs(3), *far], Timeline(CHUNK))
    skipped = [item for item in out if isinstance(item, Skipped)]
    assert len(skipped) == 1
    assert skipped[0].position == samples_of_ms(3 * 64)
    assert skipped[0].end % CHUNK == 0
    assert samples_of_ms(60_000 - 356) < skipped[0].end <= samples_of_ms(60_000 - 256)
    after = joined([item for item in out if isinstance(item, Chunk) and item.position >= skipped[0].end])
    assert after == expected_stereo(far, T0_MS)[4 * skipped[0].end :]


def test_a_jump_is_believed_when_more_than_a_fragment_bears_it_out() -> None:
    timeline = Timeline(CHUNK)
    out = laid([*pairs(3), *moved(pairs(23), 60_000)], timeline, flush=False)
    assert of_kind(Skipped, out) == []
    out = laid(moved(pairs(10, first=23), 60_000), timeline, flush=False)
    assert len(of_kind(Skipped, out)) == 1
    assert not timeline.misplaced


def test_a_wrong_time_moves_nothing_and_is_told_once() -> None:
    timeline = Timeline(CHUNK)
    out = laid([*pairs(17), *moved(pairs(17, first=17), 3_600_000), *pairs(17, first=34)], timeline)
    assert joined(out) == expected_stereo([*pairs(17), *pairs(17, first=34)], T0_MS)
    assert of_kind(Misplaced, out) == [Misplaced("clock_jumped", 8000, samples_of_ms(3_600_000) + 17 * 512)]


def test_a_time_that_no_call_reaches_is_never_believed() -> None:
    timeline = Timeline(CHUNK)
    out = laid([*pairs(17), *moved(pairs(100, first=17), 13 * 3_600_000)], timeline)
    assert joined(out) == expected_stereo(pairs(17), T0_MS)
    assert len(of_kind(Misplaced, out)) == 1
    assert timeline.misplaced


def test_times_that_bear_one_another_out_nowhere_move_nothing() -> None:
    timeline = Timeline(CHUNK)
    wild = [moved(pairs(1, first=n), 60_000 * n)[0] for n in range(1, 60)]
    laid([*pairs(3), *wild], timeline, flush=False)
    assert timeline.position == 800


def test_a_lane_that_lags_does_not_refute_a_jump() -> None:
    timeline = Timeline(CHUNK)
    far = moved(pairs(30), 60_000)
    out = laid([*pairs(3), far[0], *pairs(1, first=3), *far[1:]], timeline)
    assert of_kind(Misplaced, out) == []
    after = joined([item for item in of_kind(Chunk, out) if item.position > samples_of_ms(59_000)])
    assert after == expected_stereo(far, T0_MS)[-len(after) :]


def test_a_fragment_that_is_read_again_bears_nothing_out() -> None:
    timeline = Timeline(CHUNK)
    for _ in range(5):
        timeline.new_body()
        out = laid([*pairs(3), *moved(pairs(17), 60_000)], timeline, flush=False)
        assert of_kind(Skipped, out) == []
    assert of_kind(Skipped, timeline.flush()) != []


def test_a_clock_that_goes_back_is_told_until_it_has_caught_up() -> None:
    timeline = Timeline(CHUNK)
    laid(pairs(100), timeline, flush=False)
    out = laid(pairs(50), timeline, flush=False)
    assert out == [Misplaced("clock_went_back", samples_of_ms(6400), 0)]
    assert timeline.misplaced
    out = laid(pairs(20, first=95), timeline)
    assert joined(out) == expected_stereo(pairs(115), T0_MS)[4 * samples_of_ms(6400) :]
    assert not timeline.misplaced


def test_what_a_new_body_begins_with_again_is_no_clock_that_went_back() -> None:
    timeline = Timeline(CHUNK)
    laid(pairs(100), timeline, flush=False)
    timeline.new_body()
    assert laid(pairs(100), timeline, flush=False) == []


def test_a_flush_in_mid_call_believes_no_time_that_is_in_doubt() -> None:
    timeline = Timeline(CHUNK)
    out = laid([*pairs(17), *moved(pairs(17, first=17), 3_600_000)], timeline, flush=False)
    out += timeline.flush(over=False) + laid(pairs(17, first=34), timeline)
    assert of_kind(Skipped, out) == []
    assert joined(out) == expected_stereo([*pairs(17), *pairs(17, first=34)], T0_MS)


def test_a_hole_up_to_the_limit_is_filled() -> None:
    blocks = [*pairs(2), (C, T0_MS + 128 + 30_000, audio(1, 64)), (A, T0_MS + 128 + 30_000, audio(2, 64))]
    assert joined(laid(blocks, Timeline(CHUNK))) == expected_stereo(blocks, T0_MS)


@pytest.mark.parametrize(("hole_ms", "skips"), [(30_000, 0), (30_001, 1)])
def test_thirty_seconds_are_filled_and_no_more(hole_ms: int, skips: int) -> None:
    out = laid([*pairs(2), *moved(pairs(2), 128 + hole_ms)], Timeline(CHUNK))
    assert len(of_kind(Skipped, out)) == skips
    assert of_kind(Gap, out) == [Gap(samples_of_ms(128), samples_of_ms(128 + hole_ms))]


@pytest.mark.parametrize(("hole_ms", "holes"), [(20, 0), (21, 1)])
def test_a_hole_of_one_lane_is_told_when_it_is_more_than_jitter(hole_ms: int, holes: int) -> None:
    late: Placed = (C, T0_MS + 128 + hole_ms, audio(7, 64))
    agent = [block for block in pairs(6) if block[0] is A]
    out = laid([*pairs(2), *agent[2:], late], Timeline(CHUNK))
    assert len(of_kind(Hole, out)) == holes


@pytest.mark.parametrize("hole_blocks", [17, 80, 460])
@pytest.mark.parametrize("into_hole_ms", [0, 500, 1_000])
def test_a_hole_is_the_same_silence_also_where_reading_began_anew_in_it(
    hole_blocks: int, into_hole_ms: int
) -> None:
    before, after = pairs(20), pairs(20, first=20 + hole_blocks)
    whole = joined(laid([*before, *after], Timeline(CHUNK)))
    position = samples_of_ms(20 * 64 + into_hole_ms)
    again = Timeline(CHUNK, t0_ms=T0_MS, position=position)
    again.new_body()
    out = laid([*before[-20:], *after], again)
    assert of_kind(Skipped, out) == []
    assert joined(out) == whole[4 * position :]


def test_a_clock_that_goes_back_gives_nothing_twice() -> None:
    timeline = Timeline(CHUNK)
    laid(pairs(20), timeline)
    assert laid(pairs(10), timeline) == []


def test_audio_before_the_wanted_position_is_cut() -> None:
    whole = expected_stereo(pairs(10), T0_MS)
    out = laid(pairs(10), Timeline(CHUNK, t0_ms=T0_MS, position=1000))
    assert joined(out) == whole[4000:]


@pytest.mark.parametrize(("level", "silent"), [(0, True), (200, True), (3000, False)])
def test_silence_at_the_end_is_seen(level: int, silent: bool) -> None:
    timeline = Timeline(CHUNK)
    quiet = level.to_bytes(2, "little", signed=True) * 512
    laid([(channel, T0_MS + n * 64, quiet) for n in range(20) for channel in Channel], timeline, flush=False)
    assert timeline.ends_silent() is silent


def test_nothing_is_known_of_the_end_of_nothing() -> None:
    assert not Timeline(CHUNK).ends_silent()


@st.composite
def jittered(draw: st.DrawFn) -> list[Placed]:
    """Alternating lanes, jittered and odd blocks, some missing."""
    blocks: list[Placed] = []
    for n in range(draw(st.integers(20, 60))):
        for channel in Channel:
            if n and draw(st.integers(0, 9)) == 0:
                continue
            ms = draw(st.sampled_from([64, 64, 64, 64, 12, 50, 80]))
            jitter = draw(st.integers(-9, 9)) if n else 0
            blocks.append((channel, T0_MS + n * 64 + jitter, audio(2 * n + channel, ms)))
    return blocks


@SLOWLY
@given(blocks=jittered())
def test_every_sample_is_where_its_block_puts_it(blocks: list[Placed]) -> None:
    timeline = Timeline(CHUNK)
    assert joined(laid(blocks, timeline)) == expected_stereo(blocks, timeline.t0_ms or 0)


@SLOWLY
@given(blocks=jittered(), data=st.data())
def test_wrong_times_here_and_there_change_nothing(blocks: list[Placed], data: st.DataObject) -> None:
    early = [at for at, block in enumerate(blocks) if at > 1 and block[1] < blocks[-1][1] - 600]
    assume(early)
    wrong = [*blocks]
    for at in sorted(data.draw(st.lists(st.sampled_from(early), max_size=3)), reverse=True):
        lane, ahead_ms = data.draw(st.sampled_from(Channel)), data.draw(st.integers(10**5, 10**12))
        wrong.insert(at, (lane, T0_MS + ahead_ms, audio(9, 64)))
    first, second = Timeline(CHUNK), Timeline(CHUNK)
    assert joined(laid(wrong, second)) == joined(laid(blocks, first))


@SLOWLY
@given(blocks=jittered(), data=st.data())
def test_the_output_from_a_position_on_is_the_same_wherever_reading_began(
    blocks: list[Placed], data: st.DataObject
) -> None:
    first = Timeline(CHUNK)
    whole = joined(laid(blocks, first))
    t0_ms = first.t0_ms or 0
    began_at_ms = data.draw(st.integers(0, 1000)) + t0_ms
    later = [block for block in blocks if block[1] >= began_at_ms]
    position = samples_of_ms(began_at_ms - t0_ms + 1000) + data.draw(st.integers(0, 2000))
    again = joined(laid(later, Timeline(CHUNK, t0_ms=t0_ms, position=position)))
    assert again == whole[4 * position :]

import numpy as np
import pytest

from contracts.link import AudioChunk
from services.transcribe.audio_feed import (
    CHUNK_SAMPLES,
    KEPT_SAMPLES,
    MAX_CHUNK_SAMPLES,
    MAX_UNSENT_SAMPLES,
    WINDOW_SAMPLES,
    AudioFeed,
    Hole,
)
from services.transcribe.commands import Command, Connect, Disconnect, SendAudio, SendText
from services.transcribe.deepgram_session import CLOSE_STREAM, FINALIZE, KEEP_ALIVE, Flushed, Lost

NONE = (0, 0)


def chunk(position: int, samples: int = 800) -> AudioChunk:
    return AudioChunk(1, position, np.ones((samples, 2), "<i2").tobytes())


def lengths(commands: list[Command]) -> list[int]:
    return [len(command.pcm) // 4 for command in commands if isinstance(command, SendAudio)]


def texts(commands: list[Command]) -> list[str]:
    return [command.text for command in commands if isinstance(command, SendText)]


def streaming(*, at: int = 0) -> AudioFeed:
    """A feed whose connection is open, with 100 ms sent."""
    feed = AudioFeed(at)
    feed.audio(chunk(at))
    assert feed.pump(0.0, (at, at)) == [Connect(1)]
    feed.opened(0.0)
    assert lengths(feed.pump(0.0, (at, at))) == [800]
    return feed


def test_it_connects_only_when_there_is_audio() -> None:
    feed = AudioFeed(0)
    assert feed.pump(0.0, NONE) == []
    feed.audio(chunk(0))
    assert feed.pump(0.0, NONE) == [Connect(1)]
    assert feed.pump(0.1, NONE) == []


def test_audio_waits_for_the_handshake_and_none_is_lost() -> None:
    feed = AudioFeed(0)
    for position in range(0, 8_000, 800):
        feed.audio(chunk(position))
        feed.pump(0.0, NONE)
    feed.opened(1.0)
    sent = lengths(feed.pump(1.0, NONE))
    assert sum(sent) == 8_000
    assert all(CHUNK_SAMPLES <= length <= MAX_CHUNK_SAMPLES for length in sent)


def test_small_pieces_are_held_for_a_tenth_of_a_second() -> None:
    feed = streaming()
    feed.audio(chunk(800, 200))
    assert feed.pump(0.02, NONE) == []
    assert feed.deadline == pytest.approx(0.1)
    assert lengths(feed.pump(0.1, NONE)) == [200]


def test_a_backlog_goes_out_at_the_pace_that_is_allowed() -> None:
    feed, now, sent = streaming(), 0.0, 800
    for position in range(800, 80_000, 800):
        feed.audio(chunk(position))
    sent += sum(lengths(feed.pump(now, NONE)))
    while sent < 80_000:
        assert feed.deadline is not None
        now = max(now, feed.deadline)
        sent += sum(lengths(feed.pump(now, (max(0, sent - 8_000),) * 2)))
        assert sent <= 8_000 * (1.25 + 1.25 * now) + 1
    assert now == pytest.approx((10 - 1.25) / 1.25, abs=0.3)


def test_credit_is_a_window_beyond_what_was_sent() -> None:
    assert AudioFeed(400).credit_until == 400 + WINDOW_SAMPLES
    assert streaming().credit_until == 800 + WINDOW_SAMPLES


def test_audio_that_does_not_follow_is_asked_for_once_and_ignored_until_then() -> None:
    feed = streaming()
    feed.audio(chunk(8_000))
    feed.audio(chunk(8_800))
    assert feed.take_rewind() == 800
    assert feed.take_rewind() is None
    assert feed.expected == 800
    feed.audio(chunk(800))
    assert feed.expected == 1_600


def test_audio_without_credit_is_refused_and_asked_for_when_there_is_room() -> None:
    feed, position = AudioFeed(0), 0
    while feed.expected == position:
        feed.audio(chunk(position))
        position += 800
    assert feed.expected == MAX_UNSENT_SAMPLES
    assert feed.take_rewind() is None
    feed.pump(0.0, NONE)
    feed.opened(0.0)
    now = 0.0
    while (wanted := feed.take_rewind()) is None:
        feed.pump(now, NONE)
        now += 0.1
    assert wanted == MAX_UNSENT_SAMPLES


def test_a_lost_connection_replays_what_is_not_final_with_the_further_channel_silent() -> None:
    feed = streaming()
    for position in range(800, 8_000, 800):
        feed.audio(chunk(position))
    feed.pump(1.0, NONE)
    covered = (2_000, 4_000)
    assert feed.deepgram.closed(1006, "", 2.0, 0.0) == Lost(0.0)
    feed.lost(covered)
    assert feed.take_rewind() is None
    assert feed.pump(2.0, covered) == [Connect(2)]
    feed.opened(2.1)
    pcm = b"".join(command.pcm for command in feed.pump(2.1, covered) if isinstance(command, SendAudio))
    samples = np.frombuffer(pcm, "<i2").reshape(-1, 2)
    assert len(samples) == 6_000
    assert samples[:, 0].all()
    assert not samples[:2_000, 1].any()
    assert samples[2_000:, 1].all()
    assert feed.times.start(0) == 2_000


def test_what_the_backlog_does_not_hold_is_a_rewind() -> None:
    feed, now = streaming(), 0.0
    for position in range(800, KEPT_SAMPLES + 40_000, 800):
        now += 0.1
        feed.audio(chunk(position))
        feed.pump(now, NONE)
    feed.deepgram.closed(1006, "", now, 0.0)
    feed.lost((1_000, 900))
    assert feed.take_rewind() == 900
    assert feed.expected == 900
    assert feed.credit_until == 900 + WINDOW_SAMPLES


def test_a_hole_is_told_when_all_before_it_is_final_and_only_once() -> None:
    feed = streaming()
    feed.skip(Hole(800, 9_000, "lost"))
    feed.audio(chunk(9_000))
    feed.pump(0.1, NONE)
    assert feed.take_holes((800, 600)) == []
    assert feed.take_holes((800, 800)) == [Hole(800, 9_000, "lost")]
    feed.lost((500, 500))
    feed.skip(Hole(800, 9_000, "lost"))
    assert feed.take_holes((9_800, 9_800)) == []
    assert feed.times.start(800) == 9_000


def test_a_hole_that_is_filled_is_told_once_and_moves_nothing() -> None:
    feed = streaming()
    feed.note(Hole(800, 9_000, "lost"))
    assert feed.expected == 800
    assert feed.take_holes((799, 600)) == []
    feed.note(Hole(5_000, 9_000, "lost"))
    feed.note(Hole(8_000, 10_000, "lost"))
    assert feed.take_holes((9_000, 9_000)) == [Hole(800, 9_000, "lost"), Hole(9_000, 10_000, "lost")]


def test_a_skip_whose_exact_range_was_told_before_is_no_hole_of_its_own() -> None:
    feed = streaming()
    feed.note(Hole(800, 9_000, "lost"))
    feed.skip(Hole(800, 8_000, "lost"))
    assert feed.expected == 8_000
    assert feed.take_holes((9_000, 9_000)) == [Hole(800, 9_000, "lost")]


def test_a_successor_tells_no_hole_that_the_log_has() -> None:
    feed = AudioFeed(800, holes_until=9_000)
    feed.note(Hole(800, 9_000, "lost"))
    assert feed.take_holes((9_000, 9_000)) == []


def test_the_end_flushes_when_all_was_sent() -> None:
    feed = streaming()
    feed.audio(chunk(800, 100))
    feed.finish(900, 0.01)
    commands = feed.pump(0.01, NONE)
    assert lengths(commands) == [100]
    assert texts(commands) == [CLOSE_STREAM]
    assert feed.deepgram.metadata(0.2)
    assert feed.deepgram.closed(1000, "", 0.3, 0.0) == Flushed(complete=True)


def test_a_call_without_audio_ends_without_a_connection() -> None:
    feed = AudioFeed(0)
    feed.finish(0, 1.0)
    assert feed.pump(1.0, NONE) == []
    assert feed.complete(1.0, NONE)
    assert feed.missing(NONE, "why") is None


def test_a_flush_without_metadata_is_enough_when_all_is_final() -> None:
    feed = streaming()
    feed.finish(800, 0.1)
    feed.pump(0.1, NONE)
    feed.deepgram.closed(1000, "", 0.2, 0.0)
    feed.unflushed((800, 790))
    assert feed.pump(0.2, (800, 790)) == []
    assert feed.complete(0.2, (800, 790))
    assert feed.missing((800, 790), "why") is None


def test_a_flush_that_fails_is_repeated_and_then_given_up_with_what_is_missing() -> None:
    feed, covered = AudioFeed(0), (0, 0)
    for position in range(0, 8_000, 800):
        feed.audio(chunk(position))
    feed.finish(8_000, 0.0)
    for number in range(1, 4):
        assert not feed.complete(0.0, covered)
        assert feed.pump(number, covered) == [Connect(number)]
        feed.opened(number)
        assert texts(feed.pump(number, covered)) == [CLOSE_STREAM]
        assert feed.deepgram.closed(1000, "", number + 0.5, 0.0) == Flushed(complete=False)
        feed.unflushed(covered)
    assert feed.complete(4.0, covered)
    assert feed.missing(covered, "why") == Hole(0, 8_000, "why")


def test_a_flush_that_brings_something_new_is_no_reason_to_give_up() -> None:
    feed = AudioFeed(0)
    for position in range(0, 80_000, 800):
        feed.audio(chunk(position))
    feed.finish(80_000, 0.0)
    for number in range(1, 9):
        covered = (number * 8_000, number * 8_000)
        feed.unflushed(covered)
        assert not feed.complete(0.0, covered)


def test_an_outage_of_deepgram_at_the_end_of_a_call_gives_nothing_up() -> None:
    feed = AudioFeed(0)
    feed.audio(chunk(0))
    feed.finish(800, 0.0)
    now = 0.0
    for number in range(1, 21):
        assert feed.pump(now, NONE) == [Connect(number)]
        feed.opened(now)
        assert CLOSE_STREAM in texts(feed.pump(now, NONE))
        lost = feed.deepgram.closed(1011, "", now, 0.9)
        assert isinstance(lost, Lost)
        feed.lost(NONE)
        assert not feed.complete(now, NONE)
        now += lost.delay_s


def test_an_end_above_what_came_asks_for_the_rest_and_for_the_end_again() -> None:
    feed = streaming()
    feed.finish(1_600, 1.0)
    assert feed.take_rewind() == 800
    assert feed.pump(1.0, NONE) == []
    feed.audio(chunk(800))
    feed.finish(1_600, 2.0)
    assert texts(feed.pump(2.0, NONE)) == [CLOSE_STREAM]


def test_in_a_long_silence_of_the_link_the_connection_is_kept_alive() -> None:
    feed = streaming()
    assert feed.deadline == pytest.approx(4.0)
    assert texts(feed.pump(4.0, NONE)) == [KEEP_ALIVE]


def test_a_connection_is_dropped_once() -> None:
    feed = streaming()
    assert feed.disconnect() == [Disconnect(1)]
    assert feed.disconnect() == []


def test_what_a_rewind_forgets_is_still_missing_at_the_end() -> None:
    feed, call = AudioFeed(0), 30 * 8_000
    for position in range(0, call, 800):
        feed.audio(chunk(position))
        now = position / 8_000
        if feed.pump(now, NONE) == [Connect(1)]:
            feed.opened(now)
        feed.pump(now, NONE)
    reached = feed.expected
    feed.lost(NONE)  # older than what is kept
    assert feed.take_rewind() == 0
    assert (feed.expected, feed.reach) == (0, reached)
    feed.finish(call, 40.0)
    assert feed.missing(NONE, "why") == Hole(0, call, "why")


def test_what_was_not_to_be_had_again_is_missing_though_all_that_came_was_heard() -> None:
    feed = streaming()
    feed.finish(80_000, 1.0)
    feed.reattached()
    for position in range(800, 8_000, 800):
        feed.audio(chunk(position))
    feed.finish(8_000, 2.0)
    feed.flushed = True
    assert feed.missing((8_000, 8_000), "why") == Hole(8_000, 80_000, "why")
    assert feed.missing((8_000, 7_000), "why") == Hole(8_000, 80_000, "why")


def test_audio_that_still_comes_after_the_end_is_not_missing() -> None:
    feed = streaming()
    feed.finish(800, 1.0)
    for position in range(800, 8_000, 800):
        feed.audio(chunk(position))
    assert feed.reach == 800
    assert feed.missing((800, 800), "why") is None


def test_nothing_is_due_while_a_lost_connection_has_nothing_to_send() -> None:
    feed = streaming()
    covered = (800, 800)
    feed.pump(0.1, covered)
    lost = feed.deepgram.closed(1011, "", 0.2, 0.5)
    assert isinstance(lost, Lost)
    feed.lost(covered)
    feed.pump(0.2, covered)
    due = feed.deadline
    assert due is not None
    assert feed.pump(due, covered) == []
    assert feed.deadline is None
    feed.audio(chunk(800))
    assert feed.pump(due, covered) == [Connect(2)]


def test_an_end_that_ingest_said_before_it_knew_of_the_rewind_is_said_again() -> None:
    feed = streaming()
    feed.audio(chunk(2_400))  # does not follow
    feed.finish(3_200, 0.5)
    assert feed.take_rewind() == 800
    for position in (800, 1_600, 2_400):
        feed.audio(chunk(position))
    assert texts(feed.pump(1.0, NONE)) == []
    feed.finish(3_200, 1.0)
    assert texts(feed.pump(1.0, NONE)) == [CLOSE_STREAM]


def test_a_new_peer_is_asked_anew_for_what_does_not_follow() -> None:
    feed = streaming()
    feed.audio(chunk(2_400))
    assert feed.take_rewind() == 800
    feed.reattached()
    feed.audio(chunk(2_400))
    assert feed.take_rewind() == 800


def test_after_a_second_loss_the_position_is_asked_for_again() -> None:
    feed, now = streaming(), 0.0
    for position in range(800, 40 * 8_000, 800):
        now += 0.1
        feed.audio(chunk(position))
        feed.pump(now, NONE)
    feed.lost(NONE)
    assert feed.take_rewind() == 0
    feed.audio(chunk(0))
    assert feed.expected == 800
    feed.lost((800, 800))
    feed.audio(chunk(1_600))
    assert feed.take_rewind() == 800


def test_held_audio_leaves_the_end_of_the_call_its_time() -> None:
    feed = streaming()
    feed.finish(800, 0.0)
    feed.hold(599.0)
    assert not feed.complete(600.0 + 118.0, NONE)
    assert feed.complete(600.0 + 119.0, NONE)


def test_a_quiet_stream_is_finalized_once_and_again_on_the_next_connection() -> None:
    feed = streaming()
    feed.pause_of_stream()
    assert texts(feed.pump(0.5, NONE)) == [FINALIZE]
    assert texts(feed.pump(0.6, NONE)) == []
    feed.deepgram.closed(1011, "", 0.7, 0.0)
    feed.lost(NONE)
    assert feed.pump(0.7, NONE) == [Connect(2)]
    feed.opened(0.7)
    assert texts(feed.pump(2.0, NONE)) == [FINALIZE]

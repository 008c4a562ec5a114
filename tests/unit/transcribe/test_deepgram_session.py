"""What each failure of Deepgram means, by its API specification's table."""

import pytest

from services.transcribe import deepgram_session as module
from services.transcribe.deepgram_session import DeepgramSession, Failure, Flushed, Lost, State


def connected(now: float = 0.0) -> DeepgramSession:
    deepgram = DeepgramSession()
    assert deepgram.connect(now) == 1
    deepgram.opened(now)
    return deepgram


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 302])
def test_a_refusal_that_no_second_try_can_help_fails_with_deepgrams_reason(status: int) -> None:
    deepgram = DeepgramSession()
    deepgram.connect(0.0)
    verdict = deepgram.refused(status, "INVALID_AUTH: Invalid credentials.", 0.0, 0.5)
    assert isinstance(verdict, Failure)
    assert verdict.reason == "deepgram_rejected"
    assert f"({status}: INVALID_AUTH: Invalid credentials.)" in verdict.explanation
    assert deepgram.deadline is None


@pytest.mark.parametrize("status", [429, 408, 500, 502, 503, 504, None])
def test_a_refusal_that_passes_is_tried_again(status: int | None) -> None:
    deepgram = DeepgramSession()
    deepgram.connect(0.0)
    assert deepgram.refused(status, "busy", 0.0, 0.5) == Lost(0.5 * module.RETRY_BASE_S)
    assert deepgram.connect(0.1) is None
    assert deepgram.deadline == 0.5 * module.RETRY_BASE_S
    assert deepgram.connect(0.5 * module.RETRY_BASE_S) == 2


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 1013, 4000])
def test_a_close_that_passes_reconnects(code: int) -> None:
    deepgram = connected()
    assert isinstance(deepgram.closed(code, "NET-0000", 1.0, 0.0), Lost)
    assert deepgram.connect(1.0) == 2


def test_audio_that_cannot_be_decoded_fails() -> None:
    verdict = connected().closed(1008, "DATA-0000", 1.0, 0.0)
    assert isinstance(verdict, Failure)
    assert "1008: DATA-0000" in verdict.explanation


def test_waits_grow_with_full_jitter_up_to_a_limit_and_a_new_final_ends_the_trouble() -> None:
    deepgram, now, delays = DeepgramSession(), 0.0, list[float]()
    for _ in range(10):
        assert deepgram.connect(now) is not None
        verdict = deepgram.refused(503, "", now, 0.5)
        assert isinstance(verdict, Lost)
        delays.append(verdict.delay_s)
        now += verdict.delay_s
    assert delays[:3] == [0.25, 0.5, 1.0]
    assert delays[-1] == 0.5 * module.RETRY_CAP_S
    deepgram.connect(now)
    deepgram.opened(now)
    deepgram.transcribed()
    assert deepgram.closed(1006, "", now, 0.5) == Lost(0.25)


def test_to_accept_say_something_and_close_again_and_again_is_trouble_too() -> None:
    deepgram, now, delays = DeepgramSession(), 0.0, list[float]()
    for _ in range(6):
        assert deepgram.connect(now) is not None
        deepgram.opened(now)
        deepgram.heard(now)
        verdict = deepgram.closed(1011, "", now, 0.5)
        assert isinstance(verdict, Lost)
        now += verdict.delay_s
        delays.append(verdict.delay_s)
    assert delays[-1] == 0.5 * module.RETRY_CAP_S


@pytest.mark.parametrize("opens", [False, True])
def test_an_outage_without_end_fails_the_session(opens: bool) -> None:
    deepgram, now = DeepgramSession(), 0.0
    while now <= module.GIVE_UP_S + module.RETRY_CAP_S:
        assert deepgram.connect(now) is not None
        if opens:
            deepgram.opened(now)
            deepgram.heard(now)
            verdict = deepgram.closed(1011, "", now, 0.9)
        else:
            verdict = deepgram.refused(None, "no answer", now, 0.9)
        if not isinstance(verdict, Lost):
            break
        now += verdict.delay_s
    else:
        pytest.fail("it goes on for ever")
    assert isinstance(verdict, Failure)
    assert verdict.reason == "deepgram_unavailable"
    assert now >= module.GIVE_UP_S


def test_it_is_kept_alive_while_no_audio_flows() -> None:
    deepgram = connected()
    deepgram.sent(800, 1.0)
    assert deepgram.deadline == 1.0 + module.KEEP_ALIVE_S
    assert deepgram.tick(4.9) is None
    assert deepgram.tick(5.0) == module.KEEP_ALIVE
    assert deepgram.tick(5.1) is None
    assert 3 <= module.KEEP_ALIVE_S <= 5


def test_an_endpoint_that_accepts_and_never_answers_is_given_up() -> None:
    deepgram, now = connected(), 0.0
    while not deepgram.stalled(now):
        deepgram.sent(800, now)
        now += 0.1
    assert now == pytest.approx(module.STALL_S, abs=0.2)


def test_silence_of_a_call_without_audio_is_no_stall() -> None:
    deepgram = connected()
    deepgram.sent(800, 0.0)
    assert not deepgram.stalled(1_000.0)


def test_an_answer_begins_the_wait_anew() -> None:
    deepgram = connected()
    deepgram.sent(module.STALL_SAMPLES, 0.0)
    deepgram.heard(19.0)
    deepgram.sent(module.STALL_SAMPLES, 19.5)
    assert not deepgram.stalled(39.0)
    assert deepgram.stalled(39.5)


def test_the_end_is_close_stream_then_metadata_then_the_close() -> None:
    deepgram = connected()
    assert deepgram.finish(10.0) == module.CLOSE_STREAM
    assert deepgram.deadline == 10.0 + module.FLUSH_S
    assert deepgram.metadata(11.0)
    assert deepgram.closed(1000, "", 11.1, 0.0) == Flushed(complete=True)


def test_metadata_without_a_close_is_an_end() -> None:
    deepgram = connected()
    deepgram.finish(10.0)
    deepgram.metadata(11.0)
    assert deepgram.stalled(11.0 + module.LINGER_S)


def test_a_connection_that_is_lost_before_it_answers_the_end_is_made_again_after_a_while() -> None:
    deepgram = connected()
    deepgram.finish(10.0)
    assert deepgram.closed(1006, "", 10.1, 0.5) == Lost(0.25)
    assert deepgram.state is State.WAITING
    assert deepgram.connect(10.2) is None
    assert deepgram.connect(10.4) == 2


@pytest.mark.parametrize("code", [1006, 1011, 1012])
def test_a_connection_that_is_lost_while_it_answers_the_end_is_made_again_after_a_while(code: int) -> None:
    deepgram = connected()
    deepgram.finish(10.0)
    deepgram.heard(10.1)
    assert deepgram.closed(code, "", 10.2, 0.5) == Lost(0.25)
    assert deepgram.connect(10.2) is None


def test_metadata_is_an_end_however_the_connection_goes() -> None:
    deepgram = connected()
    deepgram.finish(10.0)
    deepgram.metadata(10.1)
    assert deepgram.closed(1006, "", 10.1, 0.5) == Flushed(complete=True)


def test_the_second_connection_has_to_answer_the_end_itself() -> None:
    deepgram = connected()
    deepgram.finish(10.0)
    deepgram.heard(10.1)
    assert deepgram.closed(1006, "", 10.2, 0.0) == Lost(0.0)
    assert deepgram.connect(10.2) == 2
    deepgram.opened(10.3)
    deepgram.finish(10.4)
    assert deepgram.closed(1006, "", 10.4 + module.FLUSH_S, 0.0) == Lost(0.0)


def test_metadata_that_never_comes_is_no_complete_end() -> None:
    deepgram = connected()
    deepgram.finish(10.0)
    deepgram.heard(10.0)
    assert not deepgram.stalled(19.9)
    assert deepgram.stalled(20.0)
    assert deepgram.closed(1006, "", 20.0, 0.0) == Flushed(complete=False)
    assert deepgram.state is State.IDLE


def test_metadata_of_a_connection_that_was_not_asked_to_end_is_not_the_sessions() -> None:
    assert not connected().metadata(1.0)


def test_a_back_off_that_nobody_waits_for_is_no_deadline() -> None:
    deepgram = connected()
    assert isinstance(deepgram.closed(1006, "", 0.0, 0.9), Lost)
    due = deepgram.deadline
    assert due is not None
    deepgram.rest(due - 0.01)
    assert (deepgram.state, deepgram.deadline) == (State.WAITING, due)
    deepgram.rest(due)
    assert (deepgram.state, deepgram.deadline) == (State.IDLE, None)
    assert deepgram.connect(due) == 2


def test_time_in_which_nobody_needs_deepgram_is_no_trouble() -> None:
    deepgram = connected()
    deepgram.closed(1006, "", 0.0, 0.0)
    deepgram.rest(0.0)
    deepgram.connect(module.GIVE_UP_S)
    assert isinstance(deepgram.refused(503, "", module.GIVE_UP_S, 0.0), Lost)


def test_trouble_is_over_with_a_new_final_and_later_trouble_is_new() -> None:
    deepgram = connected()
    deepgram.closed(1006, "", 0.0, 0.0)
    deepgram.connect(0.0)
    deepgram.opened(0.0)
    deepgram.transcribed()
    assert isinstance(deepgram.closed(1006, "", module.GIVE_UP_S, 0.0), Lost)


def test_metadata_of_an_earlier_flush_does_not_complete_a_later_one() -> None:
    deepgram = connected()
    deepgram.finish(0.0)
    deepgram.metadata(0.1)
    deepgram.closed(1000, "", 0.2, 0.0)
    deepgram.connect(0.3)
    deepgram.opened(0.3)
    deepgram.finish(0.4)
    assert deepgram.closed(1000, "", 0.5, 0.0) == Flushed(complete=False)


def test_a_place_that_was_waited_for_is_not_waited_for_on_the_next_connection() -> None:
    deepgram = DeepgramSession()
    deepgram.connect(0.0)
    deepgram.throttled(0.0)
    assert deepgram.deadline is not None
    deepgram.refused(503, "", 1.0, 0.0)
    deepgram.connect(1.0)
    assert deepgram.deadline is None


def test_what_the_old_connection_left_unanswered_is_no_stall_of_the_new_one() -> None:
    deepgram = connected()
    deepgram.sent(module.STALL_SAMPLES, 0.0)
    deepgram.closed(1006, "", 0.0, 0.0)
    deepgram.connect(0.0)
    deepgram.opened(0.0)
    assert not deepgram.stalled(module.STALL_S + 1)

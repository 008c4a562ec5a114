"""What of a call is sent to Deepgram, what is heard of it, and what the log is told."""

import json

import pytest

from contracts.events import AudioGap, AudioNotice, SessionResumed
from contracts.intents import ContactIntents
from contracts.link import (
    Abort,
    End,
    Gate,
    Notice,
    Skip,
    Started,
)
from contracts.session import Ended, Final, Gap, Outcome, Progress
from services.transcribe.audio_feed import END_LIMIT_S
from services.transcribe.commands import (
    Append,
    Connect,
    Disconnect,
    PublishToQueue,
    Report,
    SendAudio,
    SendText,
)
from services.transcribe.deepgram_session import CLOSE_STREAM, RETRY_BASE_S, RETRY_CAP_S
from services.transcribe.hearing import INCOMPLETE
from services.transcribe.inputs import (
    Attached,
    DeepgramClosed,
    DeepgramMessage,
    DeepgramOpened,
    DeepgramRefused,
    IntentsRead,
)
from services.transcribe.obedience import FRESH_S
from services.transcribe.session import Phase
from tests.unit.transcribe.driven import ALWAYS, Driven, audio, of, published
from tests.unit.transcribe.records import MS
from tests.unit.transcribe.results import results


def test_no_audio_goes_out_before_the_session_knows_its_t0() -> None:
    driven = Driven()
    assert of(driven.give(Attached(7, "r"), audio(0)), Connect) == []
    assert of(driven.give(Started(handle=7, t0_ms=MS)), Connect) == [Connect(1)]


def test_a_notice_with_a_range_is_a_gap_in_the_log_and_no_notice_on_the_bus() -> None:
    driven = Driven().streaming()
    told = Notice(handle=7, code="audio_missing", explanation="", from_samples=800, to_samples=9_600)
    driven.give(told, told, *(DeepgramMessage(1, results(channel, 0, 0.1)) for channel in (0, 1)))
    driven.serve()
    [gap] = [record for record in driven.log if isinstance(record, Gap)]
    assert (gap.from_samples, gap.to_samples, gap.cause) == (800, 9_600, "audio_missing")
    kinds = [event.detail_type for event in published(driven)]
    assert (kinds.count(AudioGap.detail_type), kinds.count(AudioNotice.detail_type)) == (1, 0)


def test_a_gap_is_logged_before_the_final_that_passes_it_and_covers_none_of_it() -> None:
    driven = Driven().streaming(2.0)
    told = Notice(handle=7, code="audio_missing", explanation="", from_samples=800, to_samples=9_600)
    driven.give(told, DeepgramMessage(1, results(0, 0, 2.0, ("A", 1.5, 1.9))))
    driven.give(DeepgramMessage(1, results(1, 0, 2.0, ("B", 1.5, 1.9))))
    driven.serve()
    first, gap, second = driven.log[-3:]
    assert (type(first), type(gap), type(second)) == (Final, Gap, Final)
    assert gap.state.covered_samples == first.state.covered_samples == (16_000, 0)
    assert (gap.state.gaps_until_samples, second.state.covered_samples) == (9_600, (16_000, 16_000))


def test_the_first_audio_is_logged_with_t0_and_announced() -> None:
    driven = Driven()
    driven.streaming()
    [record] = driven.log
    assert isinstance(record, Progress)
    assert record.state.t0_ms == MS


def test_the_gates_state_is_logged_when_it_changes() -> None:
    driven = Driven().streaming()
    gate = Gate(handle=7, segment_uids=("ab",), contact_ids=())
    [append] = of(driven.give(gate, gate), Append)
    assert append.record.state.segment_uids == ("ab",)


def test_silence_of_both_sides_is_progress_every_five_seconds() -> None:
    driven = Driven().streaming(5.1)
    assert of(driven.give(DeepgramMessage(1, results(0, 0.0, 5.1))), Append) == []
    assert of(driven.give(DeepgramMessage(1, results(1, 0.0, 4.9))), Append) == []
    [append] = of(driven.give(DeepgramMessage(1, results(1, 4.9, 0.2))), Append)
    assert append.record.state.covered_samples == (40_800, 40_800)


def test_what_an_older_connection_still_says_is_ignored() -> None:
    driven = Driven().streaming()
    assert driven.give(DeepgramMessage(0, results(0, 0.0, 0.1, ("hi", 0.0, 0.1)))) == []


def test_a_session_that_cannot_read_its_intents_holds_audio_and_keeps_the_connection() -> None:
    driven = Driven().streaming()
    driven.give(IntentsRead(None, driven.time_s))
    for number in range(1, 3):
        driven.wait(0.1)
        assert of(driven.give(audio(number * 800)), SendAudio)
    commands = [*driven.wait(FRESH_S), *driven.give(audio(2_400)), *driven.wait(0.2)]
    assert not of(commands, SendAudio)
    assert [report.event for report in of(commands, Report)] == ["transcribe.audio_held"]
    for _ in range(3):
        driven.wait(4.0)
        assert driven.session.deadline is not None
        assert driven.session.deadline > driven.time_s, "it waits"
    assert len(of(driven.ever, SendText)) >= 3, "KeepAlive goes on"
    assert not of(driven.give(audio(3_200)), SendAudio)


def test_held_audio_goes_out_when_the_intents_are_read_and_as_they_say() -> None:
    driven = Driven().streaming()
    driven.give(IntentsRead(None, driven.time_s))
    driven.wait(FRESH_S)
    driven.give(audio(800), audio(1_600))
    assert not driven.session.confirm_intents(driven.time_s), "they are to be told anew"
    assert not of(driven.wait(0.0), SendAudio)
    pause = {"from_ms": MS + 100, "to_ms": MS + 200}
    asked = ContactIntents.model_validate({"contact_id": "c", "revision": 1, "pauses": [pause]})
    sent = of(driven.give(IntentsRead(asked, driven.time_s)), SendAudio)
    pcm = b"".join(frame.pcm for frame in sent)
    assert pcm == bytes(800 * 4) + audio(1_600).pcm


def test_time_for_which_audio_was_held_at_the_end_of_a_call_is_not_lost_to_its_replay() -> None:
    driven = Driven().streaming()
    driven.give(IntentsRead(None, driven.time_s))
    driven.wait(FRESH_S)
    driven.give(audio(800), End(handle=7, position_samples=1_600, reason="idle"))
    for _ in range(20):
        driven.wait(60.0)
        driven.serve()
    assert driven.session.phase is Phase.LIVE
    assert of(driven.give(IntentsRead(None, ALWAYS)), SendAudio)


def test_a_long_map_that_loses_its_oldest_marks_is_no_new_connection() -> None:
    driven, position = Driven().streaming(), 800
    for number in range(60):
        driven.give(Skip(handle=7, from_samples=position, to_samples=position + 80, cause="lost"))
        driven.give(audio(position + 80))
        position += 880
        driven.wait(0.2)
        for channel in (0, 1):
            driven.give(DeepgramMessage(1, results(channel, 0, 0.1 * (number + 1))))
        driven.serve()
    assert sum(isinstance(record, Gap) for record in driven.log) == 60
    assert not [event for event in published(driven) if isinstance(event, SessionResumed)]


def test_a_session_that_fails_says_what_was_not_heard() -> None:
    driven = Driven().streaming(10.0)
    for channel in (0, 1):
        driven.give(DeepgramMessage(1, results(channel, 0, 2.0)))
    driven.give(DeepgramClosed(1, 1011, ""))
    driven.wait(1.0)
    driven.give(DeepgramRefused(2, 401, "bad key"))
    driven.serve()
    [gap] = [record for record in driven.log if isinstance(record, Gap)]
    assert (gap.from_samples, gap.to_samples, gap.cause) == (16_000, 80_000, "deepgram_rejected")
    [ended] = [record for record in driven.log if isinstance(record, Ended)]
    assert (ended.outcome, ended.end_samples) == (Outcome.FAILED, 80_000)


def test_the_first_reason_for_the_end_stays_and_huge_metadata_is_not_logged() -> None:
    driven = Driven().streaming()
    driven.give(Abort(handle=7, reason="stream_gone", explanation="…"))
    driven.give(End(handle=7, position_samples=800, reason="ended"))
    driven.give(DeepgramMessage(1, '{"type":"Metadata","tags":"' + "x" * 300_000 + '"}'))
    driven.give(DeepgramClosed(1, 1000, ""))
    driven.serve()
    [ended] = [record for record in driven.log if isinstance(record, Ended)]
    assert (ended.outcome, ended.reason, ended.metadata_message) == (Outcome.FAILED, "stream_gone", None)


def test_instants_that_were_told_before_a_reconnect_are_not_told_again() -> None:
    driven = Driven().streaming(3.0)
    for channel, end in ((0, 2.0), (1, 1.0)):
        driven.give(DeepgramMessage(1, results(channel, 0, end)))
    driven.give(DeepgramClosed(1, 1011, ""))
    driven.wait(1.0)
    driven.give(DeepgramOpened(2))
    driven.wait(1.0)
    driven.serve()
    driven.ever.clear()
    for seconds in ("0.5", "1.5"):  # on its own clock, which began at 1 s
        instant = '{"type":"SpeechStarted","channel":[0,2],"timestamp":%s}'
        driven.give(DeepgramMessage(2, instant % seconds))
    driven.serve()
    told = [one.message.message or "" for one in of(driven.ever, PublishToQueue)]
    assert [json.loads(message)["timestamp"] for message in told] == [2.5]


def ended_call(seconds: float = 1.0) -> Driven:
    """All audio was sent, and Deepgram was asked to end."""
    driven = Driven().streaming(seconds)
    sent = driven.give(End(handle=7, position_samples=round(seconds * 8_000), reason="idle"))
    assert [command.text for command in of(sent, SendText)] == [CLOSE_STREAM]
    return driven


def reconnected(driven: Driven, number: int) -> None:
    """The back-off is over, and the whole rest was sent again."""
    assert of(driven.wait(RETRY_CAP_S), Connect) == [Connect(number)]
    driven.give(DeepgramOpened(number))
    driven.wait(1.0)
    assert driven.commands[-1] == SendText(number, CLOSE_STREAM)
    driven.serve()


@pytest.mark.parametrize("code", [1006, 1011, 1012])
def test_a_deepgram_that_flaps_at_the_end_of_a_call_loses_none_of_it(code: int) -> None:
    driven = ended_call()
    for number in range(1, 8):
        driven.give(DeepgramMessage(number, results(0, 0, 1.0, ("A", 0.2, 0.6))))
        driven.give(DeepgramClosed(number, code, ""))
        assert driven.session.phase is Phase.LIVE
        reconnected(driven, number + 1)
    for message in (results(0, 0, 1.0), results(1, 0, 1.0, ("B", 0.2, 0.6)), '{"type":"Metadata"}'):
        driven.give(DeepgramMessage(8, message))
    driven.give(DeepgramClosed(8, 1000, ""))
    driven.serve()
    assert [record.transcript for record in driven.log if isinstance(record, Final)] == ["A", "B"]
    assert not [record for record in driven.log if isinstance(record, Gap)]
    [ended] = [record for record in driven.log if isinstance(record, Ended)]
    assert ended.outcome is Outcome.COMPLETED


@pytest.mark.parametrize("rounded", [0.0, 0.01])
def test_a_call_whose_words_are_all_final_is_complete_though_deepgram_never_says_goodbye(
    rounded: float,
) -> None:
    driven = ended_call()
    for channel in (0, 1):
        driven.give(DeepgramMessage(1, results(channel, 0, 1.0 - rounded, ("A", 0.2, 0.6))))
    assert not of(driven.give(DeepgramClosed(1, 1006, "")), Connect)
    driven.serve()
    [ended] = [record for record in driven.log if isinstance(record, Ended)]
    assert ended.outcome is Outcome.COMPLETED


def test_a_deepgram_that_flaps_for_ever_holds_no_ended_call_for_ever() -> None:
    driven, number = ended_call(), 1
    began = driven.time_s
    while driven.session.phase is Phase.LIVE:
        driven.give(DeepgramMessage(number, results(0, 0, 1.0)), DeepgramClosed(number, 1011, ""))
        driven.serve()
        while driven.session.phase is Phase.LIVE and not of(driven.ever, Connect)[number:]:
            due = driven.session.deadline
            assert due is not None
            driven.wait(due - driven.time_s)
        number += 1
        driven.give(DeepgramOpened(number))
    driven.serve()
    assert driven.time_s - began == pytest.approx(END_LIMIT_S, abs=1.0)
    assert number < 2 * END_LIMIT_S / (0.5 * RETRY_CAP_S)
    [gap] = [record for record in driven.log if isinstance(record, Gap)]
    assert (gap.from_samples, gap.to_samples, gap.cause) == (0, 8_000, INCOMPLETE)


@pytest.mark.parametrize(
    "message",
    ['{"type":"Error","description":"try later"}', '{"type":"Metadata"}', results(0, 0, 0.1, is_final=False)],
)
def test_an_endpoint_that_says_something_and_closes_is_dialled_more_and_more_rarely(message: str) -> None:
    driven, waits = Driven().streaming(1.0), list[float]()
    for number in range(1, 8):
        driven.give(DeepgramMessage(number, message), DeepgramClosed(number, 1011, ""))
        due = driven.session.deadline
        assert due is not None
        waits.append(due - driven.time_s)
        assert of(driven.wait(waits[-1]), Connect) == [Connect(number + 1)]
        driven.give(DeepgramOpened(number + 1))
        driven.serve()
    assert waits[-1] == pytest.approx(0.5 * RETRY_CAP_S)
    driven.give(DeepgramMessage(8, results(0, 0, 1.0)), DeepgramClosed(8, 1011, ""))
    assert driven.session.deadline == pytest.approx(driven.time_s + 0.5 * RETRY_BASE_S)


def test_after_a_refusal_for_good_nothing_is_dialled() -> None:
    driven = Driven()
    driven.give(Attached(7, "receipt"), Started(handle=7, t0_ms=MS), audio(0))
    commands = driven.give(DeepgramRefused(1, 401, "bad key"))
    assert driven.session.phase is Phase.CONCLUDING
    assert not [command for command in commands if isinstance(command, Connect | Disconnect)]

import json
from collections.abc import Callable

import pytest

from cli.__main__ import main
from cli.formats import as_json, as_srt, as_text, as_vtt
from cli.transcript import Conversation, Ending, Remark, Turn, converse, in_order
from contracts.audio import Channel
from contracts.model import SessionId
from contracts.session import LOG_RECORD
from tests.unit.cli.logs import CONTACT, SESSION, T0_MS, header, log, said, state


def test_both_sides_are_in_time_order_whatever_the_log_order() -> None:
    conversation = converse(header(), log())
    assert [(turn.speaker, turn.start_s, turn.end_s) for turn in conversation.turns] == [
        ("agent", 0.5, 2.25),
        ("customer", 2.5, 4.0),
        ("agent", 10.0, 11.5),
    ]
    assert conversation.started_at_ms == T0_MS
    assert conversation.ending == Ending("completed", "idle", "The call ended.", 12.0)


def test_what_happened_to_the_audio_stands_between_the_turns() -> None:
    lines = converse(header(), log()).lines
    assert [line.n for line in lines] == [4, 3, 5, 6, 7, 8]
    assert isinstance(lines[0], Turn)
    assert lines[2] == Remark(5, 5.0, 6.0, "gap", "not_retained")


def test_text_is_for_reading_and_steers_no_terminal() -> None:
    assert as_text([converse(header(), log())]).splitlines() == [
        f"contact {CONTACT}, session {SESSION}",
        "began 2026-07-14T03:33:20.250+00:00",
        "00:00.500  agent     Hello, how can I help?",
        "00:02.500  customer  Hi, my card is lost.",
        "00:05.000  [no audio until 00:06.000: not_retained]",
        "00:08.000  [transcription paused]",
        "00:10.000  [transcription resumed]",
        "00:10.000  agent     It is <b>blocked</b> & gone. [2J",
        "00:12.000  completed (idle): The call ended.",
    ]


def test_a_session_without_audio_or_end_says_so() -> None:
    text = as_text([converse(header(), log()[:1])])
    assert "no audio yet" in text
    assert text.endswith("not ended\n")


def test_json_holds_everything_and_no_callback() -> None:
    [session] = json.loads(as_json([converse(header(), log())]))["sessions"]
    assert session["session_id"] == SESSION
    assert session["media_started_at"] == "2026-07-14T03:33:20.250+00:00"
    assert session["turns"][1] == {
        "n": 3,
        "speaker": "customer",
        "start_s": 2.5,
        "end_s": 4.0,
        "text": "Hi, my card is lost.",
    }
    assert session["ending"]["outcome"] == "completed"
    assert len(session["remarks"]) == 3
    assert "callback" not in session


def test_vtt_has_a_voice_per_side() -> None:
    assert as_vtt(converse(header(), log()[:4])) == (
        "WEBVTT\n"
        "\n00:00:00.500 --> 00:00:02.250\n<v agent>Hello, how can I help?\n"
        "\n00:00:02.500 --> 00:00:04.000\n<v customer>Hi, my card is lost.\n"
    )
    assert "&lt;b&gt;blocked&lt;/b&gt; &amp; gone." in as_vtt(converse(header(), log()))


def test_srt_has_numbered_cues_that_begin_with_the_speaker() -> None:
    assert as_srt(converse(header(), log()[:4])) == (
        "1\n00:00:00,500 --> 00:00:02,250\nagent: Hello, how can I help?\n"
        "\n2\n00:00:02,500 --> 00:00:04,000\ncustomer: Hi, my card is lost.\n"
    )


def test_srt_of_a_call_without_words_is_empty() -> None:
    assert as_srt(converse(header(), log()[:1])) == ""


@pytest.mark.parametrize("form", [as_srt, as_vtt])
def test_a_caption_is_one_line_and_steers_no_terminal(form: Callable[[Conversation], str]) -> None:
    told = said(Channel.AGENT, 3_661.5, 3_663, "Line\n\n1\u2028two\x1b[2J \u202eend.")
    record = LOG_RECORD.validate_python(
        {**told, "session_id": SESSION, "n": 1, "written_at_ms": 0, "state": state()}
    )
    *_, times, line = form(converse(header(), [record])).splitlines()
    assert times.replace(",", ".") == "01:01:01.500 --> 01:01:03.000"
    assert line.endswith("Line 1 two [2J end.")


def test_several_sessions_stand_in_the_order_of_their_requests() -> None:
    later = converse(header(SessionId("a"), at_ms=2), [])
    earlier = converse(header(SessionId("b"), at_ms=1), [])
    assert in_order([later, earlier]) == [earlier, later]


def test_wrong_usage_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["transcript"])
    assert left.value.code == 2
    assert "usage" in capsys.readouterr().err

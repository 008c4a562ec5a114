"""The protocol of one connection, without a socket."""

import hashlib

import numpy as np
import orjson

from emulators.deepgram.listen import NET_0001, Close, Command, Flush, Hear, Listen, Send
from emulators.deepgram.messages import Message
from emulators.deepgram.query import Query, parse_query
from emulators.deepgram.recogniser import Event, Hearing, Model, Segment, SpeechStarted, Word

STEREO = "encoding=linear16&sample_rate=8000&channels=2&multichannel=true"
MODEL = Model("test", "1", "none")
AUDIO = np.arange(1600, dtype=np.int16).tobytes()  # 100 ms of two channels


def listen(more: str = "", *, base: str = STEREO, enforce_pace: bool = False) -> Listen:
    query = parse_query(f"/v1/listen?{base}{more}")
    assert isinstance(query, Query)
    return Listen(
        query, request_id="r", model=MODEL, created="2026-01-01T00:00:00Z", now=0.0, enforce_pace=enforce_pace
    )


def sent(commands: list[Command]) -> list[Message]:
    return [command.message for command in commands if isinstance(command, Send)]


def close_stream(core: Listen, *events: Event) -> list[Command]:
    commands = core.text('{"type":"CloseStream"}', 1.0)
    assert commands == [Flush(0), Flush(1)]
    return [*core.flushed(0, Hearing(800, events)), *core.flushed(1, Hearing(800))]


FINAL = Segment(0, 800, (Word("hello", 80, 400, 0.9), Word("there", 400, 720, 0.7)), True, speech_final=True)
GUESS = Segment(0, 400, (Word("hello", 80, 400, 0.9),), is_final=False)


def test_audio_is_split_into_its_channels() -> None:
    core = listen()
    left, right = core.audio(AUDIO, 0.1)
    assert isinstance(left, Hear)
    assert isinstance(right, Hear)
    assert (left.channel, right.channel) == (0, 1)
    assert left.samples.tolist() == list(range(0, 1600, 2))
    assert right.samples.tolist() == list(range(1, 1600, 2))
    assert core.samples == 800


def test_a_frame_may_end_inside_a_sample() -> None:
    core = listen()
    pieces = [core.audio(AUDIO[:5], 0.1), core.audio(AUDIO[5:], 0.2)]
    lefts = [command.samples for commands in pieces for command in commands if isinstance(command, Hear)]
    assert np.concatenate(lefts[0::2]).tolist() == list(range(0, 1600, 2))


def test_a_result_is_written_as_deepgram_writes_it() -> None:
    core = listen()
    core.audio(AUDIO, 0.1)
    (message,) = sent(core.heard(1, Hearing(800, (FINAL,))))
    assert message["channel_index"] == [1, 2]
    assert (message["start"], message["duration"]) == (0.0, 0.1)
    assert (message["is_final"], message["speech_final"], message["from_finalize"]) == (True, True, False)
    (best,) = message["channel"]["alternatives"]
    assert best["transcript"] == "hello there"
    assert best["words"][0] == {"word": "hello", "start": 0.01, "end": 0.05, "confidence": 0.9}
    assert best["confidence"] == 0.8
    assert message["metadata"]["request_id"] == "r"
    assert message["metadata"]["model_info"]["name"] == "test"


def test_times_are_exact_to_the_sample() -> None:
    (message,) = sent(listen().heard(0, Hearing(9, (Segment(1, 9, (Word("a", 3, 7),), is_final=True),))))
    (word,) = message["channel"]["alternatives"][0]["words"]
    assert [message["start"], word["start"], word["end"]] == [0.000125, 0.000375, 0.000875]


def test_punctuation_comes_only_when_asked_for() -> None:
    (message,) = sent(listen("&smart_format=true").heard(0, Hearing(800, (FINAL,))))
    best = message["channel"]["alternatives"][0]
    assert best["transcript"] == "Hello there."
    assert [word["punctuated_word"] for word in best["words"]] == ["Hello", "there."]


def test_interim_results_come_only_when_asked_for() -> None:
    assert sent(listen().heard(0, Hearing(400, (GUESS,)))) == []
    (message,) = sent(listen("&interim_results=true").heard(0, Hearing(400, (GUESS,))))
    assert message["is_final"] is False


def test_speech_started_comes_only_when_asked_for() -> None:
    assert sent(listen().heard(0, Hearing(400, (SpeechStarted(80),)))) == []
    (message,) = sent(listen("&vad_events=true").heard(1, Hearing(400, (SpeechStarted(80),))))
    assert message == {"type": "SpeechStarted", "channel": [1, 2], "timestamp": 0.01}


def test_an_utterance_ends_once_after_its_gap() -> None:
    core = listen("&interim_results=true&utterance_end_ms=1000")
    assert len(sent(core.heard(0, Hearing(800, (FINAL,))))) == 1
    assert sent(core.heard(0, Hearing(720 + 7999))) == []
    assert sent(core.heard(0, Hearing(720 + 8000))) == [
        {"type": "UtteranceEnd", "channel": [0, 2], "last_word_end": 0.09}
    ]
    assert sent(core.heard(0, Hearing(99_999))) == []


def test_an_utterance_does_not_end_while_words_are_guessed() -> None:
    core = listen("&interim_results=true&utterance_end_ms=1000")
    core.heard(0, Hearing(800, (FINAL,)))
    guess = Segment(800, 9000, (Word("more", 8000, 9000),), is_final=False)
    assert [message["type"] for message in sent(core.heard(0, Hearing(9000, (guess,))))] == ["Results"]


def test_finalize_marks_what_it_flushed() -> None:
    core = listen()
    assert core.text('{"type":"Finalize"}', 1.0) == [Flush(0), Flush(1)]
    (message,) = sent(core.flushed(0, Hearing(800, (FINAL,))))
    assert message["from_finalize"] is True
    assert not core.closed


def test_close_stream_flushes_then_says_metadata_then_closes() -> None:
    core = listen()
    core.audio(AUDIO, 0.1)
    commands = close_stream(core, FINAL)
    result, metadata = sent(commands)
    assert result["from_finalize"] is False
    assert metadata["type"] == "Metadata"
    assert metadata["duration"] == 0.1
    assert metadata["channels"] == 2
    assert metadata["sha256"] == hashlib.sha256(AUDIO).hexdigest()
    assert commands[-1] == Close(1000, "")
    assert core.closed


def test_an_empty_frame_closes_the_stream() -> None:
    assert listen().audio(b"", 1.0) == [Flush(0), Flush(1)]


def test_audio_after_close_stream_is_not_heard() -> None:
    core = listen()
    core.text('{"type":"CloseStream"}', 1.0)
    assert core.audio(AUDIO, 1.1) == []
    assert core.text('{"type":"CloseStream"}', 1.2) == []


def test_metadata_may_be_withheld() -> None:
    core = listen()
    core.withhold_metadata = True
    assert close_stream(core) == []
    assert not core.closed
    assert core.deadline is None


def test_ten_seconds_without_audio_close_the_stream() -> None:
    core = listen()
    core.audio(AUDIO, 3.0)
    assert core.deadline == 13.0
    assert core.tick(12.9) == []
    assert core.tick(13.0) == [Close(1011, NET_0001)]


def test_keep_alive_keeps_it_open_once_audio_has_come() -> None:
    core = listen()
    core.text('{"type":"KeepAlive"}', 5.0)
    assert core.deadline == 10.0
    core.audio(AUDIO, 6.0)
    core.text('{"type":"KeepAlive"}', 14.0)
    assert core.deadline == 24.0


def test_audio_without_an_encoding_cannot_be_decoded() -> None:
    (command,) = listen(base="model=nova-3").audio(AUDIO, 0.1)
    assert isinstance(command, Close)
    assert command.code == 1008
    assert "DATA-0000" in command.reason or "data0000" in command.reason


def test_a_message_that_is_none_is_answered_with_an_error() -> None:
    for text in ("no json", "[]", '{"kind":1}', '{"type":"Dance"}', '"text"'):
        (message,) = sent(listen().text(text, 1.0))
        assert message["type"] == "Error"
        assert orjson.loads(orjson.dumps(message))["message"] == text


def test_too_fast_audio_is_counted_and_closed_only_when_enforced() -> None:
    lenient, strict = listen(), listen(enforce_pace=True)
    for core in (lenient, strict):
        for _ in range(20):
            core.audio(AUDIO, 0.5)
    assert lenient.pace.violations == 10
    assert not lenient.closed
    assert strict.closed

import json

import pytest

from contracts.audio import Channel
from services.transcribe.segments import Closing, Dropped, Remark, Segment, Segments
from services.transcribe.time_map import TimeMap
from tests.unit.transcribe.results import results


def times(*marks: tuple[int, int]) -> TimeMap:
    made = TimeMap()
    for sent, position in marks or ((0, 0),):
        made.mark(sent, position)
    return made


def heard(segments: Segments, message: str, map_: TimeMap | None = None) -> Segment:
    segment = segments.receive(message, map_ or times())
    assert isinstance(segment, Segment), segment
    return segment


def test_a_final_passes_byte_for_byte_and_covers_its_channel() -> None:
    segments = Segments("s", (0, 0))
    message = results(1, 0.0, 2.5, ("Hello", 0.5, 1.0))
    segment = heard(segments, message)
    assert segment == Segment("s.1.0", Channel.AGENT, True, 0, 20_000, "Hello", message)
    assert segments.covered == (0, 20_000)


def test_interims_and_their_final_have_one_id_and_the_next_segment_has_another() -> None:
    segments = Segments("s", (0, 0))
    first = heard(segments, results(0, 0.0, 1.0, ("one", 0.1, 0.5), is_final=False))
    other = heard(segments, results(1, 0.0, 1.0, ("two", 0.1, 0.5), is_final=False))
    last = heard(segments, results(0, 0.0, 2.0, ("one", 0.1, 0.5)))
    after = heard(segments, results(0, 2.0, 1.0, ("three", 2.1, 2.5), is_final=False))
    assert first.segment_id == last.segment_id == "s.0.0"
    assert other.segment_id == "s.1.0"
    assert after.segment_id == "s.0.16000"


def test_silence_covers_too_and_passes_unlogged() -> None:
    segments = Segments("s", (0, 0))
    message = results(0, 0.0, 3.0)
    assert segments.receive(message, times()) == Remark("Results", message)
    assert segments.covered == (24_000, 0)


def test_an_empty_interim_has_its_place() -> None:
    message = results(0, 0.0, 3.0, is_final=False)
    segments = Segments("s", (0, 0))
    assert segments.receive(message, times()) == Remark("interim", message)
    assert segments.covered == (0, 0)


def test_times_move_by_where_the_connection_began() -> None:
    segments = Segments("s", (80_000, 80_000))
    segment = heard(segments, results(0, 1.0, 2.0, ("Hi", 1.5, 1.75)), times((0, 80_000)))
    assert (segment.start, segment.end) == (88_000, 104_000)
    moved = json.loads(segment.message)
    assert (moved["start"], moved["duration"]) == (11.0, 2.0)
    [word] = moved["channel"]["alternatives"][0]["words"]
    assert (word["start"], word["end"], word["punctuated_word"]) == (11.5, 11.75, "Hi")
    assert moved["metadata"] == {"request_id": "r"}


def test_a_result_over_a_hole_is_as_long_as_its_positions_say() -> None:
    segments = Segments("s", (0, 0))
    message = results(0, 0.0, 2.0, ("before", 0.2, 0.6), ("after", 1.2, 1.6))
    segment = heard(segments, message, times((0, 0), (8_000, 40_000)))
    assert segment.end == 48_000
    moved = json.loads(segment.message)
    words = moved["channel"]["alternatives"][0]["words"]
    assert [(word["start"], word["end"]) for word in words] == [(0.2, 0.6), (5.2, 5.6)]
    assert moved["duration"] == 6.0


def test_what_was_final_already_is_dropped() -> None:
    segments = Segments("s", (16_000, 0))
    again = results(0, 0.0, 2.0, ("again", 0.5, 1.0))
    assert segments.receive(again, times()) == Dropped("covered")
    assert segments.receive(results(0, 0.0, 1.5, is_final=False), times()) == Dropped("covered")
    assert segments.covered == (16_000, 0)


def test_a_result_that_straddles_keeps_only_its_new_words() -> None:
    segments = Segments("s", (16_000, 0))
    message = results(0, 0.0, 4.0, ("Old", 1.0, 1.4), ("new", 2.2, 2.6), ("Newer.", 3.0, 3.5))
    segment = heard(segments, message)
    assert segment.transcript == "new Newer."
    assert (segment.start, segment.end, segment.segment_id) == (16_000, 32_000, "s.0.16000")
    clipped = json.loads(segment.message)
    assert (clipped["start"], clipped["duration"]) == (2.0, 2.0)
    assert [word["word"] for word in clipped["channel"]["alternatives"][0]["words"]] == ["new", "newer."]


def test_rounded_seconds_are_no_straddling() -> None:
    segments = Segments("s", (16_003, 0))
    message = results(0, 2.0, 1.0, ("word", 2.0, 2.5))
    assert heard(segments, message).message == message


def test_a_final_of_no_length_at_the_end_passes() -> None:
    segments = Segments("s", (16_000, 0))
    message = results(0, 2.0, 0.0)
    assert segments.receive(message, times()) == Remark("Results", message)


@pytest.mark.parametrize(
    ("kind", "field"), [("UtteranceEnd", "last_word_end"), ("SpeechStarted", "timestamp")]
)
def test_instants_move_and_those_told_before_a_reconnect_are_dropped(kind: str, field: str) -> None:
    segments = Segments("s", (8_000, 0))
    message = json.dumps({"type": kind, "channel": [0, 2], field: 2.5})
    assert segments.receive(message, times()) == Remark(kind, message)
    segments.replay()
    moved = segments.receive(message, times((0, 8_000)))
    assert isinstance(moved, Remark)
    assert json.loads(moved.message)[field] == 3.5
    stale = json.dumps({"type": kind, "channel": [0, 2], field: 0.5})
    assert segments.receive(stale, times()) == Dropped("covered")


def test_an_utterance_end_without_a_word_passes() -> None:
    message = '{"type": "UtteranceEnd", "channel": [0, 2], "last_word_end": -1}'
    assert Segments("s", (0, 0)).receive(message, times((0, 500))) == Remark("UtteranceEnd", message)


@pytest.mark.parametrize(
    "message",
    [
        '{"type": "Sentiment", "mood": "good"}',
        '{"type": "Results", "unknown": "shape"}',
        '{"type": "Results", "channel_index": [2, 3], "start": 0, "duration": 1, "is_final": true}',
        '{"no": "type"}',
    ],
)
def test_unknown_types_and_shapes_pass_untouched(message: str) -> None:
    kind = str(json.loads(message).get("type"))
    assert Segments("s", (0, 0)).receive(message, times((0, 9))) == Remark(kind, message)


def test_metadata_closes() -> None:
    assert Segments("s", (0, 0)).receive('{"type": "Metadata"}', times()) == Closing('{"type": "Metadata"}')


@pytest.mark.parametrize(("message", "reason"), [("{", "not_json"), ("[1]", "not_an_object")])
def test_what_is_no_message_is_dropped_with_its_reason(message: str, reason: str) -> None:
    assert Segments("s", (0, 0)).receive(message, times()) == Dropped(reason)


def test_a_word_that_ends_after_what_was_final_is_new_wherever_deepgram_guesses_its_start() -> None:
    segments = Segments("s", (8_000, 0))
    segment = heard(
        segments, results(0, 0.0, 2.0, ("Old", 0.7, 1.0), ("Yes", 0.86, 1.1), ("please", 1.2, 1.5))
    )
    assert (segment.transcript, segment.start, segment.end) == ("Yes please", 8_000, 16_000)


def test_a_final_covers_no_more_than_was_sent() -> None:
    segments, map_ = Segments("s", (0, 0)), times()
    map_.until = 80_000
    assert heard(segments, results(0, 0.0, 600.0, ("a", 0.1, 0.2)), map_).end == 80_000
    map_.until = 96_000
    assert heard(segments, results(0, 10.0, 2.0, ("later", 10.1, 10.2)), map_).transcript == "later"
    segments.receive(results(0, 1e6, 1.0), map_)
    assert segments.covered == (96_000, 0)


def test_a_final_that_ends_before_what_is_covered_takes_nothing_back() -> None:
    segments = Segments("s", (8_000, 0))
    segments.receive(results(0, 1.0, -0.5), times())
    assert segments.covered == (8_000, 0)


def test_a_word_without_times_stays_when_the_others_move() -> None:
    segments = Segments("s", (80_000, 80_000))
    message = json.loads(results(0, 0.0, 1.0, ("Hi", 0.0, 0.0), ("there", 0.4, 0.6)))
    words = message["channel"]["alternatives"][0]["words"]
    del words[0]["start"], words[0]["end"]
    segment = heard(segments, json.dumps(message), times((0, 80_000)))
    words = json.loads(segment.message)["channel"]["alternatives"][0]["words"]
    assert [(word["word"], word.get("start"), word.get("end")) for word in words] == [
        ("hi", None, None),
        ("there", 10.4, 10.6),
    ]


def test_what_was_searched_and_found_moves_and_is_clipped_with_the_words() -> None:
    message = json.loads(results(0, 0.0, 2.0, ("Old", 0.1, 0.5), ("Anna", 1.2, 1.5)))
    hits = [{"start": 0.1, "end": 0.5, "snippet": "old"}, {"start": 1.2, "end": 1.5, "snippet": "anna"}]
    message["channel"]["search"] = [{"query": "x", "hits": hits}]
    entities = [
        {"label": "AGE", "value": "Old", "start_word": 0, "end_word": 1},
        {"label": "NAME", "value": "Anna", "start_word": 1, "end_word": 2},
    ]
    message["channel"]["alternatives"][0]["entities"] = entities
    segment = heard(Segments("s", (88_000, 0)), json.dumps(message), times((0, 80_000)))
    channel = json.loads(segment.message)["channel"]
    assert channel["search"] == [{"query": "x", "hits": [{"start": 11.2, "end": 11.5, "snippet": "anna"}]}]
    [alternative] = channel["alternatives"]
    assert alternative["transcript"] == "Anna"
    assert alternative["entities"] == [{"label": "NAME", "value": "Anna", "start_word": 0, "end_word": 1}]


@pytest.mark.parametrize(("field", "bad"), [("start", 1e308), ("duration", 1e308), ("start", -1e308)])
def test_numbers_that_no_audio_has_end_nothing(field: str, bad: float) -> None:
    message = results(0, 0.0, 1.0, ("x", 0.1, 0.2)).replace(
        f'"{field}": {0.0 if field == "start" else 1.0}', "X"
    )
    segments = Segments("s", (0, 0))
    message = message.replace("X", f'"{field}": {bad!r}', 1)
    assert isinstance(segments.receive(message, times()), Remark | Segment)
    assert json.loads(message)[field] == bad


def test_a_transcript_that_is_none_is_no_word() -> None:
    message = results(0, 0.0, 1.0).replace('"transcript": ""', '"transcript": null')
    assert Segments("s", (0, 0)).receive(message, times()) == Remark("Results", message)


@pytest.mark.parametrize("index", ["[2, 2]", "[-1, 2]", "[]", "0"])
def test_a_channel_that_is_none_of_ours_covers_nothing(index: str) -> None:
    message = results(0, 0.0, 1.0, ("x", 0.1, 0.2))
    message = json.dumps({**json.loads(message), "channel_index": json.loads(index)})
    segments = Segments("s", (0, 0))
    assert segments.receive(message, times()) == Remark("Results", message)
    assert segments.covered == (0, 0)


def test_an_instant_inside_what_became_final_on_this_connection_is_told() -> None:
    segments, message = Segments("s", (0, 0)), '{"type":"UtteranceEnd","channel":[0,2],"last_word_end":1.0}'
    segments.replay()
    segments.receive(results(0, 0.0, 2.0, ("x", 0.1, 1.0)), times())
    assert segments.receive(message, times()) == Remark("UtteranceEnd", message)


def test_at_a_hole_speech_starts_after_it_and_an_utterance_ends_before_it() -> None:
    segments, map_ = Segments("s", (0, 0)), times((0, 0), (8_000, 40_000))
    ended = segments.receive('{"type":"UtteranceEnd","channel":[0,2],"last_word_end":1.0}', map_)
    began = segments.receive('{"type":"SpeechStarted","channel":[0,2],"timestamp":1.0}', map_)
    assert isinstance(ended, Remark)
    assert isinstance(began, Remark)
    assert json.loads(ended.message)["last_word_end"] == 1.0
    assert json.loads(began.message)["timestamp"] == 5.0

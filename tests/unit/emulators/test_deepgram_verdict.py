"""A verdict names each deviation, and only deviations."""

import random
from dataclasses import replace

import pytest

from emulators.deepgram.script import encode_call
from emulators.deepgram.verdict import ReceivedWord, judge, received_words

CALL = encode_call(11, 30)
SAID = CALL.words
RIGHT = [ReceivedWord(word.channel, word.text, word.start_sample, word.end_sample) for word in SAID]


def test_a_right_transcript_is_clean() -> None:
    verdict = judge(SAID, RIGHT)
    assert verdict.clean
    assert verdict.words == len(SAID)


def test_the_channels_may_interleave_in_any_way() -> None:
    assert judge(SAID, sorted(RIGHT, key=lambda word: word.end)).clean


def test_a_missing_word_is_lost() -> None:
    verdict = judge(SAID, RIGHT[:3] + RIGHT[4:])
    assert [lost.text for lost in verdict.lost] == [SAID[3].text]
    assert list(verdict.deviations()) == ["lost"]


def test_a_repeated_word_is_doubled() -> None:
    verdict = judge(SAID, [*RIGHT, RIGHT[2]])
    assert [doubled.text for doubled in verdict.doubled] == [SAID[2].text]
    assert list(verdict.deviations()) == ["doubled"]


def test_swapped_words_are_misordered() -> None:
    verdict = judge(SAID, [RIGHT[1], RIGHT[0], *RIGHT[2:]])
    assert [late.text for late in verdict.misordered] == [SAID[0].text]


def test_a_word_on_the_other_side_is_on_the_wrong_channel() -> None:
    moved = replace(RIGHT[4], channel=1 - RIGHT[4].channel)
    verdict = judge(SAID, [*RIGHT[:4], moved, *RIGHT[5:]])
    assert [wrong.text for wrong in verdict.wrong_channel] == [SAID[4].text]


@pytest.mark.parametrize(("by", "tolerance", "clean"), [(1, 0, False), (512, 512, True), (-513, 512, False)])
def test_a_word_out_of_its_time_is_shifted(by: int, tolerance: int, *, clean: bool) -> None:
    moved = replace(RIGHT[0], start=RIGHT[0].start + by, end=RIGHT[0].end + by)
    verdict = judge(SAID, [moved, *RIGHT[1:]], tolerance_samples=tolerance)
    assert verdict.clean is clean
    assert bool(verdict.shifted) is not clean


def test_a_session_may_begin_before_the_call() -> None:
    later = [replace(word, start=word.start + 800, end=word.end + 800) for word in RIGHT]
    assert judge(SAID, later, offset_samples=800).clean


def test_pieces_are_damage_and_the_word_is_lost() -> None:
    piece = replace(RIGHT[5], text=f"{RIGHT[5].text}~cut")
    verdict = judge(SAID, [*RIGHT[:5], piece, *RIGHT[6:]])
    assert (len(verdict.damaged), len(verdict.lost)) == (1, 1)


def test_a_word_of_another_call_is_foreign() -> None:
    other = encode_call(12, 5).words[0]
    verdict = judge(SAID, [*RIGHT, ReceivedWord(0, other.text, 0, 10)])
    assert [foreign.text for foreign in verdict.foreign] == [other.text]


def test_the_report_names_word_and_cause() -> None:
    assert SAID[3].text in str(judge(SAID, RIGHT[:3] + RIGHT[4:]))
    assert str(judge(SAID, RIGHT)).startswith(f"{len(SAID)} words")


def test_only_finals_are_read_from_messages() -> None:
    word = {"word": "a-l0000-1", "start": 0.000125, "end": 0.5}
    final = {
        "type": "Results",
        "is_final": True,
        "channel_index": [1, 2],
        "channel": {"alternatives": [{"words": [word]}]},
    }
    messages = [{"type": "Metadata"}, {**final, "is_final": False}, final]
    assert received_words(messages) == [ReceivedWord(1, "a-l0000-1", 1, 4000)]


def test_any_shuffle_of_one_side_is_noticed() -> None:
    shuffled = RIGHT[:]
    random.Random(1).shuffle(shuffled)
    assert judge(SAID, shuffled).misordered

"""The codec recogniser's segments: whole, without holes, and the same whatever the pieces."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulators.deepgram.codec import Samples
from emulators.deepgram.codec_recogniser import CodecRecogniser
from emulators.deepgram.recogniser import Event, Listening, Segment, SpeechStarted
from emulators.deepgram.script import encode_call

CALL = encode_call(21, 40)


def listen(
    samples: Samples,
    sizes: list[int],
    *,
    channel: int = 0,
    endpointing_ms: int | None = 10,
    interim: bool = False,
) -> list[Event]:
    recogniser = CodecRecogniser(Listening(8000, interim, endpointing_ms, channel))
    events: list[Event] = []
    at = 0
    for size in [*sizes, len(samples)]:
        events += recogniser.accept(samples[at : at + size]).events
        at += size
    return [*events, *recogniser.flush().events]


def side(channel: int) -> Samples:
    return np.ascontiguousarray(CALL.samples[:, channel])


def finals(events: list[Event]) -> list[Segment]:
    return [event for event in events if isinstance(event, Segment) and event.is_final]


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 20_000), max_size=50),
    channel=st.integers(0, 1),
    endpointing_ms=st.sampled_from([None, 10, 300, 1000]),
)
def test_finals_depend_on_the_audio_alone(sizes: list[int], channel: int, endpointing_ms: int | None) -> None:
    pieces = listen(side(channel), sizes, channel=channel, endpointing_ms=endpointing_ms)
    assert pieces == listen(side(channel), [], channel=channel, endpointing_ms=endpointing_ms)


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("endpointing_ms", [None, 10, 300])
def test_finals_follow_each_other_without_a_hole_and_hold_every_word(
    channel: int, endpointing_ms: int | None
) -> None:
    found = finals(listen(side(channel), [800] * 400, channel=channel, endpointing_ms=endpointing_ms))
    assert found[0].start == 0
    assert found[-1].end == len(CALL.samples)
    assert all(one.end == other.start for one, other in itertools.pairwise(found))
    assert all(final.start <= word.start and word.end <= final.end for final in found for word in final.words)
    heard = [(word.text, word.start, word.end) for final in found for word in final.words]
    said = [(w.text, w.start_sample, w.end_sample) for w in CALL.words if w.channel == channel]
    assert heard == said


def test_silence_makes_finals_without_words_and_the_channels_do_not_go_in_step() -> None:
    quiet = np.zeros(40 * 8000, np.int16)
    ends = [{final.end for final in finals(listen(quiet, [800] * 400, channel=n))} for n in (0, 1)]
    assert all(len(times) > 5 for times in ends)
    assert len(ends[0] & ends[1]) <= 1 + len(ends[0]) // 3


def test_the_end_of_speech_ends_a_final_unless_switched_off() -> None:
    assert any(final.speech_final for final in finals(listen(side(0), [])))
    ended_by_flush = finals(listen(side(0), [], endpointing_ms=None))[:-1]
    assert not any(final.speech_final for final in ended_by_flush)


def test_interims_grow_towards_their_final() -> None:
    events = [
        event
        for event in listen(side(0), [800] * 400, interim=True)
        if isinstance(event, Segment) and (event.words or event.is_final)
    ]
    guesses = [event for event in events if not event.is_final]
    assert guesses
    for guess in guesses:
        final = next(f for f in finals([*events]) if f.end >= guess.end)
        texts = [word.text for word in guess.words]
        assert guess.start == final.start
        assert [word.text for word in final.words][: len(texts)] == texts


def test_speech_is_announced_before_its_words() -> None:
    events = listen(side(0), [800] * 400)
    first_word = next(word for word in CALL.words if word.channel == 0)
    assert SpeechStarted(first_word.start_sample) in events


def test_a_flush_cuts_a_word_in_two() -> None:
    word = next(word for word in CALL.words if word.channel == 0)
    middle = (word.start_sample + word.end_sample) // 2
    recogniser = CodecRecogniser(Listening(8000, False, 10, 0))
    recogniser.accept(side(0)[:middle])
    (cut,) = finals(list(recogniser.flush().events))
    recogniser.accept(side(0)[middle : word.end_sample + 1])
    rest = finals(list(recogniser.flush().events))
    assert [heard.text for heard in cut.words] == [f"{word.text}~cut"]
    assert rest[0].words[0].text == f"{word.text}~cut"
    assert cut.end == middle == rest[0].start

"""The codec reads back every word exactly, however the audio arrives, and notices every damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emulators.deepgram.codec import CELL_SAMPLES, Heard, Identity, Samples, WordDecoder, encode_word
from emulators.deepgram.script import encode_call

WORD = Identity(call=0xC0FFEE, channel=1, ordinal=42, vocabulary=17, start_samples=12345)


def quiet(samples: int) -> Samples:
    return np.zeros(samples, np.int16)


def decode(audio: Samples, sizes: list[int] | None = None) -> list[Heard]:
    decoder, at = WordDecoder(), 0
    found: list[Heard] = []
    for size in sizes or []:
        found += decoder.feed(audio[at : at + size])
        at += size
    found += decoder.feed(audio[at:])
    return found + decoder.flush()


def one(audio: Samples) -> Heard:
    (heard,) = decode(audio)
    return heard


def test_a_word_is_found_at_its_sample_with_all_that_it_says() -> None:
    heard = one(np.concatenate((quiet(777), encode_word(WORD, 20), quiet(5))))
    assert heard == Heard(777, 777 + 20 * CELL_SAMPLES, WORD, "whole")


def test_a_word_names_its_side_its_ordinal_and_its_call() -> None:
    assert one(encode_word(WORD, 15)).text == "bridge-r0042-c0ffee"


def test_no_sample_of_a_word_is_zero_and_none_is_loud_enough_to_clip() -> None:
    samples = encode_word(WORD, 60)
    assert samples.all()
    assert np.abs(samples).max() <= 8160


@given(
    offset=st.integers(0, 300),
    cells=st.integers(1, 60),
    sizes=st.lists(st.integers(1, 700), max_size=40),
)
def test_pieces_and_offset_make_no_difference(offset: int, cells: int, sizes: list[int]) -> None:
    audio = np.concatenate((quiet(offset), encode_word(WORD, cells), quiet(100), encode_word(WORD, 3)))
    assert decode(audio, sizes) == decode(audio)
    assert decode(audio)[0] == Heard(offset, offset + cells * CELL_SAMPLES, WORD, "whole")


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), sizes=st.lists(st.integers(1, 9000), max_size=60))
def test_every_word_of_a_call_is_read_back_from_any_pieces(seed: int, sizes: list[int]) -> None:
    call = encode_call(seed, 12)
    found = [
        (channel, heard.text, heard.start, heard.end)
        for channel in (0, 1)
        for heard in decode(np.ascontiguousarray(call.samples[:, channel]), sizes)
    ]
    assert found == [(word.channel, word.text, word.start_sample, word.end_sample) for word in call.words]


@given(at=st.integers(0, 10 * CELL_SAMPLES - 1), change=st.integers(-32768, 32767))
def test_any_altered_sample_is_noticed(at: int, change: int) -> None:
    audio = np.concatenate((quiet(50), encode_word(WORD, 10), quiet(50)))
    audio[50 + at] = change
    was_altered = change != encode_word(WORD, 10)[at]
    assert (decode(audio)[0].condition != "whole") == was_altered


@given(first=st.integers(1, 10 * CELL_SAMPLES - 1), offset=st.integers(0, 90))
def test_a_word_without_its_head_is_cut_and_still_known(first: int, offset: int) -> None:
    heard = one(np.concatenate((quiet(offset), encode_word(WORD, 10)[first:], quiet(9))))
    assert (heard.start, heard.end) == (offset, offset + 10 * CELL_SAMPLES - first)
    whole_cell_left = first <= 9 * CELL_SAMPLES
    assert heard.text == ("bridge-r0042-c0ffee~cut" if whole_cell_left else "~noise")


@given(last=st.integers(1, 10 * CELL_SAMPLES - 1))
def test_a_word_without_its_tail_is_cut_and_still_known(last: int) -> None:
    heard = one(np.concatenate((encode_word(WORD, 10)[:last], quiet(9))))
    assert heard.end == last
    assert heard.text == ("bridge-r0042-c0ffee~cut" if last >= CELL_SAMPLES else "~noise")


@given(start=st.integers(1, 10 * CELL_SAMPLES - 2), length=st.integers(1, 400))
def test_a_word_silenced_in_its_middle_is_never_whole(start: int, length: int) -> None:
    audio = encode_word(WORD, 10)
    audio[start : start + length] = 0
    assert all(heard.condition != "whole" for heard in decode(audio))


@given(at=st.integers(0, 10 * CELL_SAMPLES - 1), lost=st.integers(1, 300))
def test_lost_samples_inside_a_word_are_noticed(at: int, lost: int) -> None:
    audio = np.delete(encode_word(WORD, 10), slice(at, at + lost))
    assert all(heard.condition != "whole" for heard in decode(audio))


def test_doubled_samples_inside_a_word_are_noticed() -> None:
    word = encode_word(WORD, 10)
    audio = np.concatenate((word[:240], word[160:]))
    assert all(heard.condition != "whole" for heard in decode(audio))


def test_a_word_follows_another_without_silence() -> None:
    second = WORD._replace(ordinal=43)
    found = decode(np.concatenate((encode_word(WORD, 3), encode_word(second, 4))))
    assert [(heard.identity, heard.condition) for heard in found] == [(WORD, "whole"), (second, "whole")]


def test_noise_is_no_word() -> None:
    noise = np.random.default_rng(1).integers(1, 30000, 5000).astype(np.int16)
    assert one(np.concatenate((noise, quiet(3)))).text == "~noise"


def test_a_flush_in_mid_word_cuts_it_in_two() -> None:
    decoder, word = WordDecoder(), encode_word(WORD, 10)
    decoder.feed(word[:500])
    (first,) = decoder.flush()
    rest = decoder.feed(np.concatenate((word[500:], quiet(1))))
    assert [first.text, *(heard.text for heard in rest)] == ["bridge-r0042-c0ffee~cut"] * 2
    assert (first.end, rest[0].start) == (500, 500)


def test_the_word_being_heard_is_known_from_its_first_cell() -> None:
    decoder = WordDecoder()
    decoder.feed(encode_word(WORD, 10)[:CELL_SAMPLES])
    assert decoder.partial is not None
    assert decoder.partial.identity == WORD
    assert decoder.speaking_since == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_call_has_two_sides_overlaps_and_a_long_silence(seed: int) -> None:
    call = encode_call(seed, 60)
    words = call.words
    sides = [[word for word in words if word.channel == channel] for channel in (0, 1)]
    assert all(len(side) >= 10 for side in sides)
    assert all(1200 <= word.end_sample - word.start_sample <= 4800 for word in words)
    assert any(
        a.start_sample < b.end_sample and b.start_sample < a.end_sample for a in sides[0] for b in sides[1]
    )
    silences = [
        after - before
        for side in sides
        for before, after in zip(
            (0, *(word.end_sample for word in side)),
            (*(word.start_sample for word in side), len(call.samples)),
            strict=True,
        )
    ]
    assert min(silences[1 : len(sides[0])]) >= 240
    assert max(silences) > 80_000
    assert len({word.text for word in words}) == len(words)


def test_the_same_seed_gives_the_same_call() -> None:
    assert np.array_equal(encode_call(5, 20).samples, encode_call(5, 20).samples)

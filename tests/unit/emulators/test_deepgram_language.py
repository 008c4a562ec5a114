"""The demo vocabulary: its language model, dictionary and the pipes to its workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulators.deepgram.recogniser import Hearing, Listening, Segment, SpeechStarted, Word
from emulators.deepgram.sphinx.engine import dictionary_path
from emulators.deepgram.sphinx.language import (
    UnknownWordsError,
    bigram_model,
    cut_dictionary,
    joined,
    read_sentences,
)
from emulators.deepgram.sphinx.pool import SENTENCES
from emulators.deepgram.sphinx.wire import decode_hearing, decode_listening, encode_hearing, encode_listening

TEXT = [["a", "b"], ["a", "c"], ["b", "a", "b"]]


def probabilities(model: str) -> tuple[dict[str, tuple[float, float]], dict[tuple[str, str], float]]:
    """Unigrams (probability, back-off weight) and bigrams of an ARPA text."""
    ones: dict[str, tuple[float, float]] = {}
    twos: dict[tuple[str, str], float] = {}
    for line in model.splitlines():
        parts = line.split()
        if len(parts) == 3 and parts[2].lstrip("-")[0].isdigit():
            ones[parts[1]] = (10 ** float(parts[0]), 10 ** float(parts[2]))
        elif len(parts) == 3:
            twos[parts[1], parts[2]] = 10 ** float(parts[0])
    return ones, twos


def test_the_words_after_each_word_add_up_to_one() -> None:
    ones, twos = probabilities(bigram_model(TEXT))
    for first in ("<s>", "a", "b"):
        seen = {second: p for (one, second), p in twos.items() if one == first}
        unseen = sum(p for word, (p, _) in ones.items() if word not in seen) * ones[first][1]
        assert sum(seen.values()) + unseen == pytest.approx(1.0, abs=0.01)


def test_a_pair_that_was_seen_is_likelier() -> None:
    _, twos = probabilities(bigram_model(TEXT))
    assert twos["a", "b"] > twos["a", "c"]


def test_the_model_declares_its_counts() -> None:
    model = bigram_model(TEXT)
    ones, twos = probabilities(model)
    assert f"ngram 1={len(ones)}" in model
    assert f"ngram 2={len(twos)}" in model


def test_sentences_are_also_joined() -> None:
    assert joined(TEXT)[:3] == TEXT
    assert all(len(pair) > 3 for pair in joined(TEXT)[3:])


def test_the_dictionary_is_cut_to_the_words_with_all_pronunciations() -> None:
    lines = ["a AH", "a(2) EY", "ab AE B", "b B IY"]
    assert cut_dictionary(lines, ["a", "b"]) == "a AH\na(2) EY\nb B IY\n"


def test_a_word_without_pronunciation_is_named() -> None:
    with pytest.raises(UnknownWordsError, match="xyzzy"):
        cut_dictionary(["a AH"], ["a", "xyzzy"])


def test_every_sentence_of_the_demo_can_be_pronounced() -> None:
    sentences = read_sentences(SENTENCES.read_text())
    assert len(sentences) >= 300
    words = {word for sentence in sentences for word in sentence}
    with dictionary_path().open() as lines:
        cut = cut_dictionary(lines, words)
    assert len(cut.splitlines()) >= len(words)


SAMPLES = st.integers(0, 10**9)
WORDS = st.lists(st.builds(Word, st.text(), SAMPLES, SAMPLES, st.floats(0, 1)), max_size=3).map(tuple)
EVENTS = st.one_of(
    st.builds(SpeechStarted, SAMPLES),
    st.builds(Segment, SAMPLES, SAMPLES, WORDS, st.booleans(), st.booleans()),
)


@given(known_until=st.integers(0, 10**9), events=st.lists(EVENTS, max_size=4))
def test_a_hearing_comes_through_the_pipe_as_it_was(
    known_until: int, events: list[Segment | SpeechStarted]
) -> None:
    hearing = Hearing(known_until, tuple(events))
    assert decode_hearing(encode_hearing(hearing)) == hearing


def test_how_to_listen_comes_through_the_pipe_as_it_was() -> None:
    listening = Listening(8000, True, None, 1, 250)
    assert decode_listening(encode_listening(listening)) == listening

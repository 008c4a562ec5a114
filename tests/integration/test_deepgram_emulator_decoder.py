"""The demo vocabulary's recogniser on the real decoder, without a server."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile  # pyright: ignore[reportMissingTypeStubs]  it has annotations, no marker

from demo.score import score
from emulators.deepgram.recogniser import Listening, Samples, Segment, SpeechStarted
from emulators.deepgram.sphinx.engine import make_decoder, make_endpointer
from emulators.deepgram.sphinx.pool import write_language
from emulators.deepgram.sphinx.recogniser import SphinxRecogniser

CUSTOMER = Path(__file__).parents[2] / "demo" / "audio" / "lost-card.flac"
FIRST_TURN_S = 14


@pytest.fixture(scope="module")
def language(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_language(tmp_path_factory.mktemp("language"))


@pytest.fixture(scope="module")
def audio() -> Samples:
    read, _ = soundfile.read(CUSTOMER, dtype="int16")
    return np.ascontiguousarray(np.asarray(read, np.int16)[: FIRST_TURN_S * 8000, 0])


def said() -> str:
    turns = json.loads(CUSTOMER.with_suffix(".json").read_text())["turns"]
    return next(turn["text"] for turn in turns if turn["side"] == "customer")


def make(language: tuple[Path, Path], *, interim: bool = False, rate: int = 8000) -> SphinxRecogniser:
    return SphinxRecogniser(Listening(rate, interim, 10, 0), make_decoder(*language), make_endpointer)


def pieces(audio: Samples, size: int) -> Iterator[Samples]:
    return (audio[at : at + size] for at in range(0, len(audio), size))


def hear(recogniser: SphinxRecogniser, audio: Samples, size: int = 800) -> list[Segment]:
    hearings = [recogniser.accept(piece) for piece in pieces(audio, size)]
    events = [event for hearing in [*hearings, recogniser.flush()] for event in hearing.events]
    return [event for event in events if isinstance(event, Segment)]


def text(segments: list[Segment]) -> str:
    return " ".join(word.text for segment in segments for word in segment.words)


def test_a_turn_is_understood_and_its_finals_leave_no_hole(
    language: tuple[Path, Path], audio: Samples
) -> None:
    finals = hear(make(language), audio)
    assert score(said(), text(finals)).rate <= 0.1
    assert finals[0].start == 0
    assert finals[-1].end == len(audio)
    assert all(one.end == other.start for one, other in itertools.pairwise(finals))


@pytest.mark.parametrize("size", [160, 513, 8000])
def test_the_pieces_make_no_difference_to_the_words(
    language: tuple[Path, Path], audio: Samples, size: int
) -> None:
    assert text(hear(make(language), audio, size)) == text(hear(make(language), audio))


def test_sixteen_kilohertz_is_heard_as_it_is(language: tuple[Path, Path], audio: Samples) -> None:
    finals = hear(make(language, rate=16_000), np.repeat(audio, 2), 1600)
    assert score(said(), text(finals)).rate <= 0.2
    assert finals[-1].end == 2 * len(audio)


def test_a_flush_in_the_middle_of_speech_goes_on_afterwards(
    language: tuple[Path, Path], audio: Samples
) -> None:
    recogniser = make(language)
    first = hear(recogniser, audio[: 10 * 8000 + 77])
    rest = hear(recogniser, audio[10 * 8000 + 77 :])
    assert rest[0].start == first[-1].end == 10 * 8000 + 77
    assert rest[-1].end == len(audio)
    assert score(said(), text([*first, *rest])).rate <= 0.3
    assert all(segment.start <= w.start <= w.end <= segment.end for segment in rest for w in segment.words)


def test_guesses_come_before_their_final(language: tuple[Path, Path], audio: Samples) -> None:
    segments = hear(make(language, interim=True), audio)
    guesses = [segment for segment in segments if not segment.is_final and segment.words]
    assert len(guesses) > 5
    assert len(guesses[0].words) < len(guesses[-1].words)


def test_speech_is_announced_and_silence_makes_empty_finals(
    language: tuple[Path, Path], audio: Samples
) -> None:
    recogniser = make(language)
    events = [event for piece in pieces(audio, 800) for event in recogniser.accept(piece).events]
    assert [type(event) for event in events] == [Segment, SpeechStarted, Segment]
    assert isinstance(events[0], Segment)
    assert events[0].words == ()
    assert not events[0].speech_final

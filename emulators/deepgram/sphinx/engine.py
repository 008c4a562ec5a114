"""pocketsphinx as this package uses it, typed (the library has no annotations); the only import of it."""

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, cast

SAMPLE_RATE_HZ = 16_000  # of the acoustic model; a front end re-tuned to 8 kHz is far worse
FRAME_SAMPLES = 480  # 30 ms, the endpointer's frame
FRAMES_PER_S = 100  # of the decoder's segments


class SpokenSegment(Protocol):
    """A word of a hypothesis; frames of 10 ms since the utterance began, the last one inclusive."""

    word: str
    start_frame: int
    end_frame: int
    prob: float


class Decoder(Protocol):
    """Decodes one utterance at a time."""

    def start_utt(self) -> None:
        """Begin an utterance."""
        ...

    def process_raw(self, data: bytes) -> None:
        """Decode int16 samples at the model's rate."""
        ...

    def end_utt(self) -> None:
        """End the utterance: the last passes run, some 10 ms per second of it."""
        ...

    def seg(self) -> Iterable[SpokenSegment] | None:
        """The best hypothesis, while the utterance lasts and after."""
        ...


class Endpointer(Protocol):
    """Finds where speech begins and ends, in frames of 30 ms."""

    in_speech: bool
    speech_start: float
    speech_end: float

    def process(self, frame: bytes) -> bytes | None:
        """Take 30 ms; return what belongs to speech, or None."""
        ...

    def end_stream(self, frame: bytes) -> bytes | None:
        """Take the last piece, at most 30 ms; return what belongs to speech, or None."""
        ...


def dictionary_path() -> Path:
    """The library's own pronouncing dictionary."""
    return Path(_library().get_model_path("en-us/cmudict-en-us.dict"))


def make_decoder(model: Path, dictionary: Path) -> Decoder:
    """A decoder with a language model (ARPA) and a dictionary of ours; 20 ms and 4 MB."""
    library = _library()
    decoder = library.Decoder(
        hmm=library.get_model_path("en-us/en-us"), lm=str(model), dict=str(dictionary), loglevel="FATAL"
    )
    return cast("Decoder", decoder)


def make_endpointer() -> Endpointer:
    """An endpointer that declares the end 0.27 s after speech."""
    return cast("Endpointer", _library().Endpointer(sample_rate=SAMPLE_RATE_HZ))


def _library() -> Any:
    return importlib.import_module("pocketsphinx")

"""What the server asks of a recogniser, one per channel, and what it hears in return. Pure values."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

type Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Word:
    """A word; `start` and `end` in samples of the audio received on this connection, the end exclusive."""

    text: str
    start: int
    end: int
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one channel and what was said in it: an interim guess, or final.

    The finals of a channel follow each other without a hole; a stretch of silence is a final without words.
    """

    start: int
    end: int
    words: tuple[Word, ...]
    is_final: bool
    speech_final: bool = False


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Somebody began to speak at sample `at`."""

    at: int


type Event = Segment | SpeechStarted


@dataclass(frozen=True, slots=True)
class Hearing:
    """A recogniser's answer: what it heard, and the sample up to which it knows what was said."""

    known_until: int
    events: tuple[Event, ...] = field(default=())


class Recogniser(Protocol):
    """Listens to one channel."""

    def accept(self, samples: Samples) -> Hearing:
        """Listen to the next samples, in pieces of any size."""
        ...

    def flush(self) -> Hearing:
        """Make everything heard so far final, even in the middle of a word; listening may go on."""
        ...


@dataclass(frozen=True, slots=True)
class Listening:
    """How a connection wants to be listened to."""

    sample_rate_hz: int
    interim_results: bool
    endpointing_ms: int | None  # None: finals are not made at the end of speech, only by length
    channel: int
    interim_ms: int = 500  # audio between two interim results


@dataclass(frozen=True, slots=True)
class Model:
    """How results name what recognised them."""

    name: str
    version: str
    arch: str


type MakeRecogniser = Callable[[Listening], Recogniser]

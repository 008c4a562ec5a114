"""Where channels are listened to: in this process, or (see `sphinx`) in others."""

from dataclasses import dataclass
from typing import Protocol

from emulators.deepgram.codec_recogniser import CODEC_MODEL, CodecRecogniser
from emulators.deepgram.recogniser import Hearing, Listening, MakeRecogniser, Model, Recogniser, Samples


class EarLostError(Exception):
    """A recogniser died with what it had heard; the connection cannot go on, a new one can."""


class Ear(Protocol):
    """Listens to one channel of one connection."""

    async def accept(self, samples: Samples) -> Hearing:
        """Listen to the next samples; raises `EarLostError`."""
        ...

    async def flush(self) -> Hearing:
        """Make everything heard so far final; raises `EarLostError`."""
        ...

    def close(self) -> None:
        """Stop listening and let go of what it takes."""
        ...


class Ears(Protocol):
    """Makes ears of one kind."""

    @property
    def model(self) -> Model:
        """How results name the recogniser."""
        ...

    async def open(self, listening: Listening) -> Ear:
        """Begin to listen to a channel; raises `EarLostError`."""
        ...


@dataclass(frozen=True, slots=True)
class _LocalEar:
    recogniser: Recogniser

    async def accept(self, samples: Samples) -> Hearing:
        return self.recogniser.accept(samples)

    async def flush(self) -> Hearing:
        return self.recogniser.flush()

    def close(self) -> None:
        pass  # nothing is held but memory


@dataclass(frozen=True, slots=True)
class LocalEars:
    """Recognisers cheap enough to run on the event loop."""

    model: Model
    make: MakeRecogniser

    async def open(self, listening: Listening) -> Ear:
        """Make a recogniser for one channel."""
        return _LocalEar(self.make(listening))


CODEC_EARS = LocalEars(CODEC_MODEL, CodecRecogniser)

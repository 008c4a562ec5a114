"""A session and the outside that answers it, by hand."""

import numpy as np

from contracts.events import Event
from contracts.link import (
    AudioChunk,
    Started,
)
from contracts.session import LogRecord
from services.transcribe.commands import (
    Append,
    Command,
    PublishToBus,
    PublishToQueue,
    SendAudio,
    SendFrame,
)
from services.transcribe.inputs import (
    Appended,
    Attached,
    BusAnswered,
    DeepgramOpened,
    Input,
    IntentsRead,
    QueueAnswered,
)
from services.transcribe.instants import Instant
from services.transcribe.session import Session
from tests.unit.transcribe.records import MS, header, opened

ALWAYS = float("inf")
"""As if the intents were read all the time."""


class Driven:
    """A session and everything it asked for; appends and announcements succeed when `serve` is called."""

    def __init__(self, session: Session | None = None) -> None:
        self.session = session or Session(header(), [opened(1)])
        self.time_s = 100.0
        self.commands: list[Command] = []
        self.ever: list[Command] = []
        """All commands; `serve` forgets those that it served."""
        self.log: list[LogRecord] = []
        self.give(IntentsRead(None, ALWAYS))

    @property
    def now(self) -> Instant:
        return Instant(self.time_s, MS + int(self.time_s * 1000))

    def give(self, *inputs: Input) -> list[Command]:
        new: list[Command] = []
        for happened in inputs:
            new += self.session.receive(happened, self.now, 0.5)
        self.commands += new
        self.ever += new
        return new

    def wait(self, seconds: float) -> list[Command]:
        self.time_s += seconds
        new = self.session.tick(self.now, 0.5)
        self.commands += new
        self.ever += new
        return new

    def serve(self) -> list[Command]:
        """Answers every append and announcement until none is left."""
        done = 0
        new: list[Command] = []
        while done < len(self.commands):
            command = self.commands[done]
            done += 1
            match command:
                case Append():
                    self.log.append(command.record)
                    new += self.give(Appended(1.0))
                case PublishToQueue():
                    new += self.give(QueueAnswered(accepted=True))
                case PublishToBus():
                    new += self.give(BusAnswered(accepted=True))
                case _:
                    pass
        self.commands.clear()
        return new

    def streaming(self, seconds: float = 0.1) -> "Driven":
        """Attached, its first `seconds` sent, in real time."""
        self.give(Attached(7, "receipt"), Started(handle=7, t0_ms=MS), audio(0))
        sent = self.give(DeepgramOpened(1))
        assert any(isinstance(command, SendAudio) for command in sent)
        for position in range(800, round(seconds * 8_000), 800):
            self.time_s += 0.1
            self.give(audio(position))
        self.serve()
        return self


def audio(position: int, samples: int = 800) -> AudioChunk:
    return AudioChunk(7, position, np.ones((samples, 2), "<i2").tobytes())


def frames(commands: list[Command]) -> list[object]:
    return [command.frame for command in commands if isinstance(command, SendFrame)]


def of[C](commands: list[Command], kind: type[C]) -> list[C]:
    return [command for command in commands if isinstance(command, kind)]


def published(driven: Driven) -> list[Event]:
    return [command.event for command in of(driven.ever, PublishToBus)]

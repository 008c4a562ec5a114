"""Calls whose words are runs of one sample value, and an ear that hears them: virtual, from one seed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random

import numpy as np
import numpy.typing as npt

type Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class SaidWord:
    channel: int
    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Call:
    samples: Samples
    words: tuple[SaidWord, ...]
    hole: tuple[int, int] | None = None
    filled: bool = False
    """Whether ingest sends silence for the hole, and tells of it; else it skips it."""

    @property
    def length(self) -> int:
        return len(self.samples)


def make_call(dice: Random, seconds: float, *, hole: bool = False, filled: bool = False) -> Call:
    """Both sides speak; with `hole`, there is no audio (and nobody speaks) for a while."""
    length = int(seconds * 8000)
    samples = np.zeros((length, 2), np.int16)
    words: list[SaidWord] = []
    gap = (length // 3, length // 3 + 12_345) if hole else None
    for channel in range(2):
        at, value = dice.randrange(4000), 0
        while True:
            end = at + dice.randrange(800, 4000)
            if end > length:
                break
            if gap is None or end <= gap[0] or at >= gap[1]:
                value += 1
                samples[at:end, channel] = value
                words.append(SaidWord(channel, str(value), at, end))
            at = end + dice.choice((300, 600, 2500, dice.randrange(300, 30_000)))
    return Call(samples, tuple(words), gap, filled)


class Ear:
    """One channel of a connection: finals at silences and every few seconds, at irregular delays."""

    def __init__(self, channel: int, dice: Random, call: Call, slowness: int) -> None:
        self._lengths = {word.name: word.end - word.start for word in call.words if word.channel == channel}
        self._channel = channel
        self._dice = dice
        self._heard = np.zeros(0, np.int16)
        self._start = 0
        self._slowness = slowness
        self._lag = dice.randrange(2000, 12_000) * slowness

    def feed(self, samples: Samples) -> Iterator[str]:
        self._heard = np.concatenate([self._heard, samples])
        while (end := self._boundary()) is not None:
            yield self._result(end, is_final=True)
        if self._dice.random() < 0.3 and len(self._heard) > self._start:
            yield self._result(len(self._heard), is_final=False)

    def flush(self) -> Iterator[str]:
        if len(self._heard) > self._start:
            yield self._result(len(self._heard), is_final=True)

    def _boundary(self) -> int | None:
        """The middle of the last silence that is at least `lag` old, if there is enough audio."""
        limit = len(self._heard) - self._lag
        if limit - self._start < 4000:
            return None
        silent = np.flatnonzero(self._heard[self._start : limit] == 0)
        if not len(silent):
            return None
        self._lag = self._dice.randrange(2000, 12_000) * self._slowness
        return self._start + int(silent[-1]) + 1

    def _result(self, end: int, *, is_final: bool) -> str:
        piece = self._heard[self._start : end].astype(np.int32)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], piece, [0]])))
        words: list[dict[str, object]] = []
        for first, last in pairwise(edges):
            value = int(piece[first])
            if value:
                whole = self._lengths.get(str(value)) == int(last - first)
                words.append(
                    {
                        "word": str(value) if whole else f"{value}~cut",
                        "start": (self._start + int(first)) / 8000,
                        "end": (self._start + int(last)) / 8000,
                        "confidence": 0.9,
                    }
                )
        message = {
            "type": "Results",
            "channel_index": [self._channel, 2],
            "start": self._start / 8000,
            "duration": (end - self._start) / 8000,
            "is_final": is_final,
            "channel": {
                "alternatives": [{"transcript": " ".join(str(w["word"]) for w in words), "words": words}]
            },
        }
        if is_final:
            self._start = end
        return json.dumps(message)

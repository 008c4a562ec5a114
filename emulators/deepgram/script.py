"""Generated two-sided calls: what is said, by whom and when, to the sample.

Pure: the dice come from the seed, and the same seed gives the same call.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from emulators.deepgram.codec import CELL_SAMPLES, SAMPLE_RATE, Identity, Samples, encode_word
from emulators.deepgram.vocabulary import VOCABULARY

CHANNELS = 2
_MS = SAMPLE_RATE // 1000


@dataclass(frozen=True, slots=True)
class ScriptWord:
    """One word of a call; positions in samples from the call's first, the end exclusive."""

    channel: int
    ordinal: int
    text: str
    start_sample: int
    end_sample: int


@dataclass(frozen=True, slots=True)
class CallScript:
    """A call: `samples` of shape (n, 2), int16, 8 kHz, and its words by channel and ordinal."""

    seed: int
    samples: Samples
    words: tuple[ScriptWord, ...]

    @property
    def seconds(self) -> float:
        """The call's length."""
        return len(self.samples) / SAMPLE_RATE


def encode_call(seed: int, seconds: float) -> CallScript:
    """Make one call: two sides in turns, overlapping at times, words of 150-600 ms, pauses of all lengths.

    From 25 s on, one side talks alone for more than 10 s. Every word lies wholly inside the call.

    Args:
        seed: The call's dice and, modulo 2^32, its id in every word: give each call of a test its own.
        seconds: Length of the call, at least 1.
    """
    dice = random.Random(seed)
    total = round(seconds * SAMPLE_RATE)
    samples = np.zeros((total, CHANNELS), np.int16)
    words: list[ScriptWord] = []
    ordinals = [0] * CHANNELS
    for channel, start, cells in _words(dice, total):
        identity = Identity(
            seed & 0xFFFFFFFF, channel, ordinals[channel], dice.randrange(len(VOCABULARY)), start
        )
        end = start + cells * CELL_SAMPLES
        samples[start:end, channel] = encode_word(identity, cells)
        words.append(ScriptWord(channel, ordinals[channel], identity.text, start, end))
        ordinals[channel] += 1
    return CallScript(seed, samples, tuple(sorted(words, key=lambda w: (w.channel, w.ordinal))))


def _words(dice: random.Random, total: int) -> Iterator[tuple[int, int, int]]:
    """Yield (channel, start sample, cells) of each word; on one channel in order and at least 30 ms apart."""
    tail = dice.choice((0, dice.randrange(800 * _MS)))  # half of the calls end in the middle of things
    monologue_at = dice.uniform(0.1, 0.4) * total if total >= 25 * SAMPLE_RATE else None
    free = [0] * CHANNELS  # per channel, the first sample at which it may speak again
    at = dice.choice((0, dice.randrange(1200 * _MS)))
    channel = dice.randrange(CHANNELS)
    while at < total:
        end_of_turn = at + dice.randrange(400, 5000) * _MS
        if monologue_at is not None and at >= monologue_at:
            end_of_turn, monologue_at = at + dice.randrange(12_500, 15_000) * _MS, None
        at = max(at, free[channel])
        while at < end_of_turn:
            cells = dice.randint(15, 60)  # 150-600 ms
            end = at + cells * CELL_SAMPLES
            if end > total - tail:
                return
            yield channel, at, cells
            at = end + _gap(dice)
            free[channel] = at
        at = max(0, at + _pause(dice))
        channel = 1 - channel if dice.random() < 0.85 else channel


def _gap(dice: random.Random) -> int:
    """Silence between two words of a turn: mostly short, seldom a hesitation."""
    return (
        dice.randrange(30 * _MS, 300 * _MS) if dice.random() < 0.9 else dice.randrange(300 * _MS, 1500 * _MS)
    )


def _pause(dice: random.Random) -> int:
    """Silence between two turns; negative when the next speaker begins before the last has ended."""
    if dice.random() < 0.3:
        return -dice.randrange(100 * _MS, 1500 * _MS)
    return dice.randrange(100 * _MS, 2500 * _MS)

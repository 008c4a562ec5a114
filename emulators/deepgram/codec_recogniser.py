"""Recognises the codec's words, and cuts them into segments as a live service does.

Finals depend on the audio alone, not on the pieces in which it came. Pure.
"""

from collections.abc import Iterator

from emulators.deepgram.codec import Heard, WordDecoder
from emulators.deepgram.recogniser import (
    Event,
    Hearing,
    Listening,
    Model,
    Samples,
    Segment,
    SpeechStarted,
    Word,
)

CODEC_MODEL = Model(name="codec", version="1", arch="codec")
SURE_OF_SILENCE_MS = 200  # a shorter pause is not taken for the end of speech, whatever was asked for


def _longest_ms(ordinal: int, channel: int) -> int:
    """A final's greatest length, 3.0-5.5 s, another for each so that the channels do not go in step."""
    return 3000 + 250 * ((7 * ordinal + 5 * channel) % 11)


class CodecRecogniser:
    """A `Recogniser` for audio made by `script.encode_call`."""

    def __init__(self, listening: Listening) -> None:
        self._per_ms = listening.sample_rate_hz // 1000
        self._channel = listening.channel
        self._endpointing = (
            None
            if listening.endpointing_ms is None
            else max(listening.endpointing_ms, SURE_OF_SILENCE_MS) * self._per_ms
        )
        self._interim = listening.interim_ms * self._per_ms if listening.interim_results else None
        self._next_interim = self._interim or 0
        self._decoder = WordDecoder()
        self._position = 0
        self._ordinal = 0
        self._start = 0  # of the segment
        self._words: list[Word] = []
        self._spoken_until: int | None = None  # set while somebody speaks, and in the pause after

    def accept(self, samples: Samples) -> Hearing:
        """Listen to the next samples; see `Recogniser`."""
        self._position += len(samples)
        events: list[Event] = []
        for heard in self._decoder.feed(samples):
            events += self._word(heard)
        speaking_since = self._decoder.speaking_since
        if speaking_since is None:
            events += self._until(self._position)
        else:
            events += self._speech(speaking_since)
        if self._interim is not None and self._position >= self._next_interim:
            self._next_interim = (self._position // self._interim + 1) * self._interim
            if self._position > self._start:
                events.append(self._guess())
        return Hearing(self._position if speaking_since is None else speaking_since, tuple(events))

    def flush(self) -> Hearing:
        """Make all of it final, also half a word; see `Recogniser`."""
        events: list[Event] = []
        for heard in self._decoder.flush():
            events += self._word(heard)
        events += self._until(self._position)
        if self._position > self._start:
            events.append(self._final(self._position, speech_final=self._spoken_until is not None))
        return Hearing(self._position, tuple(events))

    def _word(self, heard: Heard) -> Iterator[Event]:
        yield from self._speech(heard.start)
        confidence = 1.0 if heard.condition == "whole" else 0.1
        self._words.append(Word(heard.text, heard.start, heard.end, confidence))
        self._spoken_until = heard.end
        if heard.end - self._start >= self._longest:
            yield self._final(heard.end, speech_final=False)

    def _speech(self, start: int) -> Iterator[Event]:
        yield from self._until(start)
        if self._spoken_until is None:
            self._spoken_until = start
            yield SpeechStarted(start)

    def _until(self, at: int) -> Iterator[Event]:
        """Emit the finals that end in the silence up to sample `at`."""
        while True:
            by_length = self._start + self._longest
            by_silence = None
            if self._spoken_until is not None and self._endpointing is not None:
                by_silence = self._spoken_until + self._endpointing
            if by_silence is not None and by_silence <= min(at, by_length):
                yield self._final(by_silence, speech_final=True)
            elif by_length <= at:
                yield self._final(by_length, speech_final=False)
            else:
                return

    @property
    def _longest(self) -> int:
        return _longest_ms(self._ordinal, self._channel) * self._per_ms

    def _final(self, end: int, *, speech_final: bool) -> Segment:
        final = Segment(self._start, end, tuple(self._words), is_final=True, speech_final=speech_final)
        self._start, self._ordinal = end, self._ordinal + 1
        self._words.clear()
        if speech_final:
            self._spoken_until = None
        return final

    def _guess(self) -> Segment:
        words = list(self._words)
        partial = self._decoder.partial
        if partial is not None and partial.identity is not None:
            words.append(Word(partial.identity.text, partial.start, partial.end, 0.6))
        return Segment(self._start, self._position, tuple(words), is_final=False)

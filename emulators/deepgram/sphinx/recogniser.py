"""Turns one channel's audio into segments: speech is found, decoded while it lasts, then made final.

No clock and no process in here; the decoder and the endpointer come from outside.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

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
from emulators.deepgram.sphinx.engine import (
    FRAME_SAMPLES,
    FRAMES_PER_S,
    SAMPLE_RATE_HZ,
    Decoder,
    Endpointer,
    SpokenSegment,
)

SPHINX_MODEL = Model(name="demo-vocabulary", version="1", arch="pocketsphinx")
LONGEST_UTTERANCE_S = 12.0  # then a final is made even though speech goes on
LONGEST_SILENCE_S = 4.0  # then a final without words is made
UNDECIDED_S = 0.5  # speech may yet turn out to have begun this long ago; the endpointer looks back 0.3 s


class SphinxRecogniser:
    """A `Recogniser` of the demo vocabulary; a final ends at each pause of 0.3 s, whatever was asked for."""

    def __init__(
        self, listening: Listening, decoder: Decoder, make_endpointer: Callable[[], Endpointer]
    ) -> None:
        """Listen at 8 or 16 kHz."""
        self._rate = listening.sample_rate_hz
        self._factor = SAMPLE_RATE_HZ // self._rate
        self._interims = listening.interim_results
        self._interim = listening.interim_ms * self._rate // 1000
        self._decoder = decoder
        self._make_endpointer = make_endpointer
        self._endpointer = make_endpointer()
        self._base = 0  # sample at which the endpointer began
        self._position = 0  # samples received
        self._next_interim = 0
        self._start = 0  # of the segment
        self._spoken_from: int | None = None  # where the utterance being decoded began
        self._last = 0  # the last sample, between which and the next the line is drawn
        self._rest = b""  # less than a frame, at the model's rate

    def accept(self, samples: Samples) -> Hearing:
        """Listen to the next samples; see `Recogniser`."""
        self._position += len(samples)
        audio = self._rest + self._at_model_rate(samples)
        frame_bytes = 2 * FRAME_SAMPLES
        whole = len(audio) - len(audio) % frame_bytes
        self._rest = audio[whole:]
        events: list[Event] = []
        for at in range(0, whole, frame_bytes):
            end = self._position - (len(audio) - at - frame_bytes) // (2 * self._factor)
            events += self._frame(audio[at : at + frame_bytes], end)
        if self._interims and self._position >= self._next_interim:
            self._next_interim = self._position + self._interim
            if self._position > self._start:
                events.append(
                    Segment(self._start, self._position, self._words(self._position), is_final=False)
                )
        return Hearing(self._known_until(), tuple(events))

    def flush(self) -> Hearing:
        """Make all of it final; see `Recogniser`. The endpointer begins anew."""
        events: list[Event] = []
        speech = self._endpointer.end_stream(self._rest)
        self._rest = b""
        if self._spoken_from is not None:
            if speech:
                self._decoder.process_raw(speech)
            events.append(self._end_utterance(self._position, speech_final=True))
        elif self._position > self._start:
            events.append(self._final(self._position, (), speech_final=False))
        self._endpointer, self._base = self._make_endpointer(), self._position
        return Hearing(self._position, tuple(events))

    def _at_model_rate(self, samples: Samples) -> bytes:
        """Double 8 kHz to 16 kHz by drawing a line between samples."""
        if self._factor == 1 or not len(samples):
            return samples.tobytes()
        wide = samples.astype(np.int32)
        doubled = np.empty(2 * len(wide), np.int16)
        doubled[1::2] = wide
        doubled[0::2] = (np.concatenate(([self._last], wide[:-1])) + wide) // 2
        self._last = int(wide[-1])
        return doubled.tobytes()

    def _frame(self, frame: bytes, end: int) -> Iterator[Event]:
        """Take one frame of the endpointer; `end` is its last sample's position, exclusive."""
        speech = self._endpointer.process(frame)
        if speech is None:
            if end - self._start >= int(LONGEST_SILENCE_S * self._rate):
                yield self._final(end - int(UNDECIDED_S * self._rate), (), speech_final=False)
            return
        if self._spoken_from is None:
            self._decoder.start_utt()
            self._spoken_from = max(self._start, self._sample(self._endpointer.speech_start))
            yield SpeechStarted(self._spoken_from)
        self._decoder.process_raw(speech)
        if not self._endpointer.in_speech:
            until = min(end, max(self._spoken_from, self._sample(self._endpointer.speech_end)))
            yield self._end_utterance(until, speech_final=True)
        elif end - self._spoken_from >= int(LONGEST_UTTERANCE_S * self._rate):
            yield self._end_utterance(end, speech_final=False)
            self._decoder.start_utt()
            self._spoken_from = end

    def _sample(self, endpointer_s: float) -> int:
        return self._base + round(endpointer_s * self._rate)

    def _end_utterance(self, end: int, *, speech_final: bool) -> Segment:
        self._decoder.end_utt()
        words = self._words(end)
        self._spoken_from = None
        return self._final(end, words, speech_final=speech_final)

    def _final(self, end: int, words: tuple[Word, ...], *, speech_final: bool) -> Segment:
        final = Segment(self._start, end, words, is_final=True, speech_final=speech_final)
        self._start = end
        return final

    def _words(self, end: int) -> tuple[Word, ...]:
        """What the decoder takes the utterance for by now, each word within [start, `end`)."""
        if self._spoken_from is None:
            return ()
        return tuple(self._word(spoken, end) for spoken in _spoken(self._decoder.seg() or ()))

    def _word(self, spoken: SpokenSegment, end: int) -> Word:
        base, per_frame = self._spoken_from or 0, self._rate // FRAMES_PER_S
        start = min(end, base + spoken.start_frame * per_frame)
        until = min(end, base + (spoken.end_frame + 1) * per_frame)
        return Word(spoken.word.partition("(")[0], start, until, min(1.0, spoken.prob))

    def _known_until(self) -> int:
        if self._spoken_from is not None:
            return self._spoken_from
        return max(self._start, self._position - int(UNDECIDED_S * self._rate))


def _spoken(segments: Iterable[SpokenSegment]) -> Iterator[SpokenSegment]:
    """Leave out silence, fillers and the marks of a sentence."""
    return (segment for segment in segments if not segment.word.startswith(("<", "[", "(")))

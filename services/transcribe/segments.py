"""Deepgram's messages of one session -> segments with positions, clipped to what is new. Pure.

`covered` is, per channel, the end of what is final. A connection that replays audio repeats what was final
already: such results are dropped, and one that straddles is cut. A message passes byte for byte unless its
times have to be moved or words have to go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from pydantic import JsonValue

from contracts.audio import CHANNELS, SAMPLE_RATE_HZ, Channel, seconds_of_samples
from services.transcribe.time_map import TimeMap

TOLERANCE_SAMPLES = 80
"""10 ms: Deepgram's seconds are rounded to 10 ms in places, and are 32-bit floats in long calls."""

type Document = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Segment:
    """One result of one channel, with words in it."""

    segment_id: str
    """Stable over a segment's interim results and its final one."""
    channel: Channel
    is_final: bool
    start: int
    end: int
    transcript: str
    message: str


@dataclass(frozen=True, slots=True)
class Remark:
    """Any other message that belongs to the transcript; `kind` as the queue names it."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Closing:
    """Deepgram's Metadata: nothing more is to come on the connection."""

    message: str


@dataclass(frozen=True, slots=True)
class Dropped:
    """A message that tells nothing new, or that cannot be read."""

    reason: str


type Heard = Segment | Remark | Closing | Dropped


class Segments:
    """What is final of each channel, and the reading of messages against it."""

    def __init__(self, session_id: str, covered: Sequence[int]) -> None:
        self._session_id = session_id
        self._covered = list(covered)
        self._told = (0, 0)

    @property
    def covered(self) -> tuple[int, int]:
        """Per channel: end of what is final, empty results included."""
        return self._covered[0], self._covered[1]

    def pass_over(self, position: int) -> None:
        """Nothing will be heard before `position`: the audio is over, or was never there."""
        self._covered = [max(end, position) for end in self._covered]

    def replay(self) -> None:
        """A new connection begins: instants before what is covered now were told on the old one."""
        self._told = self.covered

    def receive(self, message: str, times: TimeMap) -> Heard:
        """What `message` (as received) says, in positions; a final moves `covered`."""
        try:
            parsed: object = orjson.loads(message)
        except orjson.JSONDecodeError:
            return Dropped("not_json")
        if not isinstance(parsed, dict):
            return Dropped("not_an_object")
        document: Document = parsed  # pyright: ignore[reportUnknownVariableType]  # JSON
        kind = document.get("type")
        try:
            match kind:
                case "Results":
                    return self._results(document, message, times)
                case "Metadata":
                    return Closing(message)
                case "UtteranceEnd":
                    return self._instant(document, message, times, "last_word_end")
                case "SpeechStarted":
                    return self._instant(document, message, times, "timestamp")
                case _:
                    return Remark(str(kind)[:64], message)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
            return Remark(str(kind)[:64], message)  # a shape we do not know passes untouched

    def _results(self, document: Document, message: str, times: TimeMap) -> Heard:
        channel = _channel(document["channel_index"])
        is_final = document["is_final"] is True
        began = _number(document["start"])
        start = times.start_of_seconds(began)
        end = max(start, times.end_of_seconds(began + _number(document["duration"])))
        covered = self._covered[channel]
        if end <= covered and start < covered - TOLERANCE_SAMPLES:
            return Dropped("covered")
        straddles = start < covered - TOLERANCE_SAMPLES
        if not times.identity or straddles:
            document = _moved(document, times, start, end)
            if straddles:
                document, start = _clipped(document, covered, end), covered
            message = orjson.dumps(document).decode()
        segment_id = f"{self._session_id}.{int(channel)}.{covered}"
        if is_final:
            self._covered[channel] = max(covered, end)
        transcript = _first_alternative(document).get("transcript")
        if not transcript or not isinstance(transcript, str):
            return Remark("Results" if is_final else "interim", message)
        return Segment(segment_id, channel, is_final, max(start, 0), end, transcript, message)

    def _instant(self, document: Document, message: str, times: TimeMap, name: str) -> Heard:
        seconds = _number(document[name])
        if seconds < 0:  # Deepgram's "none"
            return Remark(str(document["type"]), message)
        position = (
            times.end_of_seconds(seconds) if name == "last_word_end" else times.start_of_seconds(seconds)
        )
        if position < self._told[_channel(document["channel"])]:
            return Dropped("covered")
        if not times.identity:
            document[name] = seconds_of_samples(position)
            message = orjson.dumps(document).decode()
        return Remark(str(document["type"]), message)


def _channel(index: JsonValue) -> Channel:
    if not isinstance(index, list) or not isinstance(index[0], int) or not 0 <= index[0] < CHANNELS:
        raise TypeError("no channel of ours")
    return Channel(index[0])


def _number(value: JsonValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return float(value)


def _first_alternative(document: Document) -> Document:
    channel = document["channel"]
    alternatives = channel["alternatives"] if isinstance(channel, dict) else None
    first = alternatives[0] if isinstance(alternatives, list) and alternatives else None
    return first if isinstance(first, dict) else {}


def _alternatives(document: Document) -> list[Document]:
    channel = document["channel"]
    return _objects(channel, "alternatives") if isinstance(channel, dict) else []


def _objects(document: Document, name: str) -> list[Document]:
    listed = document.get(name)
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _searches(document: Document) -> list[Document]:
    """What the `search` parameter found."""
    channel = document["channel"]
    return _objects(channel, "search") if isinstance(channel, dict) else []


def _moved(document: Document, times: TimeMap, start: int, end: int) -> Document:
    """The document with its times in positions' seconds; changed in place."""
    document["start"] = seconds_of_samples(start)
    document["duration"] = seconds_of_samples(end - start)
    words = [word for alternative in _alternatives(document) for word in _objects(alternative, "words")]
    hits = [hit for search in _searches(document) for hit in _objects(search, "hits")]
    for timed in [*words, *hits]:
        if "start" in timed:
            timed["start"] = seconds_of_samples(times.start_of_seconds(_number(timed["start"])))
        if "end" in timed:
            timed["end"] = seconds_of_samples(times.end_of_seconds(_number(timed["end"])))
    return document


def _clipped(document: Document, covered: int, end: int) -> Document:
    """The document without what ends before `covered`: the audio before it was sent as silence."""
    document["start"] = seconds_of_samples(covered)
    document["duration"] = seconds_of_samples(end - covered)
    for alternative in _alternatives(document):
        words = _objects(alternative, "words")
        fresh = [word for word in words if _is_after(word, covered)]
        if len(fresh) < len(words):
            alternative["words"] = [*fresh]
            alternative["transcript"] = " ".join(
                str(word.get("punctuated_word", word.get("word", ""))) for word in fresh
            )
            _drop_entities(alternative, len(words) - len(fresh))
    for search in _searches(document):
        search["hits"] = [hit for hit in _objects(search, "hits") if _is_after(hit, covered)]
    return document


def _is_after(timed: Document, covered: int) -> bool:
    return "end" not in timed or _number(timed["end"]) * SAMPLE_RATE_HZ > covered + TOLERANCE_SAMPLES


def _drop_entities(alternative: Document, words: int) -> None:
    """Entities name their words by index (`detect_entities`); the first `words` are gone."""
    if "entities" not in alternative:
        return
    kept: list[JsonValue] = []
    for entity in _objects(alternative, "entities"):
        first, last = entity.get("start_word"), entity.get("end_word")
        if isinstance(first, int) and isinstance(last, int):
            if first < words:
                continue
            entity["start_word"], entity["end_word"] = first - words, last - words
        kept.append(entity)
    alternative["entities"] = kept

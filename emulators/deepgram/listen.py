"""One connection of `/v1/listen`: bytes, texts, what was heard and `now` in; commands out. Pure.

The shell performs each command in order, gives the answer of a `Hear` to `heard` and that of a `Flush` to
`flushed`, performs what these return before going on, and calls `tick` at `deadline`.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from emulators.deepgram import messages
from emulators.deepgram.messages import Message
from emulators.deepgram.pace import Pace
from emulators.deepgram.query import Query
from emulators.deepgram.recogniser import Hearing, Listening, Model, Samples, Segment, SpeechStarted

TIMEOUT_S = 10.0  # without audio or KeepAlive, and from opening to the first audio
NET_0001 = (
    "Deepgram did not receive audio data or a text message within the timeout window. "
    "See https://dpgm.net/net0001"
)
DATA_0000 = "The payload cannot be decoded as audio. See https://dpgm.net/data0000"
_SAMPLE_BYTES = 2


@dataclass(frozen=True, slots=True)
class Hear:
    """Let the channel's recogniser listen to `samples`."""

    channel: int
    samples: Samples


@dataclass(frozen=True, slots=True)
class Flush:
    """Let the channel's recogniser make final what it has."""

    channel: int


@dataclass(frozen=True, slots=True)
class Send:
    """Send a text message."""

    message: Message


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection."""

    code: int
    reason: str


type Command = Hear | Flush | Send | Close


@dataclass(slots=True)
class _Lane:
    """What is known of one channel for UtteranceEnd."""

    last_word_end: int | None = None  # of a final, not announced yet
    guessing: bool = False  # interim words came after it


class Listen:
    """The protocol of one connection, from the upgrade to its close."""

    def __init__(
        self,
        query: Query,
        *,
        request_id: str,
        model: Model,
        created: str,
        now: float,
        enforce_pace: bool = False,
        interim_ms: int = 500,
    ) -> None:
        """Begin; `created` is an ISO instant for Metadata, `now` seconds of any steady clock."""
        self._query = query
        self._request_id = request_id
        self._model = model
        self._model_uuid = f"00000000-0000-4000-8000-{hashlib.md5(model.name.encode()).hexdigest()[:12]}"  # noqa: S324
        self._metadata: dict[str, Any] = messages.request_metadata(request_id, model, self._model_uuid)
        self._created = created
        self._enforce_pace = enforce_pace
        self._interim_ms = interim_ms
        self._silent_since = now
        self._rest: bytes = b""  # of a frame that ended inside a sample
        self._sha256 = hashlib.sha256()
        self._lanes = [_Lane() for _ in range(query.channels)]
        self._flushing = 0  # channels whose answer to CloseStream is outstanding
        self._ending = False
        self.closed = False
        self.withhold_metadata = False  # a fault: never answer CloseStream
        self.pace = Pace()
        self.samples = 0  # received, per channel

    def listening(self, channel: int) -> Listening:
        """How a channel's recogniser is to listen."""
        query = self._query
        return Listening(
            query.sample_rate_hz, query.interim_results, query.endpointing_ms, channel, self._interim_ms
        )

    @property
    def deadline(self) -> float | None:
        """When `tick` is due, or None."""
        return None if self._ending or self.closed else self._silent_since + TIMEOUT_S

    def tick(self, now: float) -> list[Command]:
        """Notice that nothing has come for too long."""
        deadline = self.deadline
        return self._close(1011, NET_0001) if deadline is not None and now >= deadline else []

    def audio(self, frame: bytes, now: float) -> list[Command]:
        """Take one binary frame; an empty one ends the stream, as Deepgram does."""
        if self._ending or self.closed:
            return []
        if not frame:
            return self._end()
        if self._query.encoding is None:
            return self._close(1008, DATA_0000)
        self._silent_since = now
        self._sha256.update(frame)
        data = self._rest + frame
        usable = len(data) - len(data) % (_SAMPLE_BYTES * self._query.channels)
        self._rest = data[usable:]
        frames = np.frombuffer(data, "<i2", count=usable // _SAMPLE_BYTES).reshape(-1, self._query.channels)
        self.samples += len(frames)
        too_fast = self.pace.audio(len(frames) / self._query.sample_rate_hz, now)
        if too_fast and self._enforce_pace:
            return self._close(1011, "Audio was sent faster than 1.25 times real time.")
        return [Hear(n, np.ascontiguousarray(frames[:, n])) for n in range(self._query.channels)]

    def text(self, text: str, now: float) -> list[Command]:
        """Take one text frame: KeepAlive, Finalize or CloseStream."""
        if self._ending or self.closed:
            return []
        try:
            kind = orjson.loads(text)["type"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            kind = None
        match kind:
            case "KeepAlive":
                if self.samples:  # some audio must come first all the same
                    self._silent_since = now
                return []
            case "Finalize":
                return [Flush(n) for n in range(self._query.channels)]
            case "CloseStream":
                return self._end()
            case _:
                return [Send(messages.complaint("This message cannot be understood.", text[:200]))]

    def heard(self, channel: int, hearing: Hearing) -> list[Command]:
        """Turn what a recogniser heard into messages."""
        return self._say(channel, hearing, from_finalize=False)

    def flushed(self, channel: int, hearing: Hearing) -> list[Command]:
        """Turn the rest of what was heard into messages; the last one after CloseStream ends the stream."""
        commands = self._say(channel, hearing, from_finalize=not self._ending)
        if self._ending and not self.closed:
            self._flushing -= 1
            if self._flushing == 0 and not self.withhold_metadata:
                commands += [Send(self._farewell()), *self._close(1000, "")]
        return commands

    def _end(self) -> list[Command]:
        self._ending = True
        self._flushing = self._query.channels
        return [Flush(n) for n in range(self._query.channels)]

    def _close(self, code: int, reason: str) -> list[Command]:
        self.closed = True
        return [Close(code, reason)]

    def _farewell(self) -> Message:
        query = self._query
        return messages.metadata(
            request_id=self._request_id,
            sha256=self._sha256.hexdigest(),
            created=self._created,
            duration_s=messages.seconds(self.samples, query.sample_rate_hz),
            channels=query.channels,
            model=self._model,
            model_uuid=self._model_uuid,
        )

    def _say(self, channel: int, hearing: Hearing, *, from_finalize: bool) -> list[Command]:
        commands: list[Command] = []
        for event in hearing.events:
            if isinstance(event, SpeechStarted):
                commands += self._speech_started(channel, event)
            elif event.is_final or self._query.interim_results:
                commands.append(Send(self._results(channel, event, from_finalize=from_finalize)))
                self._note(self._lanes[channel], event)
        return commands + self._utterance_end(channel, hearing.known_until)

    def _results(self, channel: int, segment: Segment, *, from_finalize: bool) -> Message:
        return messages.results(
            segment,
            channel=channel,
            channels=self._query.channels,
            rate_hz=self._query.sample_rate_hz,
            punctuate=self._query.punctuate,
            from_finalize=from_finalize and segment.is_final,
            metadata=self._metadata,
        )

    def _speech_started(self, channel: int, event: SpeechStarted) -> list[Command]:
        if not self._query.vad_events:
            return []
        query = self._query
        return [
            Send(
                messages.speech_started(
                    event.at, channel=channel, channels=query.channels, rate_hz=query.sample_rate_hz
                )
            )
        ]

    def _note(self, lane: _Lane, segment: Segment) -> None:
        lane.guessing = bool(segment.words) and not segment.is_final
        if segment.is_final and segment.words:
            lane.last_word_end = segment.words[-1].end

    def _utterance_end(self, channel: int, known_until: int) -> list[Command]:
        gap_ms, lane, query = self._query.utterance_end_ms, self._lanes[channel], self._query
        if gap_ms is None or lane.last_word_end is None or lane.guessing:
            return []
        end = lane.last_word_end
        if known_until - end < gap_ms * query.sample_rate_hz // 1000:
            return []
        lane.last_word_end = None
        return [
            Send(
                messages.utterance_end(
                    end, channel=channel, channels=query.channels, rate_hz=query.sample_rate_hz
                )
            )
        ]

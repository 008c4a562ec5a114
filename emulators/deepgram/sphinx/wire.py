"""What goes through the pipes between the server and a worker process. Pure.

A request is a header (operation, lane, size) and its payload; each but CLOSE is answered, in order per lane,
by a header (lane, size) and a hearing as JSON.
"""

import struct
from dataclasses import asdict
from enum import IntEnum
from typing import Any

import orjson

from emulators.deepgram.recogniser import Event, Hearing, Listening, Segment, SpeechStarted, Word

REQUEST = struct.Struct("<BII")
ANSWER = struct.Struct("<II")


class Operation(IntEnum):
    """What a worker is to do for a lane."""

    OPEN = 1  # payload: how to listen
    ACCEPT = 2  # payload: int16 samples
    FLUSH = 3
    CLOSE = 4


def encode_listening(listening: Listening) -> bytes:
    """The payload of OPEN."""
    return orjson.dumps(asdict(listening))


def decode_listening(payload: bytes) -> Listening:
    """Read the payload of OPEN."""
    return Listening(**orjson.loads(payload))


def encode_hearing(hearing: Hearing) -> bytes:
    """An answer's payload; the values only, since it is sent ten times per second and channel."""
    return orjson.dumps([hearing.known_until, [_event(event) for event in hearing.events]])


def decode_hearing(payload: bytes) -> Hearing:
    """Read an answer's payload."""
    known_until, events = orjson.loads(payload)
    return Hearing(known_until, tuple(_read_event(event) for event in events))


def _event(event: Event) -> Any:
    if isinstance(event, SpeechStarted):
        return event.at
    words = [[word.text, word.start, word.end, word.confidence] for word in event.words]
    return [event.start, event.end, words, event.is_final, event.speech_final]


def _read_event(event: Any) -> Event:
    if isinstance(event, int):
        return SpeechStarted(event)
    start, end, words, is_final, speech_final = event
    return Segment(start, end, tuple(Word(*word) for word in words), is_final, speech_final)

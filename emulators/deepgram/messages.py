"""Deepgram's server messages, as its API specification writes them. Pure: values in, JSON objects out."""

from collections.abc import Mapping
from typing import Any

from emulators.deepgram.recogniser import Model, Segment, Word

type Message = dict[str, Any]  # JSON: open by nature


def seconds(samples: int, rate_hz: int) -> float:
    """Seconds with six decimals: a sample is 0.000125 s at 8 kHz, so none is lost to rounding."""
    return round(samples / rate_hz, 6)


def results(
    segment: Segment,
    *,
    channel: int,
    channels: int,
    rate_hz: int,
    punctuate: bool,
    from_finalize: bool,
    metadata: Mapping[str, Any],
) -> Message:
    """One channel's interim or final result."""
    shown = [
        punctuated(word.text, first=n == 0, last=_ends(segment, n)) for n, word in enumerate(segment.words)
    ]
    confidence = sum(word.confidence for word in segment.words) / max(1, len(segment.words))
    words = [
        _word(word, text if punctuate else None, rate_hz)
        for word, text in zip(segment.words, shown, strict=True)
    ]
    return {
        "type": "Results",
        "channel_index": [channel, channels],
        "duration": seconds(segment.end - segment.start, rate_hz),
        "start": seconds(segment.start, rate_hz),
        "is_final": segment.is_final,
        "speech_final": segment.speech_final,
        "channel": {
            "alternatives": [
                {
                    "transcript": " ".join(shown if punctuate else (word.text for word in segment.words)),
                    "confidence": round(confidence, 6),
                    "words": words,
                }
            ]
        },
        "metadata": dict(metadata),
        "from_finalize": from_finalize,
    }


def _ends(segment: Segment, n: int) -> bool:
    return segment.speech_final and n == len(segment.words) - 1


def _word(word: Word, shown: str | None, rate_hz: int) -> Message:
    message: Message = {
        "word": word.text,
        "start": seconds(word.start, rate_hz),
        "end": seconds(word.end, rate_hz),
        "confidence": round(word.confidence, 6),
    }
    if shown is not None:
        message["punctuated_word"] = shown
    return message


def punctuated(text: str, *, first: bool, last: bool) -> str:
    """A modest likeness of `punctuate`: a capital where a sentence begins, a full stop where speech ends."""
    if first or text in ("i", "i'm", "i'd", "i'll", "i've"):
        text = text[:1].upper() + text[1:]
    return text + "." if last else text


def request_metadata(request_id: str, model: Model, model_uuid: str) -> Message:
    """What every result says about the request."""
    return {
        "request_id": request_id,
        "model_info": {"name": model.name, "version": model.version, "arch": model.arch},
        "model_uuid": model_uuid,
    }


def metadata(
    *,
    request_id: str,
    sha256: str,
    created: str,
    duration_s: float,
    channels: int,
    model: Model,
    model_uuid: str,
) -> Message:
    """The last message of a stream; `created` is an ISO instant in UTC."""
    return {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": request_id,
        "sha256": sha256,
        "created": created,
        "duration": duration_s,
        "channels": channels,
        "models": [model_uuid],
        "model_info": {model_uuid: {"name": model.name, "version": model.version, "arch": model.arch}},
    }


def speech_started(at: int, *, channel: int, channels: int, rate_hz: int) -> Message:
    """Somebody began to speak."""
    return {"type": "SpeechStarted", "channel": [channel, channels], "timestamp": seconds(at, rate_hz)}


def utterance_end(last_word_end: int, *, channel: int, channels: int, rate_hz: int) -> Message:
    """Nobody has spoken for `utterance_end_ms` after the last finalised word."""
    return {
        "type": "UtteranceEnd",
        "channel": [channel, channels],
        "last_word_end": seconds(last_word_end, rate_hz),
    }


def error_body(code: str, message: str, request_id: str) -> Message:
    """The JSON body of a refused handshake."""
    return {"err_code": code, "err_msg": message, "request_id": request_id}


def complaint(description: str, message: str) -> Message:
    """A text message from the client that could not be understood."""
    return {
        "type": "Error",
        "variant": "UNPARSABLE_CLIENT_MESSAGE",
        "description": description,
        "message": message,
    }

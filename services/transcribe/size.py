"""What a final result may weigh in the log, and what is left of one that weighs more. Pure."""

from dataclasses import dataclass

import orjson

from services.transcribe.segments import Document

MAX_LOGGED_BYTES = 90_000
"""A DynamoDB item may have 400 KB (DynamoDB quotas): as JSON within JSON a message at most doubles, and the
text stands beside it once more. Deepgram's finals have some kilobytes."""
MAX_TEXT_BYTES = 40_000
"""Of text; more than an hour of speech."""
_KEPT = ("type", "channel_index", "start", "duration", "is_final", "speech_final", "from_finalize")


@dataclass(frozen=True, slots=True)
class Bounded:
    """A final's message and text as they are logged; `trimmed`: the message is not Deepgram's whole one."""

    message: str
    transcript: str
    trimmed: bool


def bounded(message: str, transcript: str) -> Bounded:
    """The message itself where it fits; else what of it has a known size: kind, place and text."""
    if len(message) <= MAX_LOGGED_BYTES // 4 or len(message.encode()) <= MAX_LOGGED_BYTES:
        return Bounded(message, transcript, trimmed=False)
    text = transcript.encode()[:MAX_TEXT_BYTES].decode(errors="ignore")
    document: Document = orjson.loads(message)
    kept: Document = {name: document[name] for name in _KEPT if name in document}
    kept["channel"] = {"alternatives": [{"transcript": text}]}
    return Bounded(orjson.dumps(kept).decode(), text, trimmed=True)


def fits(message: str | None) -> str | None:
    """A message of another kind, if it may be logged."""
    return message if message is None or len(message.encode()) <= MAX_LOGGED_BYTES else None

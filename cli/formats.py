"""Conversations as text, JSON, WebVTT and SubRip. Pure."""

import json
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from cli.transcript import Conversation, Remark, Turn

FORMATS = ("text", "json", "vtt", "srt")
_STEERING = {"Cc", "Cs", "Zl", "Zp"}
_BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_REMARKS = {"paused": "transcription paused", "resumed": "transcription resumed"}


def as_text(conversations: Sequence[Conversation]) -> str:
    """For reading: a heading per session, then a line per turn."""
    return "\n\n".join("\n".join(_text_lines(each)) for each in conversations) + "\n"


def as_json(conversations: Sequence[Conversation]) -> str:
    """For programs: one document."""
    sessions = [
        {
            "session_id": each.header.session_id,
            "contact_id": each.header.contact_id,
            "requested_at": _instant(each.header.requested_at_ms),
            "media_started_at": _instant(each.started_at_ms),
            "ending": asdict(each.ending) if each.ending else None,
            "turns": [asdict(turn) for turn in each.turns],
            "remarks": [asdict(remark) for remark in each.remarks],
        }
        for each in conversations
    ]
    return json.dumps({"sessions": sessions}, indent=2, ensure_ascii=False) + "\n"


def as_vtt(conversation: Conversation) -> str:
    """Captions with a voice per side (W3C WebVTT)."""
    cues = (
        f"{_cue_times(turn)}\n<v {turn.speaker}>{_escaped(_one_line(turn.text))}\n"
        for turn in conversation.turns
    )
    return "\n".join(["WEBVTT\n", *cues])


def as_srt(conversation: Conversation) -> str:
    """Captions that begin with the speaker (SubRip, which knows neither voices nor escapes)."""
    cues = (
        f"{number}\n{_cue_times(turn).replace('.', ',')}\n{turn.speaker}: {_one_line(turn.text)}\n"
        for number, turn in enumerate(conversation.turns, 1)
    )
    return "\n".join(cues)


def _text_lines(conversation: Conversation) -> Iterator[str]:
    header = conversation.header
    yield f"contact {header.contact_id}, session {header.session_id}"
    started = _instant(conversation.started_at_ms)
    yield f"began {started}" if started else f"requested {_instant(header.requested_at_ms)}, no audio yet"
    for line in conversation.lines:
        yield _text_line(line)
    ending = conversation.ending
    if ending is None:
        yield "not ended"
    else:
        yield f"{_clock(ending.end_s)}  {ending.outcome} ({ending.reason}): {_printable(ending.explanation)}"


def _text_line(line: Turn | Remark) -> str:
    if isinstance(line, Turn):
        return f"{_clock(line.start_s)}  {line.speaker:<8}  {_printable(line.text)}"
    if line.end_s is None:
        return f"{_clock(line.start_s)}  [{_REMARKS[line.kind]}]"
    return f"{_clock(line.start_s)}  [no audio until {_clock(line.end_s)}: {_printable(line.cause or '')}]"


def _printable(text: str) -> str:
    """Without characters that steer a terminal; joiners stay, some scripts need them."""
    return "".join(" " if unicodedata.category(each) in _STEERING or each in _BIDI else each for each in text)


def _clock(seconds: float) -> str:
    minutes, rest_ms = divmod(round(seconds * 1_000), 60_000)
    return f"{minutes:02d}:{rest_ms / 1_000:06.3f}"


def _cue_times(turn: Turn) -> str:
    return f"{_cue_time(turn.start_s)} --> {_cue_time(turn.end_s)}"


def _cue_time(seconds: float) -> str:
    hours, rest_ms = divmod(round(seconds * 1_000), 3_600_000)
    minutes, rest_ms = divmod(rest_ms, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest_ms // 1_000:02d}.{rest_ms % 1_000:03d}"


def _one_line(text: str) -> str:
    """A cue ends at an empty line."""
    return " ".join(_printable(text).split())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _instant(epoch_ms: int | None) -> str | None:
    if epoch_ms is None:
        return None
    return datetime.fromtimestamp(epoch_ms / 1_000, UTC).isoformat(timespec="milliseconds")

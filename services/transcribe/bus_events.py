"""What a log record, or an interim result, is as an event on the bus. Pure.

The event's id is that of its record, so that an announcement that has to be made twice carries the same id.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import cast

import orjson
from pydantic import JsonValue

from contracts.audio import seconds_of_samples
from contracts.events import (
    AudioGap,
    AudioNotice,
    DeepgramAdmitted,
    DeepgramThrottled,
    Event,
    SessionEnded,
    SessionFailed,
    SessionResumed,
    SessionStarted,
    TranscriptionPaused,
    TranscriptionResumed,
    TranscriptSegment,
    Word,
)
from contracts.model import ContactId, SessionId
from contracts.queue import webhook_id
from contracts.session import (
    CallContext,
    Ended,
    Final,
    Gap,
    LogRecord,
    Opened,
    Outcome,
    Paused,
    Progress,
    Resumed,
    SessionState,
)
from services.transcribe.segments import Document, Segment
from services.transcribe.time_map import is_new_connection

MAX_VERBATIM_BYTES = 80_000
"""A larger message is left out of its event: an entry may have 256 KB (EventBridge quotas)."""
MAX_WITH_WORDS_BYTES = 160_000
"""Of a larger message the event has the text alone."""
MAX_TRANSCRIPT = 50_000
"""Characters of text, of which each may be four bytes."""
RECONNECTED = "deepgram_reconnected"


class BusEvents:
    """The events of one session."""

    def __init__(self, session_id: SessionId, contact_id: ContactId, context: CallContext) -> None:
        self._session_id = session_id
        self._contact_id = contact_id
        self._context = context

    def of_record(self, record: LogRecord, before: SessionState | None) -> Event | None:
        """The event that tells of `record`; None for records that are nobody else's business.

        Args:
            record: A durable record.
            before: The state before it; None for the first record.
        """
        match record:
            case Final():
                return self._final(record)
            case Opened() if record.state.epoch > 1:
                return self._resumed(record, record.cause.value, min(record.state.covered_samples))
            case Progress():
                return self._of_progress(record, before)
            case Gap():
                return self._event(
                    AudioGap,
                    record,
                    from_s=seconds_of_samples(record.from_samples),
                    to_s=seconds_of_samples(record.to_samples),
                    cause=record.cause,
                )
            case Paused():
                return self._event(TranscriptionPaused, record, from_s=seconds_of_samples(record.at_samples))
            case Resumed():
                return self._of_resumed(record)
            case Ended():
                return self._ended(record)
            case _:
                return None

    def of_interim(self, segment: Segment, n: int, k: int, epoch_ms: int) -> Event:
        """An interim result; it has no record, so its id says which one it follows."""
        return TranscriptSegment.model_validate(
            {
                **self._common(webhook_id(self._session_id, n, k), epoch_ms),
                "n": n,
                "segment_id": segment.segment_id,
                "is_final": False,
                "speaker": segment.channel.speaker,
                "start_s": seconds_of_samples(segment.start),
                "end_s": seconds_of_samples(segment.end),
                "transcript": segment.transcript[:MAX_TRANSCRIPT],
                **_from_deepgram(segment.message),
            }
        )

    def unlogged_failure(self, reason: str, explanation: str, epoch_ms: int) -> Event:
        """The session failed, and its log could not be told."""
        fields = {"reason": reason, "explanation": explanation, "duration_s": 0.0}
        common = self._common(f"{self._session_id}.failed", epoch_ms)
        return SessionFailed.model_validate({**common, **fields})

    def noticed(self, code: str, explanation: str, epoch_ms: int) -> Event:
        """Ingest found something about the audio."""
        event_id = f"{self._session_id}.notice.{code}.{epoch_ms}"
        fields = {**self._common(event_id, epoch_ms), "code": code, "explanation": explanation}
        return AudioNotice.model_validate(fields)

    def throttled(self, ahead: int, epoch: int, connection: int, epoch_ms: int) -> Event:
        """The session waits for a place at Deepgram."""
        event_id = f"{self._session_id}.throttled.{epoch}.{connection}"
        return DeepgramThrottled.model_validate({**self._common(event_id, epoch_ms), "ahead": ahead})

    def admitted(self, waited_s: float, epoch: int, connection: int, epoch_ms: int) -> Event:
        """It does no longer."""
        event_id = f"{self._session_id}.admitted.{epoch}.{connection}"
        fields = {**self._common(event_id, epoch_ms), "waited_s": round(waited_s, 3)}
        return DeepgramAdmitted.model_validate(fields)

    def _final(self, record: Final) -> Event:
        return self._event(
            TranscriptSegment,
            record,
            n=record.n,
            segment_id=record.segment_id,
            is_final=True,
            speaker=record.channel.speaker,
            start_s=seconds_of_samples(record.start_samples),
            end_s=seconds_of_samples(record.end_samples),
            transcript=record.transcript[:MAX_TRANSCRIPT],
            **({} if record.trimmed else _from_deepgram(record.message)),
        )

    def _of_progress(self, record: Progress, before: SessionState | None) -> Event | None:
        t0_ms = record.state.t0_ms
        if t0_ms is not None and (before is None or before.t0_ms is None):
            started_at = _instant(t0_ms)
            return self._event(SessionStarted, record, media_started_at=started_at, context=self._context)
        old, new = (before.offsets if before else ()), record.state.offsets
        if is_new_connection(old, new):
            return self._resumed(record, RECONNECTED, new[0].position_samples)
        return None

    def _resumed(self, record: LogRecord, cause: str, position: int) -> Event:
        from_s = seconds_of_samples(position)
        return self._event(SessionResumed, record, epoch=record.state.epoch, cause=cause, from_s=from_s)

    def _of_resumed(self, record: Resumed) -> Event:
        """The pause that ended is the one that ends where the record says."""
        began = [p.from_samples for p in record.state.pauses if p.to_samples == record.at_samples]
        paused_s = seconds_of_samples(record.at_samples - max(began, default=record.at_samples))
        from_s = seconds_of_samples(record.at_samples)
        return self._event(TranscriptionResumed, record, from_s=from_s, paused_s=paused_s)

    def _ended(self, record: Ended) -> Event:
        duration_s = seconds_of_samples(record.end_samples)
        if record.outcome is Outcome.COMPLETED:
            return self._event(
                SessionEnded, record, reason=record.reason, duration_s=duration_s, last_n=record.n
            )
        return self._event(
            SessionFailed,
            record,
            reason=record.reason,
            explanation=record.explanation,
            duration_s=duration_s,
        )

    def _event[E: Event](self, kind: type[E], record: LogRecord, **fields: object) -> E:
        common = self._common(webhook_id(self._session_id, record.n), record.written_at_ms)
        return kind.model_validate({**common, **fields})

    def _common(self, event_id: str, epoch_ms: int) -> dict[str, object]:
        return {
            "event_id": event_id,
            "session_id": self._session_id,
            "contact_id": self._contact_id,
            "occurred_at": _instant(epoch_ms),
        }


def text_alone(event: Event) -> Event | None:
    """For an event that the bus refuses: a smaller one; None: there is none."""
    if not isinstance(event, TranscriptSegment) or (event.deepgram is None and not event.words):
        return None
    return event.model_copy(update={"words": (), "deepgram": None})


def _instant(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC)


def _from_deepgram(message: str) -> dict[str, object]:
    """Confidence, words and the message itself, as far as they are there and fit an entry."""
    size = len(message.encode())
    if size > MAX_WITH_WORDS_BYTES:
        return {}
    document = cast("Document", orjson.loads(message))
    channel = document.get("channel")
    alternatives = channel.get("alternatives") if isinstance(channel, dict) else None
    first = alternatives[0] if isinstance(alternatives, list) and alternatives else None
    verbatim = document if size <= MAX_VERBATIM_BYTES else None
    if not isinstance(first, dict):
        return {"deepgram": verbatim}
    words = first.get("words")
    return {
        "confidence": _number(first.get("confidence")),
        "words": list(_words(words)) if isinstance(words, list) else [],
        "deepgram": verbatim,
    }


def _words(words: Sequence[JsonValue]) -> Iterator[Word]:
    """The words that have a place in time; a shape that we do not know is left to `deepgram`."""
    for word in words:
        if not isinstance(word, dict):
            continue
        start_s, end_s = _number(word.get("start")), _number(word.get("end"))
        if start_s is not None and end_s is not None:
            text = str(word.get("punctuated_word", word.get("word", "")))
            yield Word(text=text, start_s=start_s, end_s=end_s, confidence=_number(word.get("confidence")))


def _number(value: JsonValue) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None

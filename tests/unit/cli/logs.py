"""A session's log as transcribe writes it."""

from contracts.audio import Channel
from contracts.model import ContactId, SessionId
from contracts.session import LOG_RECORD, LogRecord, MediaStream, SessionHeader, SessionState

SESSION = SessionId("7d0f2a1c9b3e4d5f8a6b7c8d9e0f1a2b")
CONTACT = ContactId("4a573372-1f28-4e26-b97b-0123456789ab")
T0_MS = 1_784_000_000_250


def state(t0_ms: int | None = T0_MS) -> SessionState:
    return SessionState(writer="w", epoch=1, t0_ms=t0_ms, covered_samples=(0, 0))


def header(
    session: SessionId = SESSION, contact: ContactId = CONTACT, at_ms: int = T0_MS - 1_000
) -> SessionHeader:
    return SessionHeader(
        session_id=session,
        contact_id=contact,
        requested_at_ms=at_ms,
        media=MediaStream(stream_arn="arn", start_fragment_number="1", start_timestamp_ms=1),
        deepgram_parameters=(),
        callback=None,
    )


def log(session: SessionId = SESSION) -> list[LogRecord]:
    """The agent's first words are logged after the customer's answer, as happens with two channels."""
    cause, ending = (
        "not_retained",
        {"outcome": "completed", "reason": "idle", "explanation": "The call ended."},
    )
    records: list[dict[str, object]] = [
        {"type": "opened", "cause": "requested", "request_message_id": "m", "state": state(None)},
        {"type": "progress"},
        said(Channel.CUSTOMER, 2.5, 4.0, "Hi, my card is lost."),
        said(Channel.AGENT, 0.5, 2.25, "Hello, how can I help?"),
        {"type": "gap", "from_samples": 40_000, "to_samples": 48_000, "cause": cause},
        {"type": "paused", "at_samples": 64_000},
        {"type": "resumed", "at_samples": 80_000},
        said(Channel.AGENT, 10.0, 11.5, "It is <b>blocked</b> & gone.\x1b[2J"),
        {"type": "ended", "end_samples": 96_000, **ending},
        {"type": "announced"},
    ]
    common = {"session_id": session, "written_at_ms": 0, "state": state()}
    return [LOG_RECORD.validate_python({**common, "n": n, **record}) for n, record in enumerate(records, 1)]


def said(channel: Channel, start_s: float, end_s: float, text: str) -> dict[str, object]:
    return {
        "type": "final",
        "segment_id": f"{channel.speaker}-{start_s}",
        "channel": channel,
        "start_samples": round(start_s * 8_000),
        "end_samples": round(end_s * 8_000),
        "transcript": text,
        "message": "{}",
    }

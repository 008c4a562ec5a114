"""Records and headers for tests."""

from contracts.audio import Channel
from contracts.model import ContactId, SessionId
from contracts.session import (
    Callback,
    CallContext,
    Ended,
    Final,
    MediaStream,
    OpenCause,
    Opened,
    Outcome,
    Progress,
    SessionHeader,
    SessionState,
)

SESSION = SessionId("s")
CONTACT = ContactId("c")
MS = 1_700_000_000_000


def header(*, callback: bool = True) -> SessionHeader:
    return SessionHeader(
        session_id=SESSION,
        contact_id=CONTACT,
        requested_at_ms=MS,
        media=MediaStream(stream_arn="arn", start_fragment_number="1", start_timestamp_ms=MS),
        deepgram_parameters=(),
        callback=Callback(url="https://example.com") if callback else None,
        context=CallContext(language="en-US"),
    )


def state(**fields: object) -> SessionState:
    first: dict[str, object] = {"writer": "me#m1", "epoch": 1, "t0_ms": None, "covered_samples": (0, 0)}
    return SessionState.model_validate({**first, **fields})


def opened(n: int = 1, **fields: object) -> Opened:
    return Opened(
        session_id=SESSION,
        n=n,
        written_at_ms=MS,
        state=state(**fields),
        cause=OpenCause.REQUESTED if n == 1 else OpenCause.TAKEN_OVER,
        request_message_id="m1",
    )


def progress(n: int, **fields: object) -> Progress:
    return Progress(session_id=SESSION, n=n, written_at_ms=MS, state=state(**fields))


def final(n: int, message: str = '{"type":"Results"}', **fields: object) -> Final:
    return Final(
        session_id=SESSION,
        n=n,
        written_at_ms=MS,
        state=state(**fields),
        segment_id="s.1.8000",
        channel=Channel.AGENT,
        start_samples=8_000,
        end_samples=16_000,
        transcript="Hello there",
        message=message,
    )


def ended(n: int, *, outcome: Outcome = Outcome.COMPLETED, metadata: str | None = "{}") -> Ended:
    return Ended(
        session_id=SESSION,
        n=n,
        written_at_ms=MS,
        state=state(),
        outcome=outcome,
        reason="idle" if outcome is Outcome.COMPLETED else "deepgram_rejected",
        explanation="check the key",
        end_samples=80_000,
        metadata_message=metadata,
    )

"""Messages as transcribe queues them."""

import json

from contracts.model import ContactId, SessionId
from contracts.queue import TranscriptMessage
from services.delivery.session_lane import Held

SESSION = SessionId("7d0f2a1c9b3e4d5f8a6b7c8d9e0f1a2b")
CONTACT = ContactId("4a573372-1f28-4e26-b97b-0123456789ab")


def message(
    n: int,
    k: int = 0,
    *,
    kind: str | None = None,
    channel: int = 0,
    at_ms: int = 0,
    session: str = SESSION,
    body: str | None = "",
) -> TranscriptMessage:
    kind = kind or ("interim" if k else "final")
    result = {"type": "Results", "channel_index": [channel, 2], "is_final": kind == "final", "start": n}
    return TranscriptMessage(
        session_id=SessionId(session),
        contact_id=CONTACT,
        epoch=1,
        n=n,
        k=k,
        kind=kind,
        message=json.dumps(result) if body == "" else body,
        received_at_ms=at_ms,
    )


def held(n: int, k: int = 0, *, kind: str | None = None, channel: int = 0, at_ms: int = 0) -> Held:
    return Held(message(n, k, kind=kind, channel=channel, at_ms=at_ms), f"receipt-{n}.{k}")

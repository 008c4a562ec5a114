"""The id of a session: the same for every retry of one invocation, another for another wish."""

import hashlib
import json

from contracts.model import ContactId, SessionId
from contracts.session import MediaStream
from services.trigger.contact import Wishes

_FORM = "connect-transcription-session-1"


def session_id(
    contact_id: ContactId,
    media: MediaStream,
    wishes: Wishes,
    invocation_id: str,
    stopped_at_ms: int | None = None,
) -> SessionId:
    """32 hexadecimal digits.

    Args:
        contact_id: The contact.
        media: Its stream and start fragment.
        wishes: What was asked: another language or callback is another session of the same contact.
        invocation_id: The Lambda request. It counts with real-time pacing only: a load test repeats one
            invocation and means a session by each.
        stopped_at_ms: When the flow stopped the session that it starts anew.
    """
    parts: list[object] = [
        _FORM,
        contact_id,
        media.stream_arn,
        media.start_fragment_number,
        wishes.parameters,
        [wishes.callback.url, wishes.callback.method] if wishes.callback else None,
        invocation_id if wishes.pace_realtime else None,
    ]
    if stopped_at_ms is not None:
        parts.append(stopped_at_ms)
    return SessionId(hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32])

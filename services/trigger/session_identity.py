"""The id of a session: the same for every retry of one invocation, another for another wish."""

import hashlib
import json

from contracts.model import ContactId, SessionId
from contracts.session import MediaStream
from services.trigger.contact import Wishes

_FORM = "connect-transcription-session-1"


def session_id(contact_id: ContactId, media: MediaStream, wishes: Wishes, invocation_id: str) -> SessionId:
    """32 hexadecimal digits.

    Args:
        contact_id: The contact.
        media: Its stream and start fragment.
        wishes: What was asked: another language or callback is another session of the same contact.
        invocation_id: The Lambda request. It counts with real-time pacing only: a load test repeats one
            invocation and means a session by each.
    """
    parts = [
        _FORM,
        contact_id,
        media.stream_arn,
        media.start_fragment_number,
        wishes.parameters,
        [wishes.callback.url, wishes.callback.method] if wishes.callback else None,
        invocation_id if wishes.pace_realtime else None,
    ]
    return SessionId(hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32])

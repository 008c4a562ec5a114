"""One request to a callback: Deepgram's body as it is, everything of ours in headers.

Signatures are Standard Webhooks 1.0.0, symmetric scheme `v1`: HMAC-SHA256 over `id.timestamp.body`.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.model import ContactId, SessionId
from contracts.queue import TranscriptMessage
from services.delivery.destination import Destination

SECRET_PREFIX = "whsec_"  # noqa: S105 -- what every secret begins with
MIN_SECRET_BYTES = 24
MAX_SECRET_BYTES = 64
"""Standard Webhooks 1.0.0, "Signature scheme": between 24 and 64 bytes of random."""
_HEADER_VALUE = re.compile("[!-~]([ -~]*[!-~])?")
_TRACE_ID = re.compile("(?!0{32})[0-9a-f]{32}")


class UnusableSecret(ValueError):
    """A signing secret is not `whsec_` and 24 to 64 bytes in base64, or a token no header's value."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The bytes of one secret."""

    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What requests are proven with."""

    keys: Sequence[SigningKey] = ()
    """Each signs, so that a receiver may rotate secrets; none: unsigned."""
    token: str | None = field(default=None, repr=False)
    """Constant value of the header `dg-token`, as Deepgram's callbacks have one."""


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """Ready to be sent."""

    method: str
    url: str = field(repr=False)
    """Without credentials."""
    headers: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def read_signing_key(secret: str) -> SigningKey:
    """The key of a `whsec_…` secret.

    Raises:
        UnusableSecret: its form or length is wrong.
    """
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as malformed:
        raise UnusableSecret("a signing secret is not base64") from malformed
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise UnusableSecret(f"a signing secret is not {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes long")
    return SigningKey(key)


def read_token(token: str) -> str:
    """A token that fits into a header.

    Raises:
        UnusableSecret: it does not (RFC 9110, 5.5: visible ASCII, blanks between).
    """
    if not _HEADER_VALUE.fullmatch(token):
        raise UnusableSecret("the callback token is empty, or has characters that no header may have")
    return token


def prepare(
    message: TranscriptMessage, body: str, destination: Destination, credentials: Credentials, now_s: int
) -> WebhookRequest:
    """The request for one attempt.

    Args:
        message: Names the request.
        body: Deepgram's message.
        destination: Where it goes.
        credentials: Of the deployment.
        now_s: Epoch seconds of the attempt.
    """
    content = body.encode()
    webhook_id = message.webhook_id
    headers = {
        "Content-Type": "application/json",
        "webhook-id": webhook_id,
        "webhook-timestamp": str(now_s),
        "x-sequence": str(message.sequence),
        **session_headers(message.session_id, message.contact_id, webhook_id, destination, credentials),
    }
    if credentials.keys:
        headers["webhook-signature"] = " ".join(
            _signature(key, webhook_id, now_s, content) for key in credentials.keys
        )
    return WebhookRequest(destination.method, destination.url, headers, content)


def session_headers(
    session_id: SessionId,
    contact_id: ContactId,
    span: str,
    destination: Destination,
    credentials: Credentials,
) -> dict[str, str]:
    """What does not depend on the message: all that the handshake of a websocket has.

    Args:
        session_id: Of the callback.
        contact_id: Of the session.
        span: Names the request within the session's trace.
        destination: May ask for basic authentication.
        credentials: May have a token.
    """
    headers = {
        "User-Agent": "connect-transcription",
        "x-contact-id": contact_id,
        "x-session-id": session_id,
        "traceparent": traceparent(session_id, span),
    }
    if destination.authorization:
        headers["Authorization"] = destination.authorization
    if credentials.token:
        headers["dg-token"] = credentials.token
    return headers


def traceparent(session_id: SessionId, span: str) -> str:
    """W3C Trace Context, 3.2: every request of a session is in the one trace that is named after it."""
    trace = session_id if _TRACE_ID.fullmatch(session_id) else _digits(session_id, 32)
    return f"00-{trace}-{_digits(span, 16)}-01"


def _digits(name: str, length: int) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:length]


def _signature(key: SigningKey, webhook_id: str, now_s: int, content: bytes) -> str:
    signed = b"%s.%d.%s" % (webhook_id.encode(), now_s, content)
    return "v1," + base64.b64encode(hmac.digest(key.secret, signed, hashlib.sha256)).decode()

"""One request to a callback: Deepgram's body as it is, everything of ours in headers.

Signatures are Standard Webhooks 1.0.0, symmetric scheme `v1`: HMAC-SHA256 over `id.timestamp.body`.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit, urlunsplit

from contracts.queue import TranscriptMessage
from contracts.session import Callback

SECRET_PREFIX = "whsec_"  # noqa: S105 -- what every secret begins with
MIN_SECRET_BYTES = 24
MAX_SECRET_BYTES = 64
"""Standard Webhooks 1.0.0, "Signature scheme": between 24 and 64 bytes of random."""


class UnusableSecret(ValueError):
    """A signing secret is not `whsec_` and 24 to 64 bytes in base64."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The bytes of one secret."""

    secret: bytes = field(repr=False)


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
    except binascii.Error as malformed:
        raise UnusableSecret("a signing secret is not base64") from malformed
    if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
        raise UnusableSecret(f"a signing secret is not {MIN_SECRET_BYTES} to {MAX_SECRET_BYTES} bytes long")
    return SigningKey(key)


def prepare(
    message: TranscriptMessage, body: str, callback: Callback, keys: Sequence[SigningKey], now_s: int
) -> WebhookRequest:
    """The request for one attempt.

    Args:
        message: Names the request.
        body: Deepgram's message.
        callback: Its URL may hold credentials for basic authentication (RFC 7617).
        keys: Each signs, so that a receiver may rotate secrets; none: unsigned.
        now_s: Epoch seconds of the attempt.
    """
    content = body.encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "connect-transcription",
        "webhook-id": message.webhook_id,
        "webhook-timestamp": str(now_s),
        "x-contact-id": message.contact_id,
        "x-session-id": message.session_id,
        "x-sequence": str(message.sequence),
    }
    if keys:
        headers["webhook-signature"] = " ".join(
            _signature(key, message.webhook_id, now_s, content) for key in keys
        )
    url, authorization = _without_credentials(urlsplit(callback.url))
    if authorization:
        headers["Authorization"] = authorization
    return WebhookRequest(callback.method.value, url, headers, content)


def _signature(key: SigningKey, webhook_id: str, now_s: int, content: bytes) -> str:
    signed = b"%s.%d.%s" % (webhook_id.encode(), now_s, content)
    return "v1," + base64.b64encode(hmac.digest(key.secret, signed, hashlib.sha256)).decode()


def _without_credentials(parts: SplitResult) -> tuple[str, str | None]:
    credentials, separator, address = parts.netloc.rpartition("@")
    url = urlunsplit(parts._replace(netloc=address))
    if not separator:
        return url, None
    user, _, password = credentials.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return url, "Basic " + base64.b64encode(pair).decode()

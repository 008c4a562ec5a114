"""Where a callback leads, read once per session."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit, urlunsplit

from contracts.session import Callback, is_host

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
WEBSOCKET = frozenset({"ws", "wss"})
UNUSABLE = "unusable"
"""The endpoint of what has none."""
MAX_ENDPOINT_BYTES = 900
"""Longer than any name in DNS; it is part of sort keys in the session store, of 1,024 bytes at most."""
type Ports = Sequence[range]
"""Allowed ports."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A callback's URL, taken apart."""

    endpoint: str
    """Its origin: scheme, host, port; no credentials."""
    method: str
    url: str = field(repr=False)
    """Without credentials."""
    authorization: str | None = field(repr=False)
    """Of the credentials in the URL: basic authentication (RFC 7617)."""
    is_websocket: bool
    fault: str | None
    """Why nothing may be sent there, a stable code."""


def read_destination(callback: Callback, ports: Ports) -> Destination:
    """Takes the URL apart; never raises for what is in it."""
    try:
        parts = urlsplit(callback.url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return Destination(
            UNUSABLE, callback.method.value, "", None, is_websocket=False, fault="unusable_url"
        )
    url, authorization = _without_credentials(parts)
    endpoint = f"{parts.scheme}://{parts.hostname or ''}:{port}"
    return Destination(
        endpoint=endpoint if len(endpoint.encode(errors="replace")) <= MAX_ENDPOINT_BYTES else UNUSABLE,
        method=callback.method.value,
        url=url,
        authorization=authorization,
        is_websocket=parts.scheme in WEBSOCKET,
        fault=_fault(parts, port, ports),
    )


def is_allowed_port(port: int, ports: Ports) -> bool:
    """Whether callbacks may use the port."""
    return any(port in allowed for allowed in ports)


def _fault(parts: SplitResult, port: int, ports: Ports) -> str | None:
    if parts.scheme not in DEFAULT_PORTS:
        return "unsupported_scheme"
    if not is_host(parts.hostname or ""):
        return "unusable_url"
    return None if is_allowed_port(port, ports) else "forbidden_port"


def _without_credentials(parts: SplitResult) -> tuple[str, str | None]:
    credentials, separator, address = parts.netloc.rpartition("@")
    url = urlunsplit(parts._replace(netloc=address))
    if not separator:
        return url, None
    user, _, password = credentials.partition(":")
    pair = unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    return url, "Basic " + base64.b64encode(pair).decode()

"""One HTTP/1.1 connection, as far as its requests are to be spoiled. Pure.

Nobody pipelines here: what a client sends after the server has spoken begins a new request.
"""

import json
import re
from dataclasses import dataclass
from enum import Enum

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
MAX_REQUEST_BYTES = 4 << 20


class Fate(Enum):
    """Of a request."""

    PASS = "pass"  # noqa: S105 -- no password
    FAIL = "fail"
    """It is answered with an error, and never reaches the server."""
    LOSE = "lose"
    """It reaches the server, and the connection is cut when the answer comes."""


@dataclass(frozen=True, slots=True)
class Error:
    """How a request is refused."""

    status: int
    code: str


ERRORS = (
    Error(500, "InternalServerError"),
    Error(503, "ServiceUnavailable"),
    Error(400, "ThrottlingException"),
)
"""Errors that every AWS SDK takes for temporary."""


class Conversation:
    """Ask `begins` about each piece of the client's; give `fate` when it does."""

    def __init__(self) -> None:
        self._server_spoke = True
        self._fate = Fate.PASS
        self._swallowed = b""

    def begins(self) -> bool:
        """Whether the client's next byte is the first of a request."""
        return self._server_spoke

    def begin(self, fate: Fate) -> None:
        """A request begins whose fate is this."""
        self._server_spoke = False
        self._fate = fate
        self._swallowed = b""

    def client(self, piece: bytes, error: Error) -> tuple[bytes, bytes]:
        """Takes a piece of a request; returns what goes to the server, and what back to the client."""
        if self._fate is not Fate.FAIL:
            return piece, b""
        self._swallowed += piece
        if len(self._swallowed) < MAX_REQUEST_BYTES and not _complete(self._swallowed):
            return b"", b""
        self._server_spoke = True
        return b"", refusal(error)

    def server(self) -> bool:
        """The server speaks; whether the client shall hear it."""
        self._server_spoke = True
        return self._fate is not Fate.LOSE


def _complete(request: bytes) -> bool:
    head, end, body = request.partition(_END_OF_HEAD)
    length = _LENGTH.search(head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def refusal(error: Error) -> bytes:
    """The bytes of an answer in AWS's JSON protocols."""
    body = json.dumps({"__type": error.code, "message": "an emulated fault"}).encode()
    head = (
        f"HTTP/1.1 {error.status} {error.code}\r\nContent-Type: application/x-amz-json-1.0\r\n"
        f"x-amzn-ErrorType: {error.code}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body

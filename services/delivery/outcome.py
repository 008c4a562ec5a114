"""What came of one request to an endpoint."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answered:
    """The endpoint answered."""

    status: int
    retry_after_s: float | None = None
    """As the endpoint asked, seconds from now."""


@dataclass(frozen=True, slots=True)
class NotAnswered:
    """No answer: nobody knows whether the endpoint has the message."""

    cause: str
    """Stable code: `timeout`, `connection`, `tls`."""


@dataclass(frozen=True, slots=True)
class NotSent:
    """The request must not or cannot be made, now or later."""

    cause: str
    """Stable code, e.g. `forbidden_address`, `unsupported_scheme`."""


type Outcome = Answered | NotAnswered | NotSent

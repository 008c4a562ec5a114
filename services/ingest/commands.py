"""What a session asks of its shell; performed in order, at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from contracts.link import FromIngest
from contracts.metrics import Metric

type Disposition = Literal["delete", "put_back", "leave"]
"""What becomes of a request: `delete` it, let another process have it, or leave it to its new owner."""


@dataclass(frozen=True, slots=True)
class FindPeer:
    """Choose a link that may serve the session; answer with `assigned` or `no_peer`."""


@dataclass(frozen=True, slots=True)
class LeavePeer:
    """Frames for the present handle are of no interest any more."""


@dataclass(frozen=True, slots=True)
class Send:
    """A control frame on the session's link, after all audio before it."""

    frame: FromIngest


@dataclass(frozen=True, slots=True)
class SendAudio:
    """Audio on the session's link; `pcm`: interleaved s16le, 8 kHz, 2 channels."""

    position: int
    pcm: bytes


@dataclass(frozen=True, slots=True)
class OpenMedia:
    """Give up the present body; then read from the fragment on that contains the producer time `start_ms`."""

    start_ms: int


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """Give up the present body."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The session is over here; what to do with its request, and after which delay it may be seen again."""

    disposition: Disposition
    reason: str
    delay_s: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    """A log event: `level` is structlog's, `keys` are of the allow-list."""

    event: str
    keys: Mapping[str, object]
    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class Count:
    """An amount for a counted metric."""

    metric: Metric
    amount: int = 1


type Command = FindPeer | LeavePeer | Send | SendAudio | OpenMedia | CloseMedia | Finish | Log | Count

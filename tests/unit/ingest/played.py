"""A session that is played with, and everything that it asks for; time moves by hand."""

from collections.abc import Callable
from typing import Any

from contracts.events import SessionRequested
from contracts.link import (
    Credit,
    FromIngest,
    OpenedSession,
)
from services.ingest.commands import (
    Command,
    Finish,
    OpenMedia,
    Send,
    SendAudio,
)
from services.ingest.lease import Request
from services.ingest.limits import Limits
from services.ingest.session import Session
from tests.unit.ingest.cases import Found
from tests.unit.ingest.matroska_writer import CONTACT, T0_MS
from tests.unit.ingest.stereo import expected_stereo
from tests.unit.ingest.test_call_audio import PlainDecoder

START_MS = T0_MS - 300
HANDLE = 7
EVERYTHING = 1 << 40
LIMITS = Limits()


def request(*, paced: bool = False) -> Request:
    detail = SessionRequested.model_validate({
        "event_id": "s.requested",
        "session_id": "s",
        "contact_id": CONTACT,
        "occurred_at": "2026-01-01T00:00:00Z",
        "media": {"stream_arn": "arn:x", "start_fragment_number": "1", "start_timestamp_ms": START_MS},
        "pace_realtime": paced,
    })  # fmt: skip
    return Request(detail, "message-1", "receipt-1")


class Played:
    """A session and everything it asked for; time moves by hand."""

    def __init__(self, limits: Limits = LIMITS, *, paced: bool = False, jitter: float = 0.0) -> None:
        self.session = Session(request(paced=paced), limits, PlainDecoder, jitter)
        self.now = 1000.0
        self.commands: list[Command] = []
        self.does(self.session.start)

    def does(self, step: Callable[[float], list[Command]]) -> list[Command]:
        commands = step(self.now)
        self.commands += commands
        return commands

    def hears(self, **frame: Any) -> list[Command]:
        """A frame from transcribe."""
        kind = frame.pop("kind")
        return self.does(lambda now: self.session.receive(kind(handle=HANDLE, **frame), now))

    def opened(self, *, credit: int = EVERYTHING, **claim: Any) -> "Played":
        self.does(lambda now: self.session.assigned(HANDLE, now))
        self.hears(kind=OpenedSession, **({"epoch": 1, "t0_ms": None, "position_samples": 0} | claim))
        self.hears(kind=Credit, until_samples=credit)
        self.does(self.session.media_opened)
        return self

    def plays(self, *fragments: bytes) -> list[Command]:
        return self.does(lambda now: self.session.media(b"".join(fragments), now))

    def passes(self, seconds: float) -> list[Command]:
        """Time passes; what becomes due in it happens at its time."""
        until = self.now + seconds
        happened: list[Command] = []
        while (at := self.session.deadline) is not None and at <= until:
            self.now = max(self.now, at)
            happened += self.does(self.session.tick)
        self.now = until
        return happened

    def sent(self, kind: type[FromIngest]) -> list[Any]:
        return [c.frame for c in self.commands if isinstance(c, Send) and isinstance(c.frame, kind)]

    @property
    def pcm(self) -> bytes:
        return b"".join(c.pcm for c in self.commands if isinstance(c, SendAudio))

    @property
    def finish(self) -> Finish | None:
        return next((c for c in self.commands if isinstance(c, Finish)), None)


def opens(commands: list[Command]) -> list[int]:
    return [c.start_ms for c in commands if isinstance(c, OpenMedia)]


def stereo(found: list[Found]) -> bytes:
    return expected_stereo(found, T0_MS)

"""The life of a session's Deepgram connections: when to connect, keep alive, give up, end. Pure.

States and their ways on:

    idle --connect--> connecting --opened--> open --finish--> closing --closed--> idle (flushed or not)
    connecting --refused--> waiting | failed       open --closed, stalled--> waiting | failed
    waiting --deadline--> connecting

One connection at a time; each has a number, and what an older one still says is nobody's business.
"""

from dataclasses import dataclass
from enum import StrEnum

from services.transcribe.instants import earliest, full_jitter

KEEP_ALIVE_S = 4.0
"""Deepgram: a KeepAlive every 3-5 s while no audio flows, else NET-0001 after 10 s."""
STALL_S = 20.0
"""Without any message although audio went out all the time: an endpoint that accepts and never answers."""
STALL_SAMPLES = 10 * 8_000
FLUSH_S = 10.0
"""From CloseStream to the close."""
LINGER_S = 1.0
"""From Metadata to the close, which then no longer matters."""
RETRY_BASE_S = 0.5
RETRY_CAP_S = 10.0
GIVE_UP_S = 3_600.0
"""Of trouble, without anything new: the session is failed; KVS keeps the audio as long as it is told to."""

KEEP_ALIVE = '{"type":"KeepAlive"}'
FINALIZE = '{"type":"Finalize"}'
CLOSE_STREAM = '{"type":"CloseStream"}'


class State(StrEnum):
    """Of the present connection."""

    IDLE = "idle"
    CONNECTING = "connecting"
    OPEN = "open"
    CLOSING = "closing"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Failure:
    """The session cannot be transcribed; trying again would not help."""

    reason: str
    """Stable code."""
    explanation: str
    """One sentence, with Deepgram's own reason."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is gone; it is made again at the deadline."""

    delay_s: float


@dataclass(frozen=True, slots=True)
class Flushed:
    """The connection ended after CloseStream or was given up; `complete`: Deepgram said that it heard all."""

    complete: bool


type Ended = Failure | Lost | Flushed

_REFUSALS = {
    400: "Deepgram rejected a parameter; check the contact's dg_ attributes",
    401: "Deepgram rejected the API key; check the key in the transcribe service's secret",
    402: "Deepgram demands payment; check the project's balance",
    403: "Deepgram denied permission; check the key's scopes and the project's models",
    404: "there is nothing at the Deepgram URL; check DEEPGRAM_API",
}
_NORMAL = 1000
_TOO_MANY = 429
_REQUEST_TIMEOUT = 408


class DeepgramSession:
    """All connections of one session, one after another."""

    def __init__(self) -> None:
        self.state = State.IDLE
        self.connection = 0
        """Number of the present connection; 0: none yet."""
        self._attempt = 0
        self._retry_at: float | None = None
        self._troubled_since: float | None = None
        self._throttled = False
        self._last_sent_at = 0.0
        self._last_heard_at = 0.0
        self._unanswered = 0
        self._close_by: float | None = None
        self._metadata = False
        self._answered = False

    @property
    def deadline(self) -> float | None:
        """When `tick` (or `connect`, while waiting) has something to do."""
        match self.state:
            case State.WAITING:
                return self._retry_at
            case State.OPEN:
                return earliest(self._last_sent_at + KEEP_ALIVE_S, self._stalled_at)
            case State.CLOSING:
                return self._close_by
            case _:
                return self._admitted_by

    def connect(self, now: float) -> int | None:
        """The number of the connection to make now, if it is time; call when there is audio to send."""
        due = self.state is State.IDLE or (
            self.state is State.WAITING and self._retry_at is not None and now >= self._retry_at
        )
        if not due:
            return None
        self.state = State.CONNECTING
        self._throttled = False
        self.connection += 1
        self._retry_at = None
        return self.connection

    def rest(self, now: float) -> None:
        """No connection is wanted; of a back-off that is over nothing is due any more."""
        if self.state is State.WAITING and self._retry_at is not None and now >= self._retry_at:
            self.state = State.IDLE
            self._retry_at = self._troubled_since = None

    def throttled(self, now: float) -> None:
        """The concurrency limit is met; the connection is made later, unless that takes too long."""
        self._throttled = True
        if self._troubled_since is None:
            self._troubled_since = now

    def given_up(self, now: float) -> Failure | None:
        """Why to wait no longer for a place."""
        due = self._admitted_by
        if due is None or now < due:
            return None
        explanation = f"Deepgram's concurrency limit was met for {GIVE_UP_S:.0f} s; have the project's raised"
        return self._fail("deepgram_throttled", explanation)

    def opened(self, now: float) -> None:
        """The handshake succeeded; audio may be sent."""
        self.state = State.OPEN
        self._last_sent_at = self._last_heard_at = now
        self._unanswered = 0
        self._metadata = self._answered = False

    def refused(self, status: int | None, reason: str, now: float, jitter: float) -> Failure | Lost:
        """The handshake failed: with an HTTP status and Deepgram's reason, or without an answer."""
        final = status is not None and 300 <= status < 500 and status not in (_TOO_MANY, _REQUEST_TIMEOUT)
        if final:
            advice = _REFUSALS.get(status or 0, "Deepgram refused the connection")
            return self._fail("deepgram_rejected", f"{advice} ({status}: {reason})")
        return self._lost(now, jitter, reason or "no answer")

    def sent(self, samples: int, now: float) -> None:
        """Audio was handed to the connection."""
        self._last_sent_at = now
        if not self._unanswered:
            self._last_heard_at = now  # the wait for an answer begins with the audio
        self._unanswered += samples

    def heard(self, now: float) -> None:
        """Any message came."""
        self._last_heard_at = now
        self._unanswered = 0
        self._answered = self.state is State.CLOSING

    def transcribed(self) -> None:
        """Something new is final: trouble is over. No other message shows that; an error is one, too."""
        self._attempt = 0
        self._troubled_since = None

    def metadata(self, now: float) -> bool:
        """Metadata came; True when it ends the session's audio, False when Deepgram ended on its own."""
        if self.state is not State.CLOSING:
            return False
        self._metadata = True
        self._close_by = now + LINGER_S
        return True

    def tick(self, now: float) -> str | None:
        """A text to send now; see `stalled` for the rest of what a deadline may mean."""
        if self.state is State.OPEN and now >= self._last_sent_at + KEEP_ALIVE_S:
            self._last_sent_at = now
            return KEEP_ALIVE
        return None

    def stalled(self, now: float) -> bool:
        """Whether the connection is to be dropped (then call `closed`): no answer, or no end, in time."""
        due = self._stalled_at if self.state is State.OPEN else None
        if self.state is State.CLOSING:
            due = self._close_by
        return due is not None and now >= due

    def finish(self, now: float) -> str:
        """All audio was sent: the text that makes Deepgram flush; then wait for `closed`."""
        self.state = State.CLOSING
        self._close_by = now + FLUSH_S
        return CLOSE_STREAM

    def closed(self, code: int, reason: str, now: float, jitter: float) -> Ended:
        """The connection is gone, by Deepgram or because it stalled.

        One that is gone after CloseStream, but before Deepgram said goodbye or its time was over, was lost
        like any other: an outage at the end of a call is no end, whatever was still under way.
        """
        ended = code == _NORMAL or self._metadata or (self._answered and self.stalled(now))
        if self.state is State.CLOSING and ended:
            self.state = State.IDLE
            return Flushed(complete=self._metadata)
        if code == 1008:
            return self._fail("deepgram_rejected", f"Deepgram could not read the audio ({code}: {reason})")
        return self._lost(now, jitter, f"{code}: {reason}")

    def abandon(self) -> None:
        """The connection is dropped by us; another may be made at once."""
        self.state = State.IDLE

    @property
    def _admitted_by(self) -> float | None:
        """Until when a place is waited for."""
        if self.state is not State.CONNECTING or not self._throttled or self._troubled_since is None:
            return None
        return self._troubled_since + GIVE_UP_S

    @property
    def _stalled_at(self) -> float | None:
        return self._last_heard_at + STALL_S if self._unanswered >= STALL_SAMPLES else None

    def _fail(self, reason: str, explanation: str) -> Failure:
        self.state = State.IDLE
        return Failure(reason, explanation)

    def _lost(self, now: float, jitter: float, reason: str) -> Failure | Lost:
        if self._troubled_since is None:
            self._troubled_since = now
        troubled_s = now - self._troubled_since
        if troubled_s >= GIVE_UP_S:
            return self._fail(
                "deepgram_unavailable", f"Deepgram transcribed nothing for {troubled_s:.0f} s ({reason})"
            )
        delay_s = full_jitter(self._attempt, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, jitter=jitter)
        self._attempt += 1
        self.state = State.WAITING
        self._retry_at = now + delay_s
        return Lost(delay_s)

"""The log protocol: who may write, what a failed condition means, how a session is opened. Pure.

A session's state is its last record. A writer claims the session by appending `opened` at the next `n`; its
next append fails once another has done the same, and then it has lost the session for good.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.link import Refusal
from contracts.model import SessionId
from contracts.session import (
    AnnouncedRecord,
    Ended,
    LogRecord,
    OpenCause,
    Opened,
    Outcome,
    SessionState,
)
from services.transcribe.deepgram_session import Failure

FRESH_MS = 2_500
"""A record of a writer that lives may be this young; a writer is known to be dead after as long.

One that was written in the future by as much, as the clock of its writer's host is ahead, is not fresh.
"""
SERVED_MS = 15 * 60_000
"""A second request for a session is refused while its log is younger: for so long a session may live without
a record, through an outage of Deepgram. If its writer is dead, the first request brings the next one."""
BUSY_RETRY_S = 2
MAX_IDLE_CLAIMS = 20
"""Claims in a row without progress after which the session is failed: it kills whoever serves it."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: a process, and the request under which it claimed; text in the log."""

    process: str
    message_id: str

    def __str__(self) -> str:
        return f"{self.process}#{self.message_id}"

    @staticmethod
    def of(state: SessionState) -> "Writer | None":
        """The writer that a record names; None: released."""
        if state.writer is None:
            return None
        process, _, message_id = state.writer.rpartition("#")
        return Writer(process, message_id)


@dataclass(frozen=True, slots=True)
class Serve:
    """Append `opened`; when that succeeds the session is ours."""

    opened: Opened


@dataclass(frozen=True, slots=True)
class Refuse:
    """Do not serve; tell ingest so."""

    refusal: Refusal
    explanation: str
    retry_after_s: int = 0


OVER = Refuse(Refusal.ENDED, "the session is over")


@dataclass(frozen=True, slots=True)
class Conclude:
    """The session is over, but not announced wholly: do that, then refuse.

    `ended`, when it is there, is to be appended first.
    """

    refuse: Refuse
    ended: Ended | None = None


type Decision = Serve | Refuse | Conclude


def decide_claim(session_id: SessionId, tail: Sequence[LogRecord], writer: Writer, now_ms: int) -> Decision:
    """What to do with a request for a session.

    Args:
        session_id: The session.
        tail: Its newest records, ascending, read consistently; empty: a new session.
        writer: Who would serve it.
        now_ms: Epoch ms.
    """
    if not tail:
        return Serve(_opened(session_id, None, writer, now_ms))
    last = tail[-1]
    if any(isinstance(record, Ended) for record in tail[-2:]):
        return OVER if isinstance(last, AnnouncedRecord) else Conclude(OVER)
    owner = Writer.of(last.state)
    age_ms = now_ms - last.written_at_ms
    if owner is not None and owner.message_id != writer.message_id and age_ms < SERVED_MS:
        return Refuse(Refusal.ALREADY_SERVED, "the session is served under another request")
    if owner is not None and owner.process != writer.process and abs(age_ms) < FRESH_MS:
        return Refuse(Refusal.BUSY, "another process serves the session", BUSY_RETRY_S)
    if last.state.idle_claims >= MAX_IDLE_CLAIMS:
        explanation = (
            f"{last.state.idle_claims} attempts to serve the session made no progress; see transcribe's log"
        )
        ended = failed(session_id, last, writer, Failure("no_progress", explanation), now_ms)
        return Conclude(Refuse(Refusal.FAILED, explanation), ended)
    return Serve(_opened(session_id, last, writer, now_ms))


def failed(
    session_id: SessionId, last: LogRecord | None, writer: Writer, failure: Failure, now_ms: int
) -> Ended:
    """The record that ends a session which cannot be served at all."""
    state = last.state if last else _first_state(writer)
    return Ended(
        session_id=session_id,
        n=last.n + 1 if last else 1,
        written_at_ms=now_ms,
        state=state.model_copy(update={"writer": str(writer)}),
        outcome=Outcome.FAILED,
        reason=failure.reason,
        explanation=failure.explanation,
        end_samples=max(state.covered_samples),
    )


def is_own(record: LogRecord, found: LogRecord | None) -> bool:
    """Whether the record that stands at our `n` is our own write, whose answer was lost.

    A writer's name and the time make a record unmistakable.
    """
    return found == record


def _opened(session_id: SessionId, last: LogRecord | None, writer: Writer, now_ms: int) -> Opened:
    state, cause = _first_state(writer), OpenCause.REQUESTED
    if last is not None:
        released = last.state.writer is None
        cause = OpenCause.HANDED_OVER if released else OpenCause.TAKEN_OVER
        state = last.state.model_copy(
            update={
                "writer": str(writer),
                "epoch": last.state.epoch + 1,
                "offsets": (),
                "idle_claims": last.state.idle_claims + 1,
            }
        )
    return Opened(
        session_id=session_id,
        n=last.n + 1 if last else 1,
        written_at_ms=now_ms,
        state=state,
        cause=cause,
        request_message_id=writer.message_id,
    )


def _first_state(writer: Writer) -> SessionState:
    return SessionState(writer=str(writer), epoch=1, t0_ms=None, covered_samples=(0, 0), idle_claims=1)

"""The claim of a session: read its tail, decide, append; what the store refuses is logged and counted."""

import asyncio
from dataclasses import dataclass
from time import time

from contracts.events import SessionRequested
from contracts.link import Open, Refusal
from contracts.metrics import APPENDS_FAILED
from contracts.session import LogRecord, SessionHeader
from services.transcribe.deepgram_session import Failure
from services.transcribe.inputs import Appended, AppendFailed
from services.transcribe.ports import SessionStore
from services.transcribe.session_log import (
    BUSY_RETRY_S,
    Conclude,
    Decision,
    Refuse,
    Writer,
    decide_claim,
    failed,
    is_own,
)
from telemetry.log import logger
from telemetry.metrics import Metrics

MAX_LOOKS = 3
"""Times that another claimant may come first before ingest is told to come back."""
MAX_APPENDS = 3
RETRY_S = 0.2
_BUSY = Refuse(Refusal.BUSY, "the session store did not take the claim", BUSY_RETRY_S)


@dataclass(frozen=True, slots=True)
class Claimed:
    """The session is ours; with `refuse` it is over and only to be announced."""

    header: SessionHeader
    tail: tuple[LogRecord, ...]
    refuse: Refuse | None = None


async def claim(store: SessionStore, frame: Open, process: str, metrics: Metrics) -> Claimed | Refuse:
    """Claims the session of `frame` for `process`.

    Raises:
        StoreUnavailable, UnreadableRecord: from the store.
    """
    writer = Writer(process, frame.message_id)
    for _ in range(MAX_LOOKS):
        header = await store.header(frame.request.session_id)
        tail = await store.tail(frame.request.session_id)
        decision = _decide(frame, header, tail, writer)
        if isinstance(decision, Refuse):
            return decision
        known = header or stand_in(frame.request)
        refuse = decision.refuse if isinstance(decision, Conclude) else None
        record = decision.ended if isinstance(decision, Conclude) else decision.opened
        if record is None:
            return Claimed(known, tail, refuse)
        match await append(store, record, metrics):
            case True:
                return Claimed(known, (*tail, record), refuse)
            case False:
                continue
            case AppendFailed():
                break
    return _BUSY


def _decide(
    frame: Open, header: SessionHeader | None, tail: tuple[LogRecord, ...], writer: Writer
) -> Decision:
    session_id, now_ms = frame.request.session_id, int(time() * 1000)
    decision = decide_claim(session_id, tail, writer, now_ms)
    if header is not None or isinstance(decision, Refuse | Conclude):
        return decision
    failure = Failure("no_header", "the session store has no header of the session; was the table emptied?")
    ended = failed(session_id, tail[-1] if tail else None, writer, failure, now_ms)
    return Conclude(Refuse(Refusal.FAILED, failure.explanation), ended)


async def append(store: SessionStore, record: LogRecord, metrics: Metrics) -> bool | AppendFailed:
    """True: durable; False: another was first; else why it is not known, or refused."""
    log = logger(session_id=record.session_id)
    failure = AppendFailed("")
    for attempt in range(MAX_APPENDS):
        await asyncio.sleep(RETRY_S * attempt)
        match await store.append(record):
            case Appended():
                return True
            case AppendFailed() as failure:
                metrics.count(APPENDS_FAILED)
                log.warning("transcribe.append_failed", reason=failure.reason)
                if failure.refusal is not None:
                    break
            case found:
                return is_own(record, found.record)
    return failure


def stand_in(request: SessionRequested) -> SessionHeader:
    """What the request itself tells, for the events of a session without a header."""
    return SessionHeader(
        session_id=request.session_id,
        contact_id=request.contact_id,
        requested_at_ms=int(request.occurred_at.timestamp() * 1000),
        media=request.media,
        deepgram_parameters=(),
        callback=None,
        context=request.context,
    )

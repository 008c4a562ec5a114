"""Looks after sessions that nobody holds: those that stand open, and those whose requests died."""

import asyncio
from collections.abc import Callable, Sequence
from random import uniform
from time import monotonic, time
from typing import Literal, Protocol

from contracts.events import Event
from contracts.metrics import RECORDS_UNREADABLE, SESSIONS_FAILED
from contracts.model import SessionId
from contracts.session import OPEN_SHARDS, CallContext, ContactSession, Ended, LogRecord, SessionHeader
from services.transcribe.adapters.claims import append
from services.transcribe.adapters.dead_requests import SqsDeadRequests
from services.transcribe.bus_events import BusEvents
from services.transcribe.deepgram_session import Failure
from services.transcribe.errors import StoreUnavailable
from services.transcribe.inputs import AppendFailed
from services.transcribe.ports import SessionStore
from services.transcribe.session_log import Writer
from services.transcribe.sweep import (
    ABANDONED,
    DEAD_REQUEST,
    SILENT_S,
    UNREADABLE,
    UNWRITABLE,
    Finish,
    Forget,
    InVain,
    Leave,
    Requests,
    Watch,
    judge,
)
from telemetry.log import logger
from telemetry.metrics import Metrics

SWEEP_EVERY_S = 60.0
"""On average; several processes find different moments."""
MAX_ROUNDS = 20
"""Batches of dead requests of one sweep."""
NEWEST = 2
"""Records that tell whether a session is over, and announced."""


class Announcers(Protocol):
    """The sessions of this process."""

    def serves(self, session_id: SessionId) -> bool:
        """Whether the session is in this process's hands."""
        ...

    def requests_wait(self) -> bool:
        """Whether requests may wait that the queue does not count, since this was asked last."""
        ...

    def announce(self, header: SessionHeader, tail: Sequence[LogRecord]) -> None:
        """Tells queue and bus what they were not told of a session that is over, if there is room."""
        ...

    async def tell(self, event: Event) -> bool:
        """Puts an event that is in no log on the bus, once; whether nothing is left to do about it."""
        ...


class Sweeper:
    """Run `run`, or `sweep` once. Any number of processes may sweep: the log lets one end a session."""

    def __init__(
        self,
        store: SessionStore,
        dead: SqsDeadRequests,
        sessions: Announcers,
        metrics: Metrics,
        *,
        process: str,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._dead = dead
        self._sessions = sessions
        self._metrics = metrics
        self._writer = Writer(process, "sweep")
        self._clock = clock
        self._requests = Requests()
        self._watch = Watch()
        self._in_vain = InVain()

    async def run(self) -> None:
        """Sweeps until it is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S * uniform(0.5, 1.5))  # noqa: S311 -- spreads the processes
            try:
                await self.sweep()
            except Exception as error:  # noqa: BLE001 -- logged; the calls of this process must not end for it
                logger().warning("transcribe.sweep_failed", exc_info=error)

    async def sweep(self) -> None:
        """Looks once at all dead requests, and at those open sessions of which a look can tell anything new.

        Raises:
            StoreUnavailable: from the store; the rest is for the next sweep. Owners could not write either:
                whether requests are gone is asked anew.
        """
        try:
            await self._sweep(self._clock())
        except StoreUnavailable:
            self._requests.seen(None, self._clock())
            raise

    async def _sweep(self, now_s: float) -> None:
        self._requests.seen(None if self._sessions.requests_wait() else await self._dead.waiting(), now_s)
        await self._bury(now_s)
        cause = ABANDONED if self._requests.gone(now_s) else None
        for shard in range(OPEN_SHARDS):
            for entry in await self._store.listed(shard, _epoch_ms() - int(SILENT_S * 1000)):
                if self._watch.due(entry.session_id, self._clock()):
                    await self._look_at(entry, cause)

    async def _bury(self, now_s: float) -> None:
        for _ in range(MAX_ROUNDS):
            batch = await self._dead.receive()
            if batch is None:
                return
            for each in batch:
                header = each.header
                entry = ContactSession(
                    session_id=header.session_id,
                    contact_id=header.contact_id,
                    requested_at_ms=header.requested_at_ms,
                )
                looked = await self._look_at(entry, DEAD_REQUEST, header)
                if isinstance(looked, Failure):
                    looked = await self._tell(entry, looked, now_s)
                else:
                    self._in_vain.over(entry.session_id)
                if looked:
                    await self._dead.delete(each)

    async def _look_at(
        self, entry: ContactSession, cause: Failure | None, instead: SessionHeader | None = None
    ) -> bool | Failure:
        """Whether the session is over, and announced; or why its log can do nothing about it.

        `instead`: a header for want of one.
        """
        if self._sessions.serves(entry.session_id):
            return False
        try:
            return await self._judge(entry, cause, instead)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 -- of a later release, which sweeps, too; or odd: the others go on
            self._metrics.count(RECORDS_UNREADABLE)
            logger(session_id=entry.session_id, contact_id=entry.contact_id).warning(
                "transcribe.record_unreadable", exc_info=error
            )
            return UNREADABLE

    async def _judge(
        self, entry: ContactSession, cause: Failure | None, instead: SessionHeader | None
    ) -> bool | Failure:
        session_id = entry.session_id
        newest = await self._store.tail(session_id, NEWEST)
        silent = self._watch.silent(session_id, newest[-1].n if newest else 0, self._clock())
        verdict = judge(
            session_id,
            newest,
            self._writer,
            _epoch_ms(),
            silent=silent,
            requested_at_ms=entry.requested_at_ms,
            dead=cause,
        )
        match verdict:
            case Leave():
                return False
            case Forget():
                await self._store.unlist(session_id, entry.requested_at_ms)
                return True
            case Finish(ended=record):
                header = await self._store.header(session_id) or instead
                tail = await self._store.tail(session_id)
                if tail[-1:] != newest[-1:]:
                    return False  # somebody writes
                return await self._finish(entry, header, tail, record)

    async def _finish(
        self,
        entry: ContactSession,
        header: SessionHeader | None,
        tail: Sequence[LogRecord],
        ended: Ended | None,
    ) -> Literal[False] | Failure:
        """False: ended, and being announced, or not yet: the next sweep sees."""
        log = logger(session_id=entry.session_id, contact_id=entry.contact_id)
        if header is None:  # of which nothing is left but the entry
            log.error("transcribe.session_swept", reason="no_header")
            await self._store.unlist(entry.session_id, entry.requested_at_ms)
            return False
        if ended is not None:
            match await append(self._store, ended, self._metrics):
                case True:
                    self._metrics.count(SESSIONS_FAILED)
                    log.error("transcribe.session_swept", reason=ended.reason)
                case AppendFailed(refusal=refusal):
                    return UNWRITABLE if refusal else False
                case False:
                    return False  # somebody else was first
        self._sessions.announce(header, tail if ended is None else (*tail, ended))
        return False

    async def _tell(self, entry: ContactSession, failure: Failure, now_s: float) -> bool:
        """Says that the session failed though its log cannot; whether all was done about it."""
        if not self._in_vain.again(entry.session_id, now_s):
            return False
        events = BusEvents(entry.session_id, entry.contact_id, CallContext())
        event = events.unlogged_failure(failure.reason, failure.explanation, _epoch_ms())
        if not await self._sessions.tell(event):
            return False
        self._in_vain.over(entry.session_id)
        self._metrics.count(SESSIONS_FAILED)
        logger(session_id=entry.session_id, contact_id=entry.contact_id).error(
            "transcribe.session_swept", reason=failure.reason
        )
        await self._store.unlist(entry.session_id, entry.requested_at_ms)
        return True


def _epoch_ms() -> int:
    return int(time() * 1000)

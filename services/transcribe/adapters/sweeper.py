"""Looks after sessions that nobody holds: those that stand open, and those whose requests died."""

import asyncio
from collections.abc import Sequence
from random import uniform
from time import monotonic, time
from typing import Protocol

from contracts.metrics import SESSIONS_FAILED
from contracts.model import SessionId
from contracts.session import OPEN_SHARDS, ContactSession, Ended, LogRecord, SessionHeader
from services.transcribe.adapters.claims import append, stand_in
from services.transcribe.adapters.dead_requests import SqsDeadRequests
from services.transcribe.deepgram_session import Failure
from services.transcribe.errors import TranscribeError, UnreadableRecord
from services.transcribe.ports import SessionStore
from services.transcribe.session_log import Writer
from services.transcribe.sweep import (
    ABANDONED,
    DEAD_REQUEST,
    SILENT_MS,
    Finish,
    Forget,
    Leave,
    Requests,
    judge,
)
from telemetry.log import logger
from telemetry.metrics import Metrics

SWEEP_EVERY_S = 60.0
"""On average; several processes find different moments."""
MAX_ROUNDS = 20
"""Batches of dead requests of one sweep."""


class Announcers(Protocol):
    """The sessions of this process."""

    def serves(self, session_id: SessionId) -> bool:
        """Whether the session is in this process's hands."""
        ...

    def announce(self, header: SessionHeader, tail: Sequence[LogRecord]) -> None:
        """Tells queue and bus what they were not told of a session that is over."""
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
    ) -> None:
        self._store = store
        self._dead = dead
        self._sessions = sessions
        self._metrics = metrics
        self._writer = Writer(process, "sweep")
        self._requests = Requests()

    async def run(self) -> None:
        """Sweeps until it is cancelled."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_S * uniform(0.5, 1.5))  # noqa: S311 -- spreads the processes
            try:
                await self.sweep(monotonic())
            except TranscribeError as error:
                logger().warning("transcribe.sweep_failed", exc_info=error)

    async def sweep(self, now_s: float) -> None:
        """Looks once at all dead requests and open sessions.

        Raises:
            StoreUnavailable: the rest is for the next sweep. Owners could not write either: whether they are
                silent is asked anew.
        """
        try:
            await self._sweep(now_s)
        except TranscribeError:
            self._requests.seen(None, now_s)
            raise

    async def _sweep(self, now_s: float) -> None:
        self._requests.seen(await self._dead.waiting(), now_s)
        await self._bury()
        cause = ABANDONED if self._requests.gone(now_s) else None
        for shard in range(OPEN_SHARDS):
            for entry in await self._store.listed(shard, _epoch_ms() - SILENT_MS):
                await self._look_at(entry, cause)

    async def _bury(self) -> None:
        for _ in range(MAX_ROUNDS):
            batch = await self._dead.receive()
            if batch is None:
                return
            for each in batch:
                request = each.request
                requested_at_ms = int(request.occurred_at.timestamp() * 1000)
                entry = ContactSession(
                    session_id=request.session_id,
                    contact_id=request.contact_id,
                    requested_at_ms=requested_at_ms,
                )
                if await self._look_at(entry, DEAD_REQUEST, stand_in(request)):
                    await self._dead.delete(each)

    async def _look_at(
        self, entry: ContactSession, cause: Failure | None, instead: SessionHeader | None = None
    ) -> bool:
        """Whether the session is over, and announced; `instead`: a header for want of one."""
        if self._sessions.serves(entry.session_id):
            return False
        try:
            return await self._judge(entry, cause, instead)
        except UnreadableRecord as error:  # of a later release, which sweeps, too
            logger(session_id=entry.session_id, contact_id=entry.contact_id).error(
                "transcribe.record_unreadable", exc_info=error
            )
            return False

    async def _judge(
        self, entry: ContactSession, cause: Failure | None, instead: SessionHeader | None
    ) -> bool:
        session_id = entry.session_id
        tail = await self._store.tail(session_id)
        verdict = judge(
            session_id, tail, self._writer, _epoch_ms(), requested_at_ms=entry.requested_at_ms, dead=cause
        )
        match verdict:
            case Leave():
                return False
            case Forget():
                await self._store.unlist(session_id, entry.requested_at_ms)
                return True
            case Finish(ended=record):
                header = await self._store.header(session_id) or instead
                await self._finish(entry, header, tail, record)
                return False

    async def _finish(
        self,
        entry: ContactSession,
        header: SessionHeader | None,
        tail: Sequence[LogRecord],
        ended: Ended | None,
    ) -> None:
        log = logger(session_id=entry.session_id, contact_id=entry.contact_id)
        if header is None:  # of which nothing is left but the entry
            log.error("transcribe.session_swept", reason="no_header")
            await self._store.unlist(entry.session_id, entry.requested_at_ms)
            return
        if ended is not None:
            if not await append(self._store, ended):
                return  # somebody else was first, or nobody knows: the next sweep sees
            self._metrics.count(SESSIONS_FAILED)
            log.error("transcribe.session_swept", reason=ended.reason)
        self._sessions.announce(header, tail if ended is None else (*tail, ended))


def _epoch_ms() -> int:
    return int(time() * 1000)

"""Works through the lane of one session: learns where its messages go, posts them, moves its mark."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from contracts.metrics import DELIVERED, DELIVERY_ATTEMPTS_FAILED, DELIVERY_LAG
from contracts.model import SessionId
from contracts.session import DeliveryMark
from services.delivery.adapters.dead_letters import DeadLetters
from services.delivery.adapters.in_hand import InHand
from services.delivery.adapters.patience import Patience, Stopping
from services.delivery.adapters.session_store import SessionStore, StoredHeader
from services.delivery.adapters.transcript_queue import TranscriptQueue
from services.delivery.errors import StoreUnavailable
from services.delivery.outcome import Answered, Outcome
from services.delivery.retry import Delivered, GiveUp, RetryAfter
from services.delivery.session_lane import Abandon, Forget, Held, Post, SessionLane, Step, Wait
from services.delivery.webhook import SigningKey, WebhookRequest, prepare
from telemetry.log import logger
from telemetry.metrics import Metrics

MAX_REQUESTS = 256
"""Requests to callbacks under way at once."""
NOWHERE = (0, 0)


class Endpoints(Protocol):
    """Whatever makes the requests."""

    async def post(self, request: WebhookRequest) -> Outcome:
        """Makes a request once."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What delivery works with."""

    queue: TranscriptQueue
    store: SessionStore
    dead_letters: DeadLetters
    endpoints: Endpoints


@dataclass(slots=True)
class Session:
    """What is known of a session."""

    id: SessionId
    lane: SessionLane
    stored: StoredHeader | None = None
    receipts: set[str] = field(default_factory=set[str])
    """Of the messages in hand."""
    is_served: bool = False


class Courier:
    """Serves sessions, each in a task of its own."""

    def __init__(
        self,
        ports: Ports,
        in_hand: InHand,
        *,
        patience: Patience,
        keys: Sequence[SigningKey],
        metrics: Metrics,
    ) -> None:
        self._store = ports.store
        self._endpoints = ports.endpoints
        self._in_hand = in_hand
        self._dead_letters = ports.dead_letters
        self._patience = patience
        self._keys = keys
        self._metrics = metrics
        self._requests = asyncio.Semaphore(MAX_REQUESTS)

    async def serve(self, session: Session) -> None:
        """Returns when the lane is empty, or has been released because the process stops."""
        try:
            await self._learn(session)
            while (step := session.lane.next(_now_ms())) is not None:
                await self._take(session, step)
        except Stopping:
            while session.receipts:
                session.lane.clear()
                released, session.receipts = session.receipts, set()
                await self._in_hand.release(released)
        finally:
            session.is_served = False

    async def _learn(self, session: Session) -> None:
        """Reads the header once, and the mark whenever it matters.

        Another process may have moved it. The queue has locked the session to this one, and a mark is written
        before its message is deleted, so what is read now stays true until the lane is empty.
        """
        if session.stored is None:
            session.stored = await self._patience.insist(lambda: self._store.header(session.id))
        if session.lane.mark == NOWHERE or any(held.logged for held in session.lane.held):
            mark = await self._patience.insist(lambda: self._store.mark(session.id))
            if mark:
                session.lane.raise_mark((mark.n, mark.k))

    async def _take(self, session: Session, step: Step) -> None:
        match step:
            case Forget(held):
                self._finish(session, held)
            case Wait(until_ms):
                await self._patience.wait((until_ms - _now_ms()) / 1_000)
            case Abandon(held, reason, attempts):
                await self._give_up(session, held, reason, attempts, None)
            case Post(held, attempt):
                if self._patience.is_over:
                    raise Stopping
                await self._post(session, held, attempt)

    async def _post(self, session: Session, held: Held, attempt: int) -> None:
        if session.stored is None:
            return await self._take(session, session.lane.abandon("unknown_session"))
        callback = session.stored.header.callback
        if callback is None:
            return await self._take(session, session.lane.skip("no_callback"))
        body = await self._body(held)
        if body is None:
            return await self._take(session, session.lane.abandon("message_missing"))
        async with self._requests:
            request = prepare(held.message, body, callback, self._keys, int(time.time()))
            outcome = await self._endpoints.post(request)
        return await self._conclude(session, attempt, outcome)

    async def _body(self, held: Held) -> str | None:
        message = held.message
        if message.message is not None:
            return message.message
        return await self._patience.insist(lambda: self._store.message(message.session_id, message.n))

    async def _conclude(self, session: Session, attempt: int, outcome: Outcome) -> None:
        held, decision = session.lane.conclude(outcome, random.random(), _now_ms())  # noqa: S311 -- no secret
        status = outcome.status if isinstance(outcome, Answered) else None
        log = _log(held)
        match decision:
            case Delivered():
                self._metrics.count(DELIVERED)
                self._metrics.observe(DELIVERY_LAG, _now_ms() - held.message.received_at_ms)
                await self._move_mark(session, held)
                self._finish(session, held)
            case RetryAfter(delay_s):
                self._metrics.count(DELIVERY_ATTEMPTS_FAILED)
                cause = None if isinstance(outcome, Answered) else outcome.cause
                log.warning(
                    "delivery.attempt_failed", attempt=attempt, status=status, cause=cause, delay_s=delay_s
                )
            case GiveUp(reason) if held.logged:
                await self._give_up(session, held, reason, attempt, status)
            case GiveUp(reason):
                log.info("delivery.dropped", reason=reason, status=status, attempts=attempt)
                self._finish(session, held)

    async def _give_up(
        self, session: Session, held: Held, reason: str, attempts: int, last_status: int | None
    ) -> None:
        await self._dead_letters.keep(
            held.message,
            reason,
            attempts=attempts,
            last_status=last_status,
            now_ms=_now_ms(),
            patience=self._patience,
        )
        await self._move_mark(session, held)
        self._finish(session, held)

    async def _move_mark(self, session: Session, held: Held) -> None:
        """Of what is logged only. Should it fail, the message may be posted again, under the same id."""
        if not held.logged:
            return
        n, k = held.place
        expires_at = session.stored.expires_at if session.stored else None
        try:
            await self._store.put_mark(DeliveryMark(session_id=session.id, n=n, k=k), expires_at)
        except StoreUnavailable as error:
            _log(held).warning("delivery.mark_not_written", exc_info=error)

    def _finish(self, session: Session, held: Held) -> None:
        session.receipts.discard(held.receipt_handle)
        self._in_hand.finish(held.receipt_handle)


def _log(held: Held) -> FilteringBoundLogger:
    message = held.message
    return logger(
        session_id=message.session_id,
        contact_id=message.contact_id,
        n=message.n,
        k=message.k,
        kind=message.kind,
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

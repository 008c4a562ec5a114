"""What is done for one message of a session: posted, given up, taken off the queue; and parking."""

import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from contracts.delivery import ParkCause, ParkedSession, UndeliveredMessage
from contracts.metrics import (
    DELIVERED,
    DELIVERY_ATTEMPTS_FAILED,
    DELIVERY_HANDLING,
    DELIVERY_LAG,
    SESSIONS_PARKED,
)
from contracts.model import ContactId, SessionId
from contracts.queue import ReplayCause
from contracts.session import DeliveryMark
from services.delivery.adapters.dead_letters import DeadLetters
from services.delivery.adapters.gates import Gate, Gates
from services.delivery.adapters.in_hand import InHand
from services.delivery.adapters.outages import Outages
from services.delivery.adapters.patience import Patience, Stopping
from services.delivery.adapters.session_store import SessionStore, StoredHeader
from services.delivery.adapters.transcript_queue import TranscriptQueue
from services.delivery.breaker import cause_of
from services.delivery.destination import Destination
from services.delivery.outcome import Answered, NotSent, Outcome
from services.delivery.retry import Delivered, GiveUp, RetryAfter, is_trouble
from services.delivery.session_lane import Held, Park, SessionLane, Step
from services.delivery.webhook import Credentials, WebhookRequest, prepare
from telemetry.log import logger
from telemetry.metrics import Metrics

_LOG = logger()
NOWHERE = ""
"""Endpoint of a session without a callback."""


class Endpoints(Protocol):
    """Whatever makes the requests."""

    async def send(self, request: WebhookRequest, destination: Destination, *, logged: bool) -> Outcome:
        """Makes a request once."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What delivery works with."""

    queue: TranscriptQueue
    store: SessionStore
    outages: Outages
    gates: Gates
    dead_letters: DeadLetters
    endpoints: Endpoints
    credentials: Callable[[], Credentials]
    """The present ones."""


@dataclass(slots=True)
class Session:
    """What is known of a session."""

    id: SessionId
    contact_id: ContactId
    lane: SessionLane
    stored: StoredHeader | None = None
    destination: Destination | None = None
    """None: it has no callback, or its header was not read yet."""
    receipts: set[str] = field(default_factory=set[str])
    """Of the messages in hand."""
    hand: str = ""
    """Receipt of the message, or request for a replay, that is worked on: by it the session is ours."""
    is_served: bool = False
    has_lapsed: bool = False
    """Whether its lock was lost: another process may have had it since."""
    marked_n: int = 0
    """Record of the stored mark, as far as known."""

    @property
    def endpoint(self) -> str:
        """The callback's."""
        return self.destination.endpoint if self.destination else NOWHERE

    @property
    def expires_at(self) -> str | None:
        """When the store forgets the session."""
        return self.stored.expires_at if self.stored else None


class Poster:
    """Does it, for all sessions."""

    def __init__(self, ports: Ports, in_hand: InHand, patience: Patience, metrics: Metrics) -> None:
        self._ports = ports
        self._in_hand = in_hand
        self._patience = patience
        self._metrics = metrics

    def next(self, session: Session, lane: SessionLane, *, is_probe: bool = False) -> Step | None:
        """The lane's next step, as things are at the endpoint; a probe goes there however they are."""
        if is_probe or not session.endpoint:
            return lane.next(_now_ms())
        breaker = self._ports.gates.of(session.endpoint).breaker
        return lane.next(_now_ms(), is_open=breaker.is_open, paused_until_ms=breaker.paused_until_ms)

    async def post(
        self, session: Session, lane: SessionLane, held: Held, attempt: int, *, is_probe: bool = False
    ) -> None:
        """Makes one attempt with the lane's first message, unless its endpoint takes none now.

        Raises:
            Lapsed: the lock was lost meanwhile; no request was made.
        """
        destination = session.destination
        if destination is None:
            return self.finish(session, lane.skip("no_callback").held)
        body = await self._body(held)
        if body is None:
            lane.skip("message_missing")
            return await self._without_request(session, held, "message_missing")
        gate = self._ports.gates.of(destination.endpoint)
        if destination.fault:
            return await self._conclude(session, lane, attempt, NotSent(destination.fault))
        if not await gate.enter(is_probe=is_probe):
            if self._patience.is_over:
                raise Stopping
            return None
        outcome, has_failed = await self._send(session, held, body, destination)
        await self._conclude(session, lane, attempt, outcome)
        return await self._judge(session, gate, outcome, has_failed=has_failed)

    async def redeliver(self, session: Session, lane: SessionLane, held: Held) -> bool:
        """Makes one attempt with a message that was given up, even if its endpoint is disabled.

        Returns whether it was taken; if not, nothing changes.
        """
        destination, body = session.destination, await self._body(held)
        if destination is None or destination.fault or body is None:
            return False
        gate = self._ports.gates.of(destination.endpoint)
        await gate.enter(is_probe=True)
        outcome, has_failed = await self._send(session, held, body, destination)
        await self._judge(session, gate, outcome, has_failed=has_failed)
        _, decision = lane.conclude(outcome, 0.0, _now_ms())
        return isinstance(decision, Delivered)

    async def _judge(self, session: Session, gate: Gate, outcome: Outcome, *, has_failed: bool) -> None:
        """Tells all processes what the outcome says of the endpoint."""
        if has_failed:
            await self._ports.outages.disable(
                session.endpoint, cause_of(outcome), session.id, session.contact_id, self._patience
            )
        elif gate.breaker.is_open and not is_trouble(outcome) and not isinstance(outcome, NotSent):
            await self._ports.outages.enable(session.endpoint, session.id, session.contact_id, self._patience)

    def must_hold(self, session: Session) -> None:
        """Does nothing while no other process can have the session.

        Raises:
            Lapsed: another may have it.
        """
        self._in_hand.must_hold(session.hand)

    async def while_held[T](self, session: Session, write: Callable[[], Awaitable[T]]) -> T:
        """What `write` returns, once it succeeds.

        Raises:
            Lapsed: another may have the session; nothing more is written of it.
            Stopping: before it did.
        """

        async def write_ours() -> T:
            self.must_hold(session)
            return await write()

        return await self._patience.insist(write_ours)

    async def _send(
        self, session: Session, held: Held, body: str, destination: Destination
    ) -> tuple[Outcome, bool]:
        """The outcome, and whether the endpoint is to be disabled; gives the place at the gate back."""
        gate = self._ports.gates.of(destination.endpoint)
        outcome: Outcome = NotSent("interrupted")
        try:
            self.must_hold(session)
            outcome = await self._request(held, body, destination)
        finally:
            has_failed = gate.leave(outcome)
        return outcome, has_failed

    async def _request(self, held: Held, body: str, destination: Destination) -> Outcome:
        request = prepare(held.message, body, destination, self._ports.credentials(), int(time.time()))
        if held.received_at_ms:
            elapsed_ms = _now_ms() - held.received_at_ms
            self._metrics.observe(DELIVERY_HANDLING, elapsed_ms)
            _LOG.debug("delivery.request", session_id=held.message.session_id, elapsed_ms=elapsed_ms)
        return await self._ports.endpoints.send(request, destination, logged=held.logged)

    async def _body(self, held: Held) -> str | None:
        message = held.message
        if message.message is not None:
            return message.message
        return await self._patience.insist(lambda: self._ports.store.message(message.session_id, message.n))

    async def _conclude(self, session: Session, lane: SessionLane, attempt: int, outcome: Outcome) -> None:
        held, decision = lane.conclude(outcome, random.random(), _now_ms())  # noqa: S311 -- no secret
        status = outcome.status if isinstance(outcome, Answered) else None
        match decision:
            case Delivered():
                self._metrics.count(DELIVERED)
                self._metrics.observe(DELIVERY_LAG, _now_ms() - held.message.received_at_ms)
                try:
                    await self._move_mark(session, held)
                finally:  # without the mark, too: what is not on the queue any more is not posted again
                    self.finish(session, held)
            case RetryAfter(delay_s):
                self._metrics.count(DELIVERY_ATTEMPTS_FAILED)
                cause = None if isinstance(outcome, Answered) else outcome.cause
                _log(held).warning(
                    "delivery.attempt_failed", attempt=attempt, status=status, cause=cause, delay_s=delay_s
                )
            case GiveUp(reason) if held.logged:
                await self.give_up(session, held, reason, attempt, status)
            case GiveUp(reason):
                _log(held).info("delivery.dropped", reason=reason, status=status, attempts=attempt)
                await self._move_mark(session, held)
                self.finish(session, held)

    async def _without_request(self, session: Session, held: Held, reason: str) -> None:
        if held.logged:
            await self.give_up(session, held, reason, 1, None)
        else:
            self.finish(session, held)

    async def give_up(
        self, session: Session, held: Held, reason: str, attempts: int, last_status: int | None
    ) -> None:
        """After this the message is in the store as undelivered and in the dead-letter queue, and told of.

        The mark is moved last: should this process die before, whoever takes the message next finds it in the
        store as given up, and does the rest.

        Raises:
            Lapsed: it was not given up by us.
        """
        now_ms = _now_ms()
        undelivered = UndeliveredMessage(
            session_id=session.id,
            contact_id=session.contact_id,
            endpoint=session.endpoint,
            n=held.message.n,
            reason=reason,
            attempts=attempts,
            last_status=last_status,
            given_up_at_ms=now_ms,
        )
        await self.while_held(session, lambda: self._ports.store.give_up(undelivered, session.expires_at))
        await self._ports.dead_letters.keep(
            held.message,
            reason,
            attempts=attempts,
            last_status=last_status,
            now_ms=now_ms,
            patience=self._patience,
        )
        await self._move_mark(session, held)
        self.finish(session, held)

    async def park(self, session: Session, lane: SessionLane, step: Park) -> None:
        """After this the session is parked for all processes; what is in hand is left to the log.

        One that is only behind is to be replayed at once.

        Raises:
            Lapsed: it is not.
        """
        now_ms = _now_ms()
        parked = ParkedSession(
            session_id=session.id,
            contact_id=session.contact_id,
            endpoint=session.endpoint,
            cause=step.cause,
            parked_at_ms=now_ms,
            wake_at_ms=step.wake_at_ms,
            failing_since_ms=lane.failing_since_ms or now_ms,
            attempts=lane.attempts,
            last_status=lane.last_status,
        )
        await self.while_held(session, lambda: self._ports.store.park(parked, session.expires_at))
        session.lane.park(is_parked=True)
        self._metrics.count(SESSIONS_PARKED)
        logger(session_id=session.id, contact_id=session.contact_id).info(
            "delivery.session_parked", cause=step.cause.value, attempts=lane.attempts
        )
        if step.cause is ParkCause.BEHIND:
            await self._patience.insist(lambda: self._ports.outages.wake(parked, ReplayCause.DUE))

    async def _move_mark(self, session: Session, held: Held) -> None:
        """After this the stored mark is at the message if it is logged, and at its record if it is not.

        So nobody posts a logged message again, and nobody posts what a writer that was taken over, and does
        not know it yet, says after its successor: that belongs to an earlier record.

        Raises:
            Lapsed, Stopping: perhaps not; whoever has the session next may post it again, under the same id.
        """
        n, k = held.place
        if not held.logged and n <= session.marked_n:
            return
        mark = DeliveryMark(session_id=session.id, n=n, k=k)
        await self.while_held(session, lambda: self._ports.store.put_mark(mark, session.expires_at))
        session.marked_n = n

    def finish(self, session: Session, held: Held) -> None:
        """The message will be deleted from the queue, if it came from there."""
        self.finish_receipt(session, held.receipt_handle)

    def finish_receipt(self, session: Session, receipt: str | None) -> None:
        """As `finish`."""
        if receipt is not None:
            session.receipts.discard(receipt)
            self._in_hand.finish(receipt)


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

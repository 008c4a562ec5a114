"""Delivery's loops: receive, give each session its lane and a task, release what is left at the end."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress

from pydantic import ValidationError

from contracts.model import ContactId, Contract, SessionId
from contracts.queue import ReplayRequest, TranscriptMessage
from services.delivery.adapters.courier import Courier
from services.delivery.adapters.in_hand import MAX_HELD, InHand
from services.delivery.adapters.patience import Patience, Stopping
from services.delivery.adapters.poster import Ports, Session
from services.delivery.adapters.transcript_queue import QueuedMessage
from services.delivery.destination import Ports as AllowedPorts
from services.delivery.errors import QueueUnavailable
from services.delivery.retry import Schedules
from services.delivery.session_lane import Held, HeldReplay, SessionLane
from telemetry.health import Health, why
from telemetry.log import logger
from telemetry.metrics import Metrics

RECEIVERS = 2
"""Long polls under way: while the messages of one are taken, the other waits for more."""
MAX_SESSIONS = 10_000
"""Sessions that are remembered; those that were idle longest are forgotten first."""
LOOK_FOR_ROOM_S = 0.2
FLUSH_EVERY_S = 5.0


class _Any(Contract):
    """Of whatever version."""

    version: int


class Delivery:
    """Delivers transcripts until it is told to stop."""

    def __init__(
        self,
        ports: Ports,
        *,
        patience: Patience,
        schedules: Schedules,
        allowed_ports: AllowedPorts,
        metrics: Metrics,
        health: Health,
        upkeep: Sequence[Callable[[], Coroutine[None, None, None]]] = (),
    ) -> None:
        self._queue = ports.queue
        self._gates = ports.gates
        self._outages = ports.outages
        self._upkeep = (ports.outages.run, *upkeep)
        self._schedules = schedules
        self._metrics = metrics
        self._health = health
        self._patience = patience
        self._in_hand = InHand(ports.queue)
        self._dead_letters = ports.dead_letters
        self._courier = Courier(
            ports,
            self._in_hand,
            patience=patience,
            schedules=schedules,
            allowed_ports=allowed_ports,
            metrics=metrics,
        )
        self._sessions: OrderedDict[SessionId, Session] = OrderedDict()

    def stop(self) -> None:
        """Makes `run` return once requests under way are answered and all else is released."""
        self._patience.end()
        self._gates.close()

    async def run(self) -> None:
        """Delivers until `stop`."""
        self._health.ready_unless(self._no_room)
        async with asyncio.TaskGroup() as upkeep:
            keeping = [upkeep.create_task(run()) for run in (self._in_hand.run, self._report, *self._upkeep)]
            with suppress(Stopping):  # no message is taken before it is known who is disabled
                await self._patience.insist(self._outages.look)
            async with asyncio.TaskGroup() as lanes:
                for _ in range(RECEIVERS):
                    lanes.create_task(self._receive(lanes))
            await self._in_hand.drain()
            for task in keeping:
                task.cancel()
        self._metrics.flush(_now_ms())

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_EVERY_S)
            self._metrics.flush(_now_ms())

    def _no_room(self) -> str | None:
        """Why no message is received now."""
        if self._patience.is_over:
            return "draining"
        return None if self._in_hand.has_room else f"full: {MAX_HELD} messages in hand"

    async def _received(self) -> list[QueuedMessage]:
        self._health.goes_round("receiving messages")
        try:
            messages = await self._queue.receive()
        except QueueUnavailable as error:
            self._health.failing("queue", why(error))
            raise
        self._health.works("queue")
        return messages

    async def _receive(self, lanes: asyncio.TaskGroup) -> None:
        with suppress(Stopping):
            while not self._patience.is_over:
                while not self._in_hand.has_room:
                    self._health.goes_round("receiving messages")
                    await self._patience.wait(LOOK_FOR_ROOM_S)
                asked_at_s = time.monotonic()
                messages = await self._patience.insist(self._received)
                for message in messages:
                    self._in_hand.hold(message.receipt_handle, asked_at_s)
                await self._take_all(messages, lanes)
        self._health.over("receiving messages")

    async def _take_all(self, messages: Sequence[QueuedMessage], lanes: asyncio.TaskGroup) -> None:
        """What a later release wrote is left to it, and so is what follows in its group."""
        left: dict[str, list[str]] = {}
        for queued in messages:
            held = None if queued.group in left else _read(queued)
            if held is not None:
                self._take(queued, held, lanes)
            elif queued.group in left or _is_later(queued.body):
                left.setdefault(queued.group, []).append(queued.receipt_handle)
            else:
                lanes.create_task(self._bury(queued))
        for group, receipts in left.items():
            logger(session_id=SessionId(group)).error(
                "delivery.message_of_later_release", count=len(receipts)
            )
            await self._in_hand.release(receipts, for_later=True)

    def _take(self, queued: QueuedMessage, held: Held | HeldReplay, lanes: asyncio.TaskGroup) -> None:
        source = held.request if isinstance(held, HeldReplay) else held.message
        session = self._session(source.session_id, source.contact_id)
        session.receipts.add(queued.receipt_handle)
        replaced = session.lane.take(held)
        if replaced and (receipt := replaced.receipt_handle):
            session.has_lapsed = True  # it came again: another process may have had the session
            session.receipts.discard(receipt)
            if self._in_hand.holds(receipt):  # no: it was sent twice, and this one still locks the session
                lanes.create_task(self._in_hand.release([receipt]))
            self._in_hand.forget(receipt)
        if not session.is_served:
            session.is_served = True
            lanes.create_task(self._courier.serve(session))

    def _session(self, session_id: SessionId, contact_id: ContactId) -> Session:
        session = self._sessions.get(session_id)
        if session is None:
            session = Session(session_id, contact_id, SessionLane(self._schedules))
            self._sessions[session_id] = session
        self._sessions.move_to_end(session_id)
        while len(self._sessions) > MAX_SESSIONS and not next(iter(self._sessions.values())).is_served:
            self._sessions.popitem(last=False)
        return session

    async def _bury(self, queued: QueuedMessage) -> None:
        try:
            await self._dead_letters.keep_malformed(queued, self._patience)
        except Stopping:
            await self._in_hand.release([queued.receipt_handle])
        else:
            self._in_hand.finish(queued.receipt_handle)


def _read(queued: QueuedMessage) -> Held | HeldReplay | None:
    try:
        message = TranscriptMessage.model_validate_json(queued.body)
    except ValidationError:
        pass
    else:
        return Held(message, queued.receipt_handle, _now_ms(), queued.was_received_before)
    try:
        return HeldReplay(ReplayRequest.model_validate_json(queued.body), queued.receipt_handle)
    except ValidationError:
        return None


def _is_later(body: str) -> bool:
    try:
        return _Any.model_validate_json(body).version > 1
    except ValidationError:
        return False


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

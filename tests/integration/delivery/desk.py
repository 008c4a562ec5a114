"""A courier without a process around it: real queue, store, bus and gates; a test answers its requests."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from contracts.metrics import DEFAULT_STACK
from contracts.queue import ReplayRequest, TranscriptMessage
from services.delivery.adapters.courier import Courier
from services.delivery.adapters.dead_letters import DeadLetters
from services.delivery.adapters.event_bus import EventBus
from services.delivery.adapters.gates import Gate, Gates
from services.delivery.adapters.in_hand import InHand
from services.delivery.adapters.outage_store import OutageStore
from services.delivery.adapters.outages import Outages
from services.delivery.adapters.patience import Patience
from services.delivery.adapters.poster import Ports, Session
from services.delivery.adapters.session_store import SessionStore
from services.delivery.adapters.table import Table
from services.delivery.adapters.transcript_queue import QueuedMessage, TranscriptQueue
from services.delivery.breaker import BreakerPolicy
from services.delivery.destination import Destination
from services.delivery.outcome import Answered, Outcome
from services.delivery.retry import Schedules
from services.delivery.session_lane import Held, HeldReplay, SessionLane
from services.delivery.webhook import Credentials, WebhookRequest
from telemetry.health import Health
from telemetry.metrics import Metrics
from tests.integration.delivery.surroundings import WITHIN_S, Surroundings

URL = "https://hooks.example/calls"
ENDPOINT = "https://hooks.example:443"
ONCE = AioConfig(retries={"mode": "standard", "total_max_attempts": 1})
PORTS = (range(1, 65_536),)


@dataclass(slots=True)
class Callback:
    """Takes every request; answers as it was told, then 200."""

    answers: deque[Outcome] = field(default_factory=deque[Outcome])
    ids: list[str] = field(default_factory=list[str])
    """Of the requests, without the session."""

    async def send(self, request: WebhookRequest, destination: Destination, *, logged: bool) -> Outcome:
        del destination, logged
        session = request.headers["x-session-id"]
        self.ids.append(request.headers["webhook-id"].removeprefix(f"{session}-").replace("-", "."))
        return self.answers.popleft() if self.answers else Answered(200)


@dataclass(slots=True)
class Desk:
    """What is on it."""

    surroundings: Surroundings
    queue: TranscriptQueue
    in_hand: InHand
    gates: Gates
    store: SessionStore
    schedules: Schedules
    courier: Courier
    patience: Patience
    callback: Callback
    sessions: dict[str, Session] = field(default_factory=dict[str, Session])

    @property
    def gate(self) -> Gate:
        """Of the callback."""
        return self.gates.of(ENDPOINT)

    async def take(self, count: int) -> Session:
        """Takes so many messages of one session in hand, as the service does."""
        session: Session | None = None
        async with asyncio.timeout(WITHIN_S):
            while count > 0:
                asked_at_s = time.monotonic()
                for queued in await self.queue.receive():
                    count -= 1
                    self.in_hand.hold(queued.receipt_handle, asked_at_s)
                    held = _read(queued)
                    source = held.request if isinstance(held, HeldReplay) else held.message
                    session = self.sessions.setdefault(
                        source.session_id,
                        Session(source.session_id, source.contact_id, SessionLane(self.schedules)),
                    )
                    session.receipts.add(queued.receipt_handle)
                    session.lane.take(held)
        assert session
        return session

    async def serve(self, count: int = 1) -> Session:
        """Takes so many messages of one session and works through them; what is finished is deleted."""
        session = await self.take(count)
        async with asyncio.timeout(WITHIN_S):
            await self.courier.serve(session)
            await self.delete()
        return session

    async def delete(self) -> None:
        """Deletes what is finished."""
        deleting = asyncio.create_task(self.in_hand.run())
        await self.in_hand.drain()
        deleting.cancel()

    def holds(self, session: Session) -> bool:
        """Whether a message of it is still locked; nobody extends their visibility here."""
        return any(self.in_hand.holds(receipt) for receipt in session.receipts)


@asynccontextmanager
async def desk(
    surroundings: Surroundings,
    *,
    aws_url: str | None = None,
    visibility_s: int = 30,
    schedules: Schedules | None = None,
    answers: Sequence[Outcome] = (),
) -> AsyncGenerator[Desk]:
    """A courier's; one request at once. The environment leads to the emulated AWS.

    Args:
        surroundings: Its stack.
        aws_url: Of AWS; None: as the environment says.
        visibility_s: Of messages; nothing extends it.
        schedules: Of its retries.
        answers: Of the callback; then 200.
    """
    session, stack = get_session(), surroundings.stack
    async with (
        session.create_client("sqs", endpoint_url=aws_url, config=ONCE) as sqs,
        session.create_client("dynamodb", endpoint_url=aws_url, config=ONCE) as dynamodb,
        session.create_client("events", endpoint_url=aws_url, config=ONCE) as events,
        asyncio.TaskGroup() as upkeep,
    ):
        queue = TranscriptQueue(sqs, stack.transcripts_url, stack.transcripts_dlq_url, visibility_s)
        table, bus = Table(dynamodb, stack.table_name), EventBus(events, stack.bus_name)
        metrics = Metrics("delivery", stack=DEFAULT_STACK)
        policy = BreakerPolicy(first_limit=1, max_limit=1)
        gates, patience, callback = Gates(policy), Patience(), Callback(deque(answers))
        in_hand, schedules = InHand(queue), schedules or Schedules()
        outages = Outages(
            OutageStore(table), gates, queue, bus, policy=policy, metrics=metrics, health=Health()
        )
        ports = Ports(
            queue=queue,
            store=SessionStore(table),
            outages=outages,
            gates=gates,
            dead_letters=DeadLetters(queue, bus, metrics),
            endpoints=callback,
            credentials=lambda: Credentials((), None),
        )
        courier = Courier(
            ports,
            in_hand,
            patience=patience,
            schedules=schedules,
            allowed_ports=PORTS,
            metrics=metrics,
        )
        keeping = upkeep.create_task(table.run())
        yield Desk(surroundings, queue, in_hand, gates, ports.store, schedules, courier, patience, callback)
        keeping.cancel()


def _read(queued: QueuedMessage) -> Held | HeldReplay:
    if '"type":"replay"' in queued.body:
        return HeldReplay(ReplayRequest.model_validate_json(queued.body), queued.receipt_handle)
    message = TranscriptMessage.model_validate_json(queued.body)
    return Held(message, queued.receipt_handle, was_received_before=queued.was_received_before)

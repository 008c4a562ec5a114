"""What of transcribe takes part in a sweep, on the emulated AWS."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiobotocore.session import get_session
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from contracts.events import SessionFailed
from contracts.metrics import Metric
from contracts.session import (
    ContactSession,
    OpenCause,
    Opened,
    SessionState,
    StoreKey,
    open_session_key,
    record_key,
)
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.transcribe.adapters.batches import Batches
from services.transcribe.adapters.dead_requests import SqsDeadRequests
from services.transcribe.adapters.doors import Door
from services.transcribe.adapters.event_bus import EventBridgeBus
from services.transcribe.adapters.intents import Intents
from services.transcribe.adapters.link import Link
from services.transcribe.adapters.live_session import Outside
from services.transcribe.adapters.request_lease import SqsRequestLease
from services.transcribe.adapters.session_store import DynamoSessionStore
from services.transcribe.adapters.sessions import Sessions
from services.transcribe.adapters.sweeper import Sweeper
from services.transcribe.adapters.transcript_queue import SqsTranscriptQueue
from services.transcribe.sweep import SILENT_S
from telemetry.metrics import Metrics
from tests.integration.transcribe.outcome import events_of, put_header


def now_ms() -> int:
    return int(time.time() * 1000)


def put(aws: AwsEndpoint, stack: Resources, key: StoreKey, body: str) -> None:
    item = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "body": {"S": body}}
    aws.dynamodb().put_item(TableName=stack.table_name, Item=item)


def opened_long_ago(aws: AwsEndpoint, stack: Resources, name: str, *, ago_ms: int = 0) -> Opened:
    """A session with a header, an old entry among the open ones, and an owner of whom nothing more is heard.

    `ago_ms`: what the clock of its owner's host was behind ours when it wrote.
    """
    header = put_header(aws, stack, name)
    entry = ContactSession(
        contact_id=header.contact_id, session_id=header.session_id, requested_at_ms=header.requested_at_ms
    )
    put(aws, stack, open_session_key(entry.session_id, entry.requested_at_ms), entry.model_dump_json())
    record = Opened(
        session_id=header.session_id,
        n=1,
        written_at_ms=now_ms() - ago_ms,
        state=SessionState(writer="dead#m", epoch=1, t0_ms=1, covered_samples=(8_000, 16_000)),
        cause=OpenCause.REQUESTED,
        request_message_id="m",
    )
    put(aws, stack, record_key(header.session_id, 1), record.model_dump_json())
    return record


@dataclass(frozen=True)
class Process:
    """What of transcribe takes part in a sweep, and an ingest that is linked to it."""

    store: DynamoSessionStore
    sessions: Sessions
    sweeper: Sweeper
    metrics: Metrics
    lines: list[str]
    link: Link
    clock: list[float]

    def counted(self, metric: Metric) -> bool:
        self.metrics.flush(0)
        return any(f'"{metric.name}":' in line for line in self.lines)

    async def sweep_at(self, now_s: float) -> None:
        self.clock[0] = now_s
        await self.sweeper.sweep()

    async def sweep(self) -> None:
        """Twice: as a process that has looked for long enough."""
        await self.sweep_at(0.0)
        await self.sweep_at(SILENT_S)


@asynccontextmanager
async def linked(sessions: Sessions) -> AsyncGenerator[Link]:
    """A link to an ingest; no heartbeat ends it, however slow the machine is."""
    met: asyncio.Future[Link] = asyncio.get_running_loop().create_future()

    async def attend(connection: ServerConnection) -> None:
        link = Link(connection, "test", 1)
        sessions.greet(link)
        met.set_result(link)
        await connection.wait_closed()

    async with serve(attend, "127.0.0.1", 0, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", ping_interval=None, proxy=None):
            yield await met


@asynccontextmanager
async def process(stack: Resources, name: str, max_sessions: int = 9) -> AsyncGenerator[Process]:
    aws = get_session()
    async with (
        aws.create_client("dynamodb") as dynamodb,
        aws.create_client("sqs") as sqs,
        aws.create_client("events") as events,
        asyncio.TaskGroup() as tasks,
    ):
        store = DynamoSessionStore(dynamodb, stack.table_name, 30)
        lines: list[str] = []
        metrics = Metrics(name, lines.append, stack="test")
        queue = Batches("queue", SqsTranscriptQueue(sqs, stack.transcripts_url).send)
        bus = Batches("bus", EventBridgeBus(events, stack.bus_name).put)
        outside = Outside(
            store=store,
            queue=queue,
            bus=bus,
            lease=SqsRequestLease(sqs, stack.session_requests_url),
            door=Door(metrics),
            metrics=metrics,
            deepgram_api="ws://127.0.0.1:9/",
            deepgram_api_key="k",
        )
        intents = Intents(store)
        lasting = [tasks.create_task(life) for life in (queue.run(), bus.run(), intents.run())]
        sessions = Sessions(
            outside, intents, tasks, process=name, max_sessions=max_sessions, bus_interims=False
        )
        dead = SqsDeadRequests(sqs, stack.session_requests_url, stack.session_requests_dlq_url, held_s=1)
        clock = [0.0]
        sweeper = Sweeper(store, dead, sessions, metrics, process=name, clock=lambda: clock[0])
        async with linked(sessions) as link:
            yield Process(store, sessions, sweeper, metrics, lines, link, clock)
        for task in lasting:
            task.cancel()


def failures(aws: AwsEndpoint, stack: Resources) -> list[tuple[str, str]]:
    return [
        (detail["session_id"], detail["reason"])
        for kind, detail in events_of(aws, stack)
        if kind == SessionFailed.detail_type
    ]

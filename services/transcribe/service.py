"""Wires the adapters together and runs the process until SIGTERM."""

import asyncio
import secrets
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import time

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from aws.answers import careful
from aws.direct import connections
from aws.link_secrets import LinkSecrets, link_secrets
from services.transcribe.adapters.aws_calls import ANSWER_S, direct
from services.transcribe.adapters.batches import Batches
from services.transcribe.adapters.dead_requests import SqsDeadRequests
from services.transcribe.adapters.doors import Door
from services.transcribe.adapters.event_bus import EventBridgeBus
from services.transcribe.adapters.intents import Intents
from services.transcribe.adapters.link import LinkServer
from services.transcribe.adapters.live_session import Outside
from services.transcribe.adapters.request_lease import SqsRequestLease
from services.transcribe.adapters.session_store import DynamoSessionStore
from services.transcribe.adapters.sessions import Sessions
from services.transcribe.adapters.sweeper import Sweeper
from services.transcribe.adapters.transcript_queue import SqsTranscriptQueue
from services.transcribe.errors import StoreUnavailable
from services.transcribe.ports import Answer, BusEntry, QueueEntry, SessionStore
from services.transcribe.settings import Settings
from telemetry.health import Health, meaning, why
from telemetry.health.server import listening
from telemetry.log import logger
from telemetry.metrics import Metrics

SERVICE = "transcribe"
FLUSH_S = 10.0
PROBE_S = 5.0
"""Between two looks at whether the table can be read and written."""
_AWS = AioConfig(
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=64,
    retries={"mode": "standard", "total_max_attempts": 2},
)
"""Short: a session retries by itself, and in between its order waits."""


async def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then hands the sessions over."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serving(settings) as port:
        logger().info("transcribe.ready", port=port)
        await stop.wait()
        logger().info("transcribe.draining")
    logger().info("transcribe.stopped")


@asynccontextmanager
async def serving(settings: Settings) -> AsyncGenerator[int]:
    """Serves while the context lasts; yields the link's port, and hands the sessions over at the end."""
    metrics = Metrics(SERVICE, stack=settings.stack)
    health = Health()
    process = f"{socket.gethostname()}-{secrets.token_hex(4)}"
    aws = get_session()
    async with (
        listening(health, settings.health_host, settings.health_port),
        _link_secrets(settings, metrics, health) as shared,
        aws.create_client("dynamodb", config=_AWS) as dynamodb,
        aws.create_client("sqs", config=_AWS) as sqs,
        aws.create_client("events", config=_AWS) as events,
        connections(aws, ANSWER_S) as http,
    ):
        send = SqsTranscriptQueue(direct(aws, sqs, http), settings.transcripts_queue_url).send
        put = EventBridgeBus(direct(aws, events, http), settings.event_bus_name).put
        queue: Batches[QueueEntry] = Batches("queue", _watched(health, "queue", send))
        bus: Batches[BusEntry] = Batches("bus", _watched(health, "bus", put))
        store = DynamoSessionStore(
            direct(aws, dynamodb, http), settings.sessions_table, settings.retention_days
        )
        intents = Intents(store)
        outside = Outside(
            store=store,
            queue=queue,
            bus=bus,
            lease=SqsRequestLease(careful(sqs), settings.session_requests_queue_url),
            door=Door(metrics),
            metrics=metrics,
            deepgram_api=settings.deepgram_api,
            deepgram_api_key=settings.deepgram_api_key.get_secret_value(),
        )
        async with asyncio.TaskGroup() as tasks:
            lasting = [
                tasks.create_task(life)
                for life in (
                    queue.run(),
                    bus.run(),
                    intents.run(),
                    _flush_regularly(metrics),
                    _probe(store, health),
                )
            ]
            sessions = Sessions(
                outside,
                intents,
                tasks,
                process=process,
                max_sessions=settings.max_sessions,
                bus_interims=settings.bus_interims,
            )
            health.ready_unless(sessions.no_room)
            dead = SqsDeadRequests(
                careful(sqs), settings.session_requests_queue_url, settings.session_requests_dlq_url
            )
            sweeper = Sweeper(store, dead, sessions, metrics, process=process)
            lasting.append(tasks.create_task(sweeper.run()))
            link = LinkServer(sessions, shared, process)
            async with link.listening(settings.link_host, settings.link_port) as port:
                yield port
                await sessions.drain()
            for task in lasting:
                task.cancel()
        metrics.flush(_epoch_ms())


def _link_secrets(
    settings: Settings, metrics: Metrics, health: Health
) -> AbstractAsyncContextManager[LinkSecrets]:
    static = settings.link_secret.get_secret_value() if settings.link_secret else None
    every_s = settings.link_secret_refresh_s
    return link_secrets(static, settings.link_secret_id, every_s, metrics=metrics, health=health)


async def _flush_regularly(metrics: Metrics) -> None:
    while True:
        await asyncio.sleep(FLUSH_S)
        metrics.flush(_epoch_ms())


async def _probe(store: SessionStore, health: Health) -> None:
    while True:
        health.goes_round("looking at the table")
        try:
            await store.probe()
        except StoreUnavailable as error:
            health.failing("table", why(error))
        else:
            health.works("table")
        await asyncio.sleep(PROBE_S)


def _watched[T](
    health: Health, peer: str, send: Callable[[Sequence[T]], Awaitable[list[Answer]]]
) -> Callable[[Sequence[T]], Awaitable[list[Answer]]]:
    """`send`, of whose answers health learns whether `peer` works."""

    async def watched(entries: Sequence[T]) -> list[Answer]:
        answers = await send(entries)
        if any(answer.accepted for answer in answers):
            health.works(peer)
        elif answers and not (answers[0].rejected or answers[0].of_content):
            health.failing(peer, meaning(answers[0].code))
        return answers

    return watched


def _epoch_ms() -> int:
    return int(time() * 1000)

"""`python -m services.delivery`: delivers transcripts to callbacks until SIGTERM or SIGINT."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from pydantic import ValidationError

from aws.answers import careful
from aws.direct import connections
from services.delivery.adapters.aws_calls import ANSWER_S, direct
from services.delivery.adapters.dead_letters import DeadLetters
from services.delivery.adapters.egress import EgressPolicy
from services.delivery.adapters.endpoint import Endpoints
from services.delivery.adapters.event_bus import EventBus
from services.delivery.adapters.gates import Gates
from services.delivery.adapters.outage_store import OutageStore
from services.delivery.adapters.outages import Outages
from services.delivery.adapters.patience import Patience, Stopping
from services.delivery.adapters.poster import Ports
from services.delivery.adapters.secrets import StoredCredentials
from services.delivery.adapters.session_store import SessionStore
from services.delivery.adapters.table import Table
from services.delivery.adapters.transcript_queue import TranscriptQueue
from services.delivery.service import Delivery
from services.delivery.settings import Settings
from telemetry import log
from telemetry.health import Health
from telemetry.health.server import listening
from telemetry.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_events.client import EventBridgeClient
    from types_aiobotocore_secretsmanager.client import SecretsManagerClient
    from types_aiobotocore_sqs.client import SQSClient

SERVICE = "delivery"
STOP_WITHIN_S = 5.0
"""Beyond the requests that are under way: for long polls, and for what AWS is told at the end."""
AWS = AioConfig(
    connect_timeout=2,
    read_timeout=10,  # longer than a long poll
    max_pool_connections=64,
    parameter_validation=False,  # of every call; pyright has checked them
    user_agent="connect-transcription-delivery",  # botocore computes a longer one for every call
    retries={"mode": "standard", "total_max_attempts": 3},
)


@dataclass(frozen=True, slots=True)
class _Clients:
    sqs: "SQSClient"
    dynamodb: "DynamoDBClient"
    events: "EventBridgeClient"
    secrets: "SecretsManagerClient"


@asynccontextmanager
async def _clients() -> "AsyncGenerator[_Clients]":
    aws = get_session()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        http = await enter(connections(aws, ANSWER_S))
        yield _Clients(
            direct(aws, await enter(aws.create_client("sqs", config=AWS)), http),
            direct(aws, await enter(aws.create_client("dynamodb", config=AWS)), http),
            careful(await enter(aws.create_client("events", config=AWS))),
            careful(await enter(aws.create_client("secretsmanager", config=AWS))),
        )


async def deliver(settings: Settings) -> None:
    """Runs until a signal, and not much longer: what AWS is not told then, visibility ends by itself."""
    try:
        async with asyncio.timeout(None) as limit:

            def bound() -> None:
                if limit.when() is None:
                    within_s = settings.callback_timeout_s + STOP_WITHIN_S
                    limit.reschedule(asyncio.get_running_loop().time() + within_s)

            await _deliver(settings, bound)
    except TimeoutError:
        log.logger().warning("delivery.stop_cut_short")
    log.logger().info("delivery.stopped")


async def _deliver(settings: Settings, bound: Callable[[], None]) -> None:
    patience = Patience()
    _on_signal(bound, patience.end)
    health = Health()
    metrics = Metrics(SERVICE, stack=settings.stack)
    async with listening(health, settings.health_host, settings.health_port), _clients() as aws:
        try:
            credentials = await _credentials(settings, aws, patience, health, metrics)
        except Stopping:
            return
        async with Endpoints(_egress(settings), settings.callback_timeout_s) as endpoints:
            delivery = _delivery(
                settings, aws, endpoints, patience, credentials=credentials, health=health, metrics=metrics
            )
            _on_signal(bound, delivery.stop)
            log.logger().info("delivery.ready")
            await delivery.run()


def _on_signal(*calls: Callable[[], None]) -> None:
    def call() -> None:
        for each in calls:
            each()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, call)


async def _credentials(
    settings: Settings, aws: _Clients, patience: Patience, health: Health, metrics: Metrics
) -> StoredCredentials | None:
    if not settings.credentials_secret_id:
        return None
    credentials = StoredCredentials(
        aws.secrets,
        settings.credentials_secret_id,
        settings.credentials,
        settings.credentials_refresh_s,
        health=health,
        metrics=metrics,
    )
    await credentials.start(patience)
    return credentials


def _egress(settings: Settings) -> EgressPolicy:
    proxy = settings.callback_proxy
    return EgressPolicy(
        allowed=settings.allowed_networks,
        ports=settings.allowed_ports,
        proxy=proxy.get_secret_value() if proxy else None,
        ca_file=settings.callback_ca_file,
        client_cert_file=settings.callback_client_cert_file,
        client_key_file=settings.callback_client_key_file,
    )


def _delivery(
    settings: Settings,
    aws: _Clients,
    endpoints: Endpoints,
    patience: Patience,
    *,
    credentials: StoredCredentials | None,
    health: Health,
    metrics: Metrics,
) -> Delivery:
    static = settings.credentials
    queue = TranscriptQueue(
        aws.sqs, settings.transcripts_queue_url, settings.transcripts_dlq_url, settings.visibility_s
    )
    bus = EventBus(aws.events, settings.event_bus_name)
    table = Table(aws.dynamodb, settings.sessions_table)
    policy = settings.breaker_policy
    gates = Gates(policy)
    outages = Outages(
        OutageStore(table),
        gates,
        queue,
        bus,
        policy=policy,
        metrics=metrics,
        health=health,
        look_every_s=settings.look_every_s,
    )
    ports = Ports(
        queue=queue,
        store=SessionStore(table),
        outages=outages,
        gates=gates,
        dead_letters=DeadLetters(queue, bus, metrics),
        endpoints=endpoints,
        credentials=credentials or (lambda: static),
    )
    return Delivery(
        ports,
        patience=patience,
        schedules=settings.schedules,
        allowed_ports=settings.allowed_ports,
        metrics=metrics,
        health=health,
        upkeep=(table.run, credentials.run) if credentials else (table.run,),
    )


def main() -> int:
    """Exit code: 0 after a signal, 2 when the settings are not valid."""
    try:
        settings = Settings()  # pyright: ignore[reportCallIssue]  # its fields come from the environment
    except ValidationError as invalid:
        log.configure(SERVICE)
        fields = sorted({str(part) for error in invalid.errors() for part in error["loc"][:1]})
        log.logger().error("delivery.misconfigured", field=fields)
        return 2
    log.configure(SERVICE, settings.log_level)
    uvloop.run(deliver(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())

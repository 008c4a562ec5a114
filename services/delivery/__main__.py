"""`python -m services.delivery`: delivers transcripts to callbacks until SIGTERM or SIGINT."""

import asyncio
import signal
import sys

import uvloop
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from pydantic import ValidationError

from services.delivery.adapters.courier import Ports
from services.delivery.adapters.dead_letters import DeadLetters
from services.delivery.adapters.endpoint import Endpoints
from services.delivery.adapters.event_bus import EventBus
from services.delivery.adapters.session_store import SessionStore
from services.delivery.adapters.transcript_queue import TranscriptQueue
from services.delivery.service import Delivery
from services.delivery.settings import Settings
from telemetry import log
from telemetry.metrics import Metrics

SERVICE = "delivery"
AWS = AioConfig(
    connect_timeout=2,
    read_timeout=10,  # longer than a long poll
    max_pool_connections=64,
    retries={"mode": "standard", "total_max_attempts": 3},
)


async def deliver(settings: Settings) -> None:
    """Runs until a signal."""
    aws = get_session()
    async with (
        aws.create_client("sqs", config=AWS) as sqs,
        aws.create_client("dynamodb", config=AWS) as dynamodb,
        aws.create_client("events", config=AWS) as events,
        Endpoints(settings.allowed_networks) as endpoints,
    ):
        metrics = Metrics(SERVICE)
        queue = TranscriptQueue(sqs, settings.transcripts_queue_url, settings.transcripts_dlq_url)
        store = SessionStore(dynamodb, settings.sessions_table)
        dead_letters = DeadLetters(queue, EventBus(events, settings.event_bus_name), metrics)
        ports = Ports(queue, store, dead_letters, endpoints)
        delivery = Delivery(ports, settings.signing_keys, settings.schedules, metrics)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, delivery.stop)
        log.logger().info("delivery.ready")
        await delivery.run()
    log.logger().info("delivery.stopped")


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

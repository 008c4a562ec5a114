"""What is done about a message that was given up: it is kept, and whoever listens is told."""

from datetime import UTC, datetime
from hashlib import sha256

from contracts.events import DeliveryFailed
from contracts.metrics import DELIVERY_GIVEN_UP
from contracts.queue import TranscriptMessage
from services.delivery.adapters.event_bus import EventBus
from services.delivery.adapters.patience import Patience
from services.delivery.adapters.transcript_queue import DeadLetter, QueuedMessage, TranscriptQueue
from telemetry.log import logger
from telemetry.metrics import Metrics

MALFORMED = "malformed_message"


class DeadLetters:
    """Keeps messages in the dead-letter queue."""

    def __init__(self, queue: TranscriptQueue, bus: EventBus, metrics: Metrics) -> None:
        self._queue = queue
        self._bus = bus
        self._metrics = metrics

    async def keep(
        self,
        message: TranscriptMessage,
        reason: str,
        *,
        attempts: int,
        last_status: int | None,
        now_ms: int,
        patience: Patience,
    ) -> None:
        """After this the message is in the dead-letter queue, and the bus has a Delivery Failed.

        Raises:
            Stopping: perhaps neither; it may be done again.
        """
        letter = DeadLetter(
            body=message.model_dump_json(),
            group=message.session_id,
            deduplication_id=message.webhook_id,
            reason=reason,
            attempts=attempts,
            last_status=last_status,
        )
        event = DeliveryFailed(
            event_id=f"{message.webhook_id}-delivery",
            session_id=message.session_id,
            contact_id=message.contact_id,
            occurred_at=datetime.fromtimestamp(now_ms / 1_000, UTC),
            n=message.n,
            k=message.k,
            reason=reason,
            attempts=attempts,
            last_status=last_status,
        )
        await patience.insist(lambda: self._queue.bury(letter))
        await patience.insist(lambda: self._bus.publish(event))
        self._metrics.count(DELIVERY_GIVEN_UP)
        logger(session_id=message.session_id, contact_id=message.contact_id).error(
            "delivery.given_up",
            n=message.n,
            k=message.k,
            reason=reason,
            attempts=attempts,
            status=last_status,
        )

    async def keep_malformed(self, queued: QueuedMessage, patience: Patience) -> None:
        """After this a message that cannot be read is in the dead-letter queue.

        Raises:
            Stopping: perhaps not; it may be done again.
        """
        digest = sha256(queued.body.encode()).hexdigest()
        letter = DeadLetter(queued.body, queued.group or digest, digest, MALFORMED, 1, None)
        await patience.insist(lambda: self._queue.bury(letter))
        self._metrics.count(DELIVERY_GIVEN_UP)
        logger().error("delivery.given_up", reason=MALFORMED)

"""Session requests that the queue gave up, and those that wait, in SQS."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from contracts.queue import SessionRequestMessage
from contracts.session import SessionHeader
from services.transcribe.adapters.claims import stand_in
from telemetry.log import logger

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient

HELD_S = 60
"""For so long a dead request is ours to look into."""
BATCH = 10


@dataclass(frozen=True, slots=True)
class DeadRequest:
    """One message of the dead-letter queue."""

    header: SessionHeader
    """As far as the request tells it."""
    receipt_handle: str = field(repr=False)


class SqsDeadRequests:
    """Looks at the requests' queue at `url` and at its dead-letter queue; without one, nobody is dead."""

    def __init__(self, client: "SQSClient", url: str, dlq_url: str | None, held_s: int = HELD_S) -> None:
        self._client = client
        self._url = url
        self._dlq_url = dlq_url
        self._held_s = held_s

    async def waiting(self) -> int | None:
        """About how many requests could be received now; None: not known."""
        try:
            answer = await self._client.get_queue_attributes(
                QueueUrl=self._url, AttributeNames=["ApproximateNumberOfMessages"]
            )
            return int(answer["Attributes"]["ApproximateNumberOfMessages"])
        except (ClientError, BotoCoreError, KeyError, ValueError) as error:
            logger().warning("transcribe.requests_not_counted", exc_info=error)
            return None

    async def receive(self) -> list[DeadRequest] | None:
        """Some of the dead requests, each ours for `held_s` seconds; None: there are no more.

        What is no request stays where it is, for an operator to look at.
        """
        if self._dlq_url is None:
            return None
        try:
            answer = await self._client.receive_message(
                QueueUrl=self._dlq_url, MaxNumberOfMessages=BATCH, VisibilityTimeout=self._held_s
            )
        except (ClientError, BotoCoreError) as error:
            logger().warning("transcribe.dead_requests_not_received", exc_info=error)
            return None
        dead: list[DeadRequest] = []
        for message in answer.get("Messages", []):
            try:
                envelope = SessionRequestMessage.model_validate_json(message.get("Body", ""))
                header = stand_in(envelope.detail)
            except ValidationError:
                message_id = message.get("MessageId", "")
                logger().error("transcribe.dead_request_malformed", message_id=message_id)
                continue
            dead.append(DeadRequest(header, message.get("ReceiptHandle", "")))
        return dead if answer.get("Messages") else None

    async def delete(self, dead: DeadRequest) -> None:
        """The session's end is in its log; should this fail, the request is looked into again."""
        if self._dlq_url is None:
            return
        try:
            await self._client.delete_message(QueueUrl=self._dlq_url, ReceiptHandle=dead.receipt_handle)
        except (ClientError, BotoCoreError) as error:
            logger(session_id=dead.header.session_id).warning(
                "transcribe.dead_request_not_deleted", exc_info=error
            )

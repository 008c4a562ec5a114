"""The session-requests queue (SQS): each message is the lease of one session."""

import itertools
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from aws.answers import careful
from contracts.queue import SessionRequestMessage
from services.ingest.errors import QueueFailure
from services.ingest.lease import VISIBILITY_S, Request
from telemetry.log import logger

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient
    from types_aiobotocore_sqs.type_defs import MessageTypeDef

LONG_POLL_S: Final = 5
"""A stop waits for it: what a cut poll had received would stay invisible to others."""
MAX_BATCH: Final = 10
"""Messages per call (SQS)."""


class RequestQueue:
    """Use as an async context manager."""

    def __init__(self, queue_url: str, long_poll_s: int = LONG_POLL_S) -> None:
        self._queue_url = queue_url
        self._long_poll_s = long_poll_s
        self._closing = AsyncExitStack()
        self._sqs: SQSClient

    async def __aenter__(self) -> Self:
        config = AioConfig(
            connect_timeout=3,
            read_timeout=self._long_poll_s + 5,
            retries={"mode": "standard", "total_max_attempts": 3},
        )
        client = AioSession().create_client("sqs", config=config)
        self._sqs = careful(await self._closing.enter_async_context(client))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.aclose()

    async def receive(self, room: int) -> list[Request]:
        """At most `room` requests, each ours for `VISIBILITY_S`; may be none.

        A message that is no request is left: it shows itself again until the queue's redrive policy takes it
        to the dead-letter queue.

        Raises:
            QueueFailure: ask again later.
        """
        try:
            answer = await self._sqs.receive_message(
                QueueUrl=self._queue_url,
                MaxNumberOfMessages=min(room, MAX_BATCH),
                WaitTimeSeconds=self._long_poll_s,
                VisibilityTimeout=VISIBILITY_S,
            )
        except (ClientError, BotoCoreError) as error:
            raise QueueFailure("receive") from error
        parsed = [_parsed(message) for message in answer.get("Messages", [])]
        return [request for request in parsed if request is not None]

    async def extend(self, requests: Iterable[Request], visibility_s: int) -> None:
        """Keeps the messages invisible for `visibility_s` from now on; a call takes ten of the requests.

        An error says nothing of who owns the session (the log does): it is logged, and the next time tried
        again.
        """
        for batch in itertools.batched(requests, MAX_BATCH, strict=False):
            try:
                answer = await self._sqs.change_message_visibility_batch(
                    QueueUrl=self._queue_url,
                    Entries=[
                        {
                            "Id": str(number),
                            "ReceiptHandle": request.receipt_handle,
                            "VisibilityTimeout": visibility_s,
                        }
                        for number, request in enumerate(batch)
                    ],
                )
            except (ClientError, BotoCoreError) as error:
                logger().warning("ingest.leases_not_extended", count=len(batch), exc_info=error)
                continue
            codes = {failed["Id"]: failed["Code"] for failed in answer.get("Failed", [])}
            for number, request in enumerate(batch):
                if code := codes.get(str(number)):
                    logger().warning(
                        "ingest.lease_not_extended", message_id=request.message_id, error_code=code
                    )

    async def delete(self, request: Request) -> None:
        """The session is in the log to its end.

        Raises:
            QueueFailure: it shows itself again, and will then be refused as ended.
        """
        try:
            await self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=request.receipt_handle)
        except (ClientError, BotoCoreError) as error:
            raise QueueFailure("delete") from error

    async def put_back(self, request: Request, delay_s: int) -> None:
        """Others may receive it after `delay_s`.

        Raises:
            QueueFailure: they receive it when its visibility ends.
        """
        try:
            await self._sqs.change_message_visibility(
                QueueUrl=self._queue_url, ReceiptHandle=request.receipt_handle, VisibilityTimeout=delay_s
            )
        except (ClientError, BotoCoreError) as error:
            raise QueueFailure("put back") from error


def _parsed(message: "MessageTypeDef") -> Request | None:
    message_id, receipt_handle = message.get("MessageId", ""), message.get("ReceiptHandle", "")
    try:
        envelope = SessionRequestMessage.model_validate_json(message.get("Body", ""))
    except ValidationError as error:
        fields = [".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False)]
        logger().error("ingest.request_malformed", message_id=message_id, field=fields)
        return None
    return Request(envelope.detail, message_id, receipt_handle)

"""The transcripts queue, SQS FIFO, and its dead-letter queue."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from botocore.exceptions import BotoCoreError, ClientError

from contracts.queue import ReplayRequest
from services.delivery.errors import QueueUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient

BATCH = 10
"""Entries of one call at most (Amazon SQS quotas)."""
WAIT_S = 2
"""Of a long poll; a process that is told to stop waits for its polls, since what they take is locked."""


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """One message as received."""

    body: str = field(repr=False)
    receipt_handle: str = field(repr=False)
    group: str
    was_received_before: bool = False


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is kept of a message that was given up."""

    body: str = field(repr=False)
    group: str
    deduplication_id: str
    reason: str
    attempts: int
    last_status: int | None


class TranscriptQueue:
    """Receives, extends, deletes and buries messages."""

    def __init__(self, client: "SQSClient", url: str, dlq_url: str, visibility_s: int) -> None:
        self.visibility_s = visibility_s
        """How long the messages of a process that died stay locked."""
        self._wait_s = min(WAIT_S, visibility_s // 2)
        """A lock counts from when it was asked for: of a message that came late, half of it must be left."""
        self._client = client
        self._url = url
        self._dlq_url = dlq_url

    async def receive(self) -> list[QueuedMessage]:
        """Up to `BATCH` messages, each group's in order; empty after a wait without any.

        Raises:
            QueueUnavailable: nothing was received.
        """
        try:
            answer = await self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=self._wait_s,
                VisibilityTimeout=self.visibility_s,
                MessageSystemAttributeNames=["MessageGroupId", "ApproximateReceiveCount"],
                ReceiveRequestAttemptId=uuid.uuid4().hex,  # the SDK's own retries get the same messages
            )
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable from error
        return [
            QueuedMessage(
                message.get("Body", ""),
                message.get("ReceiptHandle", ""),
                message.get("Attributes", {}).get("MessageGroupId", ""),
                message.get("Attributes", {}).get("ApproximateReceiveCount", "1") != "1",
            )
            for message in answer.get("Messages", [])
        ]

    async def delete(self, receipt_handles: Sequence[str]) -> int:
        """Deletes up to `BATCH` messages; returns how many of them stayed.

        Raises:
            QueueUnavailable: perhaps all of them stayed.
        """
        entries = [{"Id": str(i), "ReceiptHandle": handle} for i, handle in enumerate(receipt_handles)]
        try:
            answer = await self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)  # pyright: ignore[reportArgumentType]  # a list of such dictionaries
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable from error
        return len(_failed(answer))

    async def set_visibility(self, receipt_handles: Sequence[str], visibility_s: int) -> list[str]:
        """Keeps up to `BATCH` messages in hand for so long from now, or lets them go (0).

        Returns those that were not in hand any more.

        Raises:
            QueueUnavailable: perhaps none was changed.
        """
        entries = [
            {"Id": str(i), "ReceiptHandle": handle, "VisibilityTimeout": visibility_s}
            for i, handle in enumerate(receipt_handles)
        ]
        try:
            answer = await self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)  # pyright: ignore[reportArgumentType]  # a list of such dictionaries
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable from error
        failed = {each["Id"] for each in answer.get("Failed") or []}
        return [handle for i, handle in enumerate(receipt_handles) if str(i) in failed]

    async def ask_for_replays(self, requests: Sequence[tuple[ReplayRequest, str]]) -> None:
        """Sends up to `BATCH` requests, each with its deduplication id.

        Raises:
            QueueUnavailable: perhaps none was sent.
        """
        try:
            answer = await self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {
                        "Id": str(i),
                        "MessageBody": request.model_dump_json(),
                        "MessageGroupId": request.session_id,
                        "MessageDeduplicationId": deduplication_id,
                    }
                    for i, (request, deduplication_id) in enumerate(requests)
                ],
            )
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable from error
        if _failed(answer):
            raise QueueUnavailable

    async def bury(self, letter: DeadLetter) -> None:
        """Puts a message into the dead-letter queue.

        Raises:
            QueueUnavailable: it is not there, as far as known.
        """
        attributes = {"reason": letter.reason, "attempts": str(letter.attempts)}
        if letter.last_status is not None:
            attributes["last_status"] = str(letter.last_status)
        try:
            await self._client.send_message(
                QueueUrl=self._dlq_url,
                MessageBody=letter.body,
                MessageGroupId=letter.group,
                MessageDeduplicationId=letter.deduplication_id,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
                },
            )
        except (ClientError, BotoCoreError) as error:
            raise QueueUnavailable from error


def _failed(answer: Mapping[str, object]) -> list[object]:
    return cast("list[object]", answer.get("Failed") or [])

"""The transcripts queue on SQS FIFO: one group per session, deduplicated by the webhook's id."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from services.transcribe.ports import Answer, QueueEntry, refused

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient

_HOPELESS = frozenset({"InvalidMessageContents", "InvalidParameterValue", "MessageTooLong"})
"""Errors of one entry that no second try can help."""


class SqsTranscriptQueue:
    """Sends to the queue at `url`."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    async def send(self, messages: Sequence[QueueEntry]) -> list[Answer]:
        """Sends at most ten messages of as many sessions; one answer each, in order."""
        try:
            answer = await self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {
                        "Id": str(at),
                        "MessageBody": message.body,
                        "MessageGroupId": message.session_id,
                        "MessageDeduplicationId": message.webhook_id,
                    }
                    for at, message in enumerate(messages)
                ],
            )
        except (ClientError, BotoCoreError) as error:
            return [refused(error)] * len(messages)
        accepted = {entry["Id"] for entry in answer.get("Successful", [])}
        codes = {entry["Id"]: entry.get("Code", "") for entry in answer.get("Failed", [])}
        return [self._answer(str(at) in accepted, codes.get(str(at), "")) for at in range(len(messages))]

    @staticmethod
    def _answer(accepted: bool, code: str) -> Answer:
        return Answer(accepted, rejected=code in _HOPELESS, reason=code)

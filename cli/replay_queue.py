"""The transcripts queue as an operator uses it: sessions are asked to be delivered from their logs."""

import time
import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.errors import AwsUnavailable
from contracts.model import ContactId, SessionId
from contracts.queue import ReplayCause, ReplayRequest

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

BATCH = 10
CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})


class ReplayQueue:
    """Sends replay requests."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    @classmethod
    def connect(cls, url: str) -> "ReplayQueue":
        """With the standard AWS settings of the environment.

        Raises:
            AwsUnavailable: there is no region.
        """
        try:
            return cls(boto3.client("sqs", config=CONFIG), url)
        except BotoCoreError as error:
            raise AwsUnavailable("No AWS region is set; set AWS_DEFAULT_REGION.") from error

    def redrive(self, sessions: Iterable[tuple[SessionId, ContactId]]) -> None:
        """Asks for the sessions' undelivered messages, each time anew.

        The deduplication id is fresh: SQS swallows one that it saw in the last five minutes without a word.

        Raises:
            AwsUnavailable: perhaps not all were asked for; asking again does no harm.
        """
        every = list(sessions)
        for i in range(0, len(every), BATCH):
            self._send(every[i : i + BATCH])

    def _send(self, sessions: list[tuple[SessionId, ContactId]]) -> None:
        requests = [
            ReplayRequest(
                session_id=session_id,
                contact_id=contact_id,
                cause=ReplayCause.REDRIVE,
                requested_at_ms=time.time_ns() // 1_000_000,
            )
            for session_id, contact_id in sessions
        ]
        try:
            answer = self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {
                        "Id": str(at),
                        "MessageBody": request.model_dump_json(),
                        "MessageGroupId": request.session_id,
                        "MessageDeduplicationId": uuid.uuid4().hex,
                    }
                    for at, request in enumerate(requests)
                ],
            )
        except (ClientError, BotoCoreError) as error:
            raise AwsUnavailable(f"The transcripts queue took nothing ({type(error).__name__}).") from error
        if answer.get("Failed"):
            raise AwsUnavailable("The transcripts queue did not take all requests; try again.")

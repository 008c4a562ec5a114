"""The lease of a session: its request's visibility in SQS."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from telemetry.log import logger

if TYPE_CHECKING:
    from types_aiobotocore_sqs.client import SQSClient


class SqsRequestLease:
    """Requests of the queue at `url`."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    async def free(self, receipt_handle: str) -> None:
        """Makes the request visible at once.

        When that fails (it was deleted, or SQS is away) its visibility time-out does the same, later: nobody
        learns of a lost lease from SQS.
        """
        try:
            await self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=0
            )
        except (ClientError, BotoCoreError) as error:
            logger().warning("transcribe.request_not_freed", exc_info=error)

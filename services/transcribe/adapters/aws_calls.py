"""The AWS calls that every session makes again and again, made directly."""

from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import aiohttp
import orjson
from aiobotocore.session import AioSession
from botocore.exceptions import ClientError, HTTPClientError

from aws.direct import Answer, DirectCalls

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

ANSWER_S = 5.0
"""Short: a session tries again by itself, and in between its order waits."""
_AGAIN = frozenset({500, 502, 503, 504})
"""Asked a second time at once, as after a lost connection: AWS may close one that was kept as it is used."""


class AwsCalls(DirectCalls):
    """Takes, gives and raises the same as the client's methods of these names."""

    async def put_item(self, **parameters: object) -> dict[str, Any]:
        """DynamoDB's."""
        return await self._call("PutItem", parameters)

    async def batch_get_item(self, **parameters: object) -> dict[str, Any]:
        """DynamoDB's."""
        return await self._call("BatchGetItem", parameters)

    async def send_message_batch(self, **parameters: object) -> dict[str, Any]:
        """SQS's."""
        return await self._call("SendMessageBatch", parameters)

    async def put_events(self, **parameters: object) -> dict[str, Any]:
        """EventBridge's."""
        return await self._call("PutEvents", parameters)

    async def _call(self, operation: str, parameters: dict[str, object]) -> dict[str, Any]:
        body = orjson.dumps(parameters, default=_epoch_s, option=orjson.OPT_PASSTHROUGH_DATETIME)
        try:
            answer = await self.post(operation, body)
        except (aiohttp.ClientError, TimeoutError):
            answer = None
        if answer is None or answer.status in _AGAIN:
            try:
                answer = await self.post(operation, body)
            except (aiohttp.ClientError, TimeoutError) as lost:
                raise HTTPClientError(error=lost) from lost
        if answer.status != HTTPStatus.OK:
            raise _refusal(operation, answer)
        return self.read(operation, answer)


def direct[Client](session: AioSession, client: Client, http: aiohttp.ClientSession) -> Client:
    """`client` with its frequent calls made directly."""
    return cast("Client", AwsCalls(session, cast("AioBaseClient", client), http))


def _epoch_s(value: object) -> float:
    """AWS's JSON has instants as seconds."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"AWS's JSON has no {type(value).__name__}")


def _refusal(operation: str, answer: Answer) -> ClientError:
    """The SDK's error for an answer that is one."""
    try:
        body: object = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        body = None
    fields = cast("dict[str, object]", body) if isinstance(body, dict) else {}
    code = answer.error.partition(";")[0] or str(fields.get("__type", answer.status)).rpartition("#")[2]
    message = str(fields.get("message", fields.get("Message", "")))
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)

"""The AWS calls that are made for every message, made directly.

A call that is not answered as it should be is made again through the SDK, with its retries and its errors.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiobotocore.session import AioSession

from aws.answers import NoAnswer
from aws.direct import DirectCalls

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient

ANSWER_S = 10.0
"""Longer than a long poll."""

type Method = Callable[..., Awaitable[dict[str, Any]]]


class AwsCalls(DirectCalls):
    """Takes, gives and raises the same as the client's methods of these names."""

    async def put_item(self, **parameters: object) -> dict[str, Any]:
        """DynamoDB's."""
        return await self._call("PutItem", "put_item", parameters)

    async def batch_get_item(self, **parameters: object) -> dict[str, Any]:
        """DynamoDB's."""
        return await self._call("BatchGetItem", "batch_get_item", parameters)

    async def receive_message(self, **parameters: object) -> dict[str, Any]:
        """SQS's."""
        return await self._call("ReceiveMessage", "receive_message", parameters)

    async def delete_message_batch(self, **parameters: object) -> dict[str, Any]:
        """SQS's."""
        return await self._call("DeleteMessageBatch", "delete_message_batch", parameters)

    async def _call(self, operation: str, method: str, parameters: dict[str, object]) -> dict[str, Any]:
        body = json.dumps(parameters, separators=(",", ":")).encode()
        with suppress(aiohttp.ClientError, TimeoutError, NoAnswer):
            answer = await self.post(operation, body)
            if answer.status == HTTPStatus.OK:
                return self.read(operation, answer)
        return await cast("Method", getattr(self._client, method))(**parameters)


def direct[Client](session: AioSession, client: Client, http: aiohttp.ClientSession) -> Client:
    """`client` with its frequent calls made directly."""
    return cast("Client", AwsCalls(session, cast("AioBaseClient", client), http))

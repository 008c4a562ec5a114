"""The function behind a flow's Lambda block, and the account's default event bus."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Protocol

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from emulators.connect.event import Answer, answer_of

if TYPE_CHECKING:
    from types_aiobotocore_events.client import EventBridgeClient
    from types_aiobotocore_lambda.client import LambdaClient

BLOCK_TIMEOUT_S = 8.0
"""The longest that a Lambda block waits (Connect's administrator guide)."""


class Function(Protocol):
    """What a flow invokes; it never raises, since a flow has an error branch instead."""

    async def __call__(self, event: Mapping[str, object]) -> Answer:
        """Invoke it with an event and judge its reply."""
        ...


class ContactEvents(Protocol):
    """Where the instance's contact events go."""

    async def __call__(self, detail: Mapping[str, object]) -> None:
        """Publish one; best effort."""
        ...


class LambdaFunction:
    """A function on AWS Lambda, or on what `AWS_ENDPOINT_URL` names."""

    def __init__(self, client: "LambdaClient", name: str) -> None:
        self._client = client
        self._name = name

    async def __call__(self, event: Mapping[str, object]) -> Answer:
        """Invoke as Connect does: synchronously, retried on throttling and server errors, within 8 s."""
        loop = asyncio.get_running_loop()
        begun_at = loop.time()
        try:
            async with asyncio.timeout(BLOCK_TIMEOUT_S):
                reply = await self._client.invoke(
                    FunctionName=self._name,
                    InvocationType="RequestResponse",
                    Payload=json.dumps(event).encode(),
                )
                payload = await reply["Payload"].read()
        except TimeoutError:
            return Answer("error", error="the function took longer than 8 s", elapsed_ms=8_000)
        except (BotoCoreError, ClientError) as error:
            return Answer("error", error=str(error), elapsed_ms=round((loop.time() - begun_at) * 1000))
        return answer_of(
            payload,
            function_error=reply.get("FunctionError"),
            elapsed_ms=round((loop.time() - begun_at) * 1000),
        )


class DefaultBus:
    """The account's default event bus, on which Connect publishes."""

    def __init__(self, client: "EventBridgeClient") -> None:
        self._client = client

    async def __call__(self, detail: Mapping[str, object]) -> None:
        """Publish a contact event; a failure is the bus's own affair, as with Connect's best effort."""
        with contextlib.suppress(BotoCoreError, ClientError):
            await self._client.put_events(
                Entries=[
                    {
                        "Source": "aws.connect",
                        "DetailType": "Amazon Connect Contact Event",
                        "Detail": json.dumps(detail),
                        "Resources": [str(detail["instanceArn"])],
                    }
                ]
            )


@contextlib.asynccontextmanager
async def lambda_function(
    name: str, *, endpoint_url: str | None = None, region: str | None = None
) -> AsyncGenerator[LambdaFunction]:
    """A function by name or ARN; without an endpoint the standard AWS variables decide."""
    config = AioConfig(
        connect_timeout=2, read_timeout=BLOCK_TIMEOUT_S, retries={"mode": "standard", "total_max_attempts": 4}
    )
    session = get_session()
    async with session.create_client(
        "lambda", endpoint_url=endpoint_url, region_name=region, config=config
    ) as client:
        yield LambdaFunction(client, name)


@contextlib.asynccontextmanager
async def default_bus(
    *, endpoint_url: str | None = None, region: str | None = None
) -> AsyncGenerator[DefaultBus]:
    """The default bus; without an endpoint the standard AWS variables decide."""
    session = get_session()
    async with session.create_client("events", endpoint_url=endpoint_url, region_name=region) as client:
        yield DefaultBus(client)

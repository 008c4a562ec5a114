"""The function behind a flow's Lambda block, and the one that hears of contact events."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Protocol

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import BotoCoreError, ClientError

from emulators.connect.event import Answer, answer_of

if TYPE_CHECKING:
    from types_aiobotocore_lambda.client import LambdaClient

BLOCK_TIMEOUT_S = 8.0
"""The longest that a Lambda block waits (Connect's administrator guide)."""

MAX_INVOCATIONS = 100
"""At the same time."""


class Function(Protocol):
    """What a flow invokes; it never raises, since a flow has an error branch instead."""

    async def __call__(self, event: Mapping[str, object]) -> Answer:
        """Invoke it with an event and judge its reply."""
        ...


class ContactEvents(Protocol):
    """Where the instance's contact events go."""

    async def __call__(self, event: Mapping[str, object]) -> None:
        """Publish one, an event as EventBridge delivers it; best effort."""
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


class RuleTarget:
    """The function that a rule on the account's default bus has as its target.

    PutEvents takes nothing from a source that begins with `aws.`, so the rule is skipped and its target
    invoked, asynchronously and with the same event.
    """

    def __init__(self, client: "LambdaClient", name: str) -> None:
        self._client = client
        self._name = name

    async def __call__(self, event: Mapping[str, object]) -> None:
        """Hand an event over; a failure is not the call's affair, as with Connect's best effort."""
        with contextlib.suppress(BotoCoreError, ClientError):
            await self._client.invoke(
                FunctionName=self._name, InvocationType="Event", Payload=json.dumps(event).encode()
            )


@contextlib.asynccontextmanager
async def lambda_client(
    *, endpoint_url: str | None = None, region: str | None = None, session: AioSession | None = None
) -> AsyncGenerator["LambdaClient"]:
    """A client of Lambda; what is left out, the standard AWS variables decide."""
    config = AioConfig(
        connect_timeout=2,
        read_timeout=BLOCK_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=MAX_INVOCATIONS,
    )
    async with (session or get_session()).create_client(
        "lambda", endpoint_url=endpoint_url, region_name=region, config=config
    ) as client:
        yield client


@contextlib.asynccontextmanager
async def lambda_function(
    name: str,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    session: AioSession | None = None,
) -> AsyncGenerator[LambdaFunction]:
    """A function by name or ARN; what is left out, the standard AWS variables decide."""
    async with lambda_client(endpoint_url=endpoint_url, region=region, session=session) as client:
        yield LambdaFunction(client, name)

"""Kinesis Video Streams through aiobotocore: GetDataEndpoint and GetMedia, clients shared by all sessions."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore.exceptions import BotoCoreError, ClientError

from services.ingest.errors import MediaFailure
from services.ingest.media_faults import Fault
from services.ingest.quota import Quota

if TYPE_CHECKING:
    from aiobotocore.response import StreamingBody
    from types_aiobotocore_kinesis_video_media.client import KinesisVideoMediaClient
    from types_aiobotocore_kinesisvideo.client import KinesisVideoClient

ENDPOINT_CACHED_S: Final = 40 * 60.0
"""AWS asks to refresh endpoints every 45 minutes."""
MAX_ENDPOINTS: Final = 4_096
"""Streams whose endpoint is remembered."""
MAX_IDLE_CLIENTS: Final = 8
"""Media clients that are kept open though no session uses them."""
CALLS_PER_STREAM: Final = 4
"""GetMedia, and GetDataEndpoint, calls per second and stream; KVS allows 5, as they arrive there."""
CONNECT_TIMEOUT_S: Final = 3.0

_FAULTS: Final = {
    "ClientLimitExceededException": Fault.THROTTLED,
    "ConnectionLimitExceededException": Fault.THROTTLED,
    "ThrottlingException": Fault.THROTTLED,
    "ThrottledException": Fault.THROTTLED,
    "LimitExceededException": Fault.THROTTLED,
    "RequestLimitExceeded": Fault.THROTTLED,
    "ResourceNotFoundException": Fault.NOT_FOUND,
    "NotAuthorizedException": Fault.DENIED,
    "AccessDeniedException": Fault.DENIED,
    "AccessDenied": Fault.DENIED,
    "InvalidArgumentException": Fault.REFUSED,
    "ValidationException": Fault.REFUSED,
    "InvalidEndpointException": Fault.BROKEN,
    "ExpiredTokenException": Fault.BROKEN,
}
"""Error codes of GetDataEndpoint and GetMedia (API reference); any other is `BROKEN`."""


class _Body:
    """The bytes of one GetMedia call.

    Its own watch, looked at every `timeout_s`, stands for aiohttp's read time-out, which would be set anew at
    every block (measured: a tenth of what a call costs).
    """

    def __init__(self, content: aiohttp.StreamReader, timeout_s: float) -> None:
        self._content = content
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._waiting_since: float | None = None
        self._watch = self._loop.call_later(timeout_s, self._look)

    async def read(self) -> bytes:
        """As `ports.MediaBody`; at most the 128 KiB that aiohttp buffers."""
        self._waiting_since = self._loop.time()
        try:
            return await self._content.readany()
        except TimeoutError as error:
            raise MediaFailure(Fault.SILENT) from error
        except (aiohttp.ClientError, OSError) as error:
            raise MediaFailure(Fault.BROKEN) from error
        finally:
            self._waiting_since = None

    def close(self) -> None:
        self._watch.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        since = now if self._waiting_since is None else self._waiting_since
        if now >= since + self._timeout_s:
            self._content.set_exception(TimeoutError())
        else:
            self._watch = self._loop.call_at(since + self._timeout_s, self._look)


@dataclass(slots=True)
class _Client:
    media: "KinesisVideoMediaClient"
    closing: AsyncExitStack
    users: int = 0


@dataclass(slots=True)
class _Quotas:
    """By stream and API; those that would allow everything again are forgotten."""

    of: dict[tuple[str, str], Quota] = field(default_factory=dict[tuple[str, str], Quota])

    async def turn(self, stream_arn: str, api: str) -> None:
        now = asyncio.get_running_loop().time()
        if len(self.of) > MAX_ENDPOINTS:
            self.of = {key: quota for key, quota in self.of.items() if not quota.idle(now)}
        wait_s = self.of.setdefault((stream_arn, api), Quota(CALLS_PER_STREAM)).take(now)
        if wait_s > 0:
            await asyncio.sleep(wait_s)


class KinesisVideo:
    """Use as an async context manager; leaving it closes the clients."""

    def __init__(self, *, read_timeout_s: float, max_bodies: int) -> None:
        self._session = AioSession()
        self._read_timeout_s = read_timeout_s
        self._config = AioConfig(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=None,  # calls have their own, and so have bodies
            max_pool_connections=max_bodies + 4,
            retries={"total_max_attempts": 1},  # the session backs off, with its own knowledge
        )
        self._closing = AsyncExitStack()
        self._kvs: KinesisVideoClient
        self._endpoints: dict[str, tuple[str, float]] = {}
        self._clients: dict[str, _Client] = {}
        self._creating = asyncio.Lock()
        self._quotas = _Quotas()

    async def __aenter__(self) -> Self:
        client = self._session.create_client("kinesisvideo", config=self._config)
        self._kvs = await self._closing.enter_async_context(client)
        return self

    async def __aexit__(self, *_: object) -> None:
        for client in self._clients.values():
            await client.closing.aclose()
        await self._closing.aclose()

    @asynccontextmanager
    async def open(self, stream_arn: str, start_ms: int) -> AsyncGenerator[_Body]:
        """A body from the fragment on that contains the producer time `start_ms`.

        The SDK sends whole seconds: reading begins up to a second earlier.

        Raises:
            MediaFailure: there is none.
        """
        start_at = _instant(start_ms)
        endpoint = await self._endpoint(stream_arn)
        client = await self._client(endpoint)
        client.users += 1
        try:
            payload = await self._get_media(client.media, stream_arn, start_at)
            body = _Body(payload.raw_stream.content, self._read_timeout_s)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType, reportAttributeAccessIssue]  # the stub does not know aiohttp's response
            try:
                yield body
            finally:
                body.close()
                payload.close()  # pyright: ignore[reportUnknownMemberType]  # the stub says Any
        finally:
            client.users -= 1

    async def _get_media(
        self, media: "KinesisVideoMediaClient", stream_arn: str, start_at: datetime
    ) -> "StreamingBody":
        await self._quotas.turn(stream_arn, "GetMedia")
        try:
            async with asyncio.timeout(self._read_timeout_s):
                answer = await media.get_media(
                    StreamARN=stream_arn,
                    StartSelector={
                        "StartSelectorType": "PRODUCER_TIMESTAMP",
                        "StartTimestamp": start_at,
                    },
                )
        except (ClientError, BotoCoreError, aiohttp.ClientError, OSError) as error:
            self._endpoints.pop(stream_arn, None)
            raise _failure(error) from error
        return answer["Payload"]

    async def _endpoint(self, stream_arn: str) -> str:
        now = asyncio.get_running_loop().time()
        endpoint, until = self._endpoints.get(stream_arn, ("", 0.0))
        if now < until:
            return endpoint
        await self._quotas.turn(stream_arn, "GetDataEndpoint")
        try:
            async with asyncio.timeout(self._read_timeout_s):
                answer = await self._kvs.get_data_endpoint(StreamARN=stream_arn, APIName="GET_MEDIA")
        except (ClientError, BotoCoreError, aiohttp.ClientError, OSError) as error:
            raise _failure(error) from error
        while len(self._endpoints) >= MAX_ENDPOINTS:
            del self._endpoints[next(iter(self._endpoints))]
        self._endpoints[stream_arn] = (answer["DataEndpoint"], now + ENDPOINT_CACHED_S)
        return answer["DataEndpoint"]

    async def _client(self, endpoint: str) -> _Client:
        async with self._creating:
            known = self._clients.get(endpoint)
            if known is not None:
                return known
            idle = [url for url, client in self._clients.items() if not client.users]
            for url in idle[: max(0, len(idle) - MAX_IDLE_CLIENTS + 1)]:
                await self._clients.pop(url).closing.aclose()
            closing = AsyncExitStack()
            media = await closing.enter_async_context(
                self._session.create_client("kinesis-video-media", endpoint_url=endpoint, config=self._config)
            )
            self._clients[endpoint] = _Client(media, closing)
            return self._clients[endpoint]


def _instant(epoch_ms: int) -> datetime:
    """A time that is none asks for nothing, whoever named it."""
    try:
        return datetime.fromtimestamp(epoch_ms / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise MediaFailure(Fault.REFUSED) from error


def _failure(error: Exception) -> MediaFailure:
    if isinstance(error, ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        return MediaFailure(_FAULTS.get(code, Fault.BROKEN))
    return MediaFailure(Fault.SILENT if isinstance(error, TimeoutError) else Fault.BROKEN)

"""Requests to callbacks, by aiohttp: one client, connections re-used per endpoint."""

import asyncio
import time
from functools import partial
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver

from services.delivery.adapters.egress import Egress, EgressPolicy, Route, outcome_of
from services.delivery.adapters.tunnel import TunnelRequest
from services.delivery.adapters.websocket import Websockets, no_redirects
from services.delivery.destination import Destination
from services.delivery.outcome import Answered, Outcome
from services.delivery.retry import retry_after_s
from services.delivery.webhook import WebhookRequest

TIMEOUT_S = 10.0
"""Of one request, from waiting for a connection to the end of the answer."""
MAX_ANSWER_BYTES = 64 * 1_024
DRAIN_TIMEOUT_S = 1.0
"""An answer's body is read so far and not looked at, so that the connection can be used again."""


class Endpoints:
    """Posts requests; no redirect is followed, no cookie kept, no proxy taken from the environment."""

    def __init__(
        self, policy: EgressPolicy, timeout_s: float = TIMEOUT_S, resolver: AbstractResolver | None = None
    ) -> None:
        self._egress = Egress(policy, resolver)
        self._session = aiohttp.ClientSession(
            connector=self._egress.connector(),
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trace_configs=[no_redirects()],
            request_class=TunnelRequest,
        )
        self._timeout_s = timeout_s
        self._readers = asyncio.TaskGroup()
        self._websockets = Websockets(self._session, self._egress, self._readers, timeout_s)

    async def __aenter__(self) -> Self:
        await self._readers.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._websockets.close()
        await self._session.close()
        await self._readers.__aexit__(kind, error, trace)

    async def send(self, request: WebhookRequest, destination: Destination, *, logged: bool) -> Outcome:
        """Makes the request once; a websocket gets the body as a message."""
        if destination.is_websocket:
            return await self._websockets.send(request, logged=logged)
        return await self.post(request)

    async def post(self, request: WebhookRequest) -> Outcome:
        """Makes an HTTP request once."""
        try:
            async with asyncio.timeout(self._timeout_s) as limit:
                return await self._egress.by_route(request.url, partial(self._post, request, limit))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return outcome_of(error)

    async def _post(self, request: WebhookRequest, limit: asyncio.Timeout, route: Route) -> Answered:
        async with self._session.request(
            request.method,
            route.url,
            data=request.body,
            headers=route.headers(request.headers),
            allow_redirects=False,
            proxy=route.proxy,
            server_hostname=route.server_hostname,
        ) as response:
            limit.reschedule(None)  # it is answered, however long its body may be
            await _drain(response.content)
            return Answered(response.status, retry_after_s(response.headers, time.time()))


async def _drain(body: aiohttp.StreamReader) -> None:
    """Reads the body away; what is left of it when this gives up costs the connection, not the answer."""
    if body.at_eof():
        return
    read = 0
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            while read < MAX_ANSWER_BYTES and (chunk := await body.readany()):
                read += len(chunk)
    except (TimeoutError, aiohttp.ClientError):
        return

"""HTTP requests to callbacks, by aiohttp: one client, connections re-used per endpoint, addresses guarded."""

import asyncio
import socket
import time
from collections.abc import Sequence
from typing import Self

import aiohttp

from services.delivery.address import Network, is_allowed
from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome
from services.delivery.retry import retry_after_s
from services.delivery.webhook import WebhookRequest

TIMEOUT_S = 10.0
"""Of one request, from waiting for a connection to the end of the answer."""
MAX_ANSWER_BYTES = 64 * 1_024
DRAIN_TIMEOUT_S = 1.0
"""An answer's body is read so far and not looked at, so that the connection can be used again."""
KEEP_ALIVE_S = 60.0
type AddressInfo = tuple[int, int, int, str, tuple[object, ...]]
"""As `getaddrinfo` gives it: family, kind, protocol, canonical name, address."""
SCHEMES = ("http://", "https://")


class ForbiddenAddress(OSError):
    """A callback leads to an address that it must not reach."""


class Endpoints:
    """Posts requests; no redirect is followed, no cookie kept, no proxy taken from the environment."""

    def __init__(self, allowed: Sequence[Network], timeout_s: float = TIMEOUT_S) -> None:
        self._allowed = allowed
        connector = aiohttp.TCPConnector(
            limit=0,  # requests under way are bounded by the caller
            ttl_dns_cache=10,
            keepalive_timeout=KEEP_ALIVE_S,
            socket_factory=self._guarded_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, request: WebhookRequest) -> Outcome:
        """Makes the request once."""
        if not request.url.lower().startswith(SCHEMES):
            return NotSent("unsupported_scheme")
        try:
            async with self._session.request(
                request.method, request.url, data=request.body, headers=request.headers, allow_redirects=False
            ) as response:
                await _drain(response.content)
                return Answered(response.status, retry_after_s(response.headers, time.time()))
        except TimeoutError:
            return NotAnswered("timeout")
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, ForbiddenAddress):
                return NotSent("forbidden_address")
            tls = isinstance(error, aiohttp.ClientSSLError)
            return NotAnswered("tls" if tls else "connection")
        except (aiohttp.InvalidURL, ValueError):
            return NotSent("unusable_url")
        except (aiohttp.ClientError, OSError):
            return NotAnswered("connection")

    def _guarded_socket(self, address: AddressInfo) -> socket.socket:
        """Checked where the connection is made: no name is resolved again after this."""
        family, kind, protocol, _, sockaddr = address
        if not is_allowed(str(sockaddr[0]), self._allowed):
            raise ForbiddenAddress
        return socket.socket(family, kind, protocol)


async def _drain(body: aiohttp.StreamReader) -> None:
    """Reads the body away; what is left of it when this gives up costs the connection, not the answer."""
    read = 0
    try:
        async with asyncio.timeout(DRAIN_TIMEOUT_S):
            while read < MAX_ANSWER_BYTES and (chunk := await body.readany()):
                read += len(chunk)
    except (TimeoutError, aiohttp.ClientError):
        return

"""How connections to callbacks are made: addresses and ports guarded at the socket, TLS verified."""

import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from services.delivery.adapters.names import FoundAddress, Resolver
from services.delivery.adapters.tunnel import TunnelConnector
from services.delivery.address import Network, is_allowed
from services.delivery.destination import DEFAULT_PORTS, Ports, is_allowed_port
from services.delivery.outcome import NotAnswered, NotSent

KEEP_ALIVE_S = 60.0
RESOLVED_FOR_S = 10
MAX_ROUTES = 4
"""Addresses of one name that are tried through a proxy."""


class ForbiddenAddress(OSError):
    """A callback leads to an address that it must not reach."""


class ForbiddenPort(OSError):
    """A callback leads to a port that it must not use."""


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """What the operator chose."""

    allowed: Sequence[Network] = ()
    """Networks that may be reached although they are not public."""
    ports: Ports = ()
    proxy: str | None = field(default=None, repr=False)
    """URL of an HTTP proxy; it is given the address that was checked, not the name."""
    ca_file: Path | None = None
    """Authorities (PEM) that are trusted beside the system's."""
    client_cert_file: Path | None = None
    """Certificate chain (PEM) shown to receivers that ask for one."""
    client_key_file: Path | None = None
    """Its key; None: it is in the same file."""


@dataclass(frozen=True, slots=True)
class Route:
    """How to ask aiohttp for a URL."""

    url: URL
    host: str | None
    """For the `Host` header, when the URL names an address in place of it."""
    proxy: str | None
    server_hostname: str | None
    """Whose certificate is expected, when the URL names an address."""

    def headers(self, given: Mapping[str, str]) -> dict[str, str]:
        """Of a request on this way."""
        return {**given} if self.host is None else {**given, "Host": self.host}


class Egress:
    """Makes the connector that all requests share, and routes."""

    def __init__(self, policy: EgressPolicy, resolver: AbstractResolver | None = None) -> None:
        self._policy = policy
        self._resolver = resolver or Resolver()
        context = ssl.create_default_context()
        if policy.ca_file:
            context.load_verify_locations(policy.ca_file)
        if policy.client_cert_file:
            context.load_cert_chain(policy.client_cert_file, policy.client_key_file)
        self._context = context

    def connector(self) -> aiohttp.TCPConnector:
        """Connections are re-used per endpoint; requests under way are bounded by the caller."""
        return TunnelConnector(
            limit=0,
            resolver=self._resolver,
            ttl_dns_cache=RESOLVED_FOR_S,
            keepalive_timeout=KEEP_ALIVE_S,
            ssl=self._context,
            socket_factory=None if self._policy.proxy else self._guarded_socket,
        )

    async def by_route[T](self, url: str, attempt: Callable[[Route], Awaitable[T]]) -> T:
        """What `attempt` returns on the first way to a URL on which the proxy finds somebody.

        Raises:
            ForbiddenAddress: only with a proxy; else the socket raises it.
            ForbiddenPort: likewise.
            OSError: the name cannot be resolved; only with a proxy.
            ValueError: it is no URL.
        """
        *others, last = await self._routes(URL(url))
        for route in others:
            with suppress(aiohttp.ClientHttpProxyError):
                return await attempt(route)
        return await attempt(last)

    async def _routes(self, url: URL) -> list[Route]:
        """To each allowed address, when there is a proxy: IPv4 first, since not every proxy has IPv6."""
        if self._policy.proxy is None:
            return [Route(url, None, None, None)]
        host, port = url.host or "", url.port or DEFAULT_PORTS.get(url.scheme, 0)
        if not is_allowed_port(port, self._policy.ports):
            raise ForbiddenPort
        found = [each["host"] for each in await self._resolver.resolve(host, port, socket.AF_UNSPEC)]
        allowed = [address for address in found if is_allowed(address, self._policy.allowed)]
        if not allowed:
            raise ForbiddenAddress
        server = host.rstrip(".") if url.scheme in {"https", "wss"} else None
        return [
            Route(url.with_host(address), url.host_port_subcomponent, self._policy.proxy, server)
            for address in sorted(allowed, key=lambda address: ":" in address)[:MAX_ROUTES]
        ]

    def _guarded_socket(self, info: FoundAddress) -> socket.socket:
        """Checked where the connection is made: no name is resolved again after this."""
        family, kind, protocol, _, address = info
        if not is_allowed(str(address[0]), self._policy.allowed):
            raise ForbiddenAddress
        if not is_allowed_port(int(str(address[1])), self._policy.ports):
            raise ForbiddenPort
        return socket.socket(family, kind, protocol)


def outcome_of(error: Exception) -> NotAnswered | NotSent:
    """What an exception of a request means."""
    match error:
        case TimeoutError():
            return NotAnswered("timeout")
        case ForbiddenAddress() | aiohttp.ClientConnectorError(os_error=ForbiddenAddress()):
            return NotSent("forbidden_address")
        case ForbiddenPort() | aiohttp.ClientConnectorError(os_error=ForbiddenPort()):
            return NotSent("forbidden_port")
        case aiohttp.ClientSSLError():
            return NotAnswered("tls")
        case aiohttp.InvalidURL():
            return NotSent("unusable_url")
        case aiohttp.ClientError() | OSError():
            return NotAnswered("connection")
        case _:
            return NotSent("unusable_url")

"""Websockets through the proxy: in a tunnel, also without TLS (RFC 6455, 4.1).

aiohttp asks for a tunnel where TLS is to begin in it, and offers no other way to it: what follows there is
left out for `ws:`. Two of its methods are overridden, one of them private.
"""

import asyncio

import aiohttp
from aiohttp.client_proto import ResponseHandler


class TunnelRequest(aiohttp.ClientRequest):
    """For the session."""

    def is_ssl(self) -> bool:
        """Whether a proxy is asked for a tunnel."""
        return super().is_ssl() or (self.proxy is not None and self.url.scheme == "ws")


class TunnelConnector(aiohttp.TCPConnector):
    """For the session, too."""

    async def _start_tls_connection(
        self,
        underlying_transport: asyncio.Transport,
        req: aiohttp.ClientRequest,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 -- aiohttp's
        client_error: type[Exception] = aiohttp.ClientConnectorError,
    ) -> tuple[asyncio.BaseTransport, ResponseHandler]:
        if req.url.scheme != "ws":
            return await super()._start_tls_connection(underlying_transport, req, timeout, client_error)
        protocol: ResponseHandler = self._factory()
        underlying_transport.set_protocol(protocol)
        protocol.connection_made(underlying_transport)
        return underlying_transport, protocol

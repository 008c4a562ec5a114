"""`ws(s)://` callbacks: a connection per session, messages as text, a final sent once the next pong is here.

A message has no headers: its ids are those of the handshake. Whatever goes wrong ends the connection; the
next attempt opens another one, after the delay that the session's schedule has for it.
"""

import asyncio
import time
from collections import OrderedDict
from contextlib import suppress
from functools import partial
from http import HTTPStatus

import aiohttp

from services.delivery.adapters.egress import Egress, Route, outcome_of
from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome
from services.delivery.retry import retry_after_s
from services.delivery.webhook import WebhookRequest

MAX_CONNECTIONS = 4_000
"""The one that was idle longest is closed for another."""
IDLE_S = 300.0
"""A connection that was not used for so long is closed: its session is over, or another process has it."""
CLOSE_S = 1.0
"""How long the peer's part of the closing is waited for."""
MAX_MESSAGE_BYTES = 64 * 1_024
"""Of what receivers send; it is not looked at."""
PER_MESSAGE = frozenset(
    {"Content-Type", "webhook-id", "webhook-timestamp", "webhook-signature", "x-sequence"}
)


def no_redirects() -> aiohttp.TraceConfig:
    """For a client: a redirect raises WSServerHandshakeError; aiohttp follows those of handshakes unasked."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return trace


async def _refuse_redirect(
    session: aiohttp.ClientSession, context: object, redirected: aiohttp.TraceRequestRedirectParams
) -> None:
    del session, context
    response = redirected.response
    response.close()
    raise aiohttp.WSServerHandshakeError(
        response.request_info, response.history, status=response.status, message="redirected"
    )


class _Cut(OSError):
    """The connection ended."""


class _Connection:
    """One session's."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, readers: asyncio.TaskGroup) -> None:
        self.used_at_s = time.monotonic()
        self._socket = socket
        self._pongs: dict[bytes, asyncio.Future[None]] = {}
        self._is_over = False
        readers.create_task(self._read())

    @property
    def is_open(self) -> bool:
        """Whether something may be sent."""
        return not (self._is_over or self._socket.closed)

    async def send(self, text: str) -> None:
        """Hands a message to the operating system."""
        self.used_at_s = time.monotonic()
        await self._socket.send_str(text)

    async def confirm(self, name: bytes) -> None:
        """Pings, and waits for the pong of that ping: the peer has read all that was sent before.

        Raises:
            _Cut: the connection ended before.
        """
        payload = name[-125:]  # RFC 6455, 5.5: of a control frame at most
        pong = self._pongs[payload] = asyncio.get_running_loop().create_future()
        try:
            if self._is_over:
                raise _Cut
            await self._socket.ping(payload)
            await pong
        finally:
            self._pongs.pop(payload, None)

    async def close(self) -> None:
        """Ends it, also when the peer reads nothing any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * CLOSE_S):
                await self._socket.close()

    async def _read(self) -> None:
        try:
            async for frame in self._socket:
                if frame.type is aiohttp.WSMsgType.PING:
                    await self._socket.pong(bytes(frame.data))
                elif frame.type is aiohttp.WSMsgType.PONG:
                    pong = self._pongs.pop(bytes(frame.data), None)
                    if pong is not None and not pong.done():  # whoever waited may have given up in this turn
                        pong.set_result(None)
        except (aiohttp.ClientError, OSError):
            pass  # whoever sends will see it
        finally:
            self._is_over = True
            for pong in self._pongs.values():
                if not pong.done():
                    pong.set_exception(_Cut())


class Websockets:
    """The connections of this process."""

    def __init__(
        self,
        client: aiohttp.ClientSession,
        egress: Egress,
        readers: asyncio.TaskGroup,
        timeout_s: float,
        idle_s: float = IDLE_S,
    ) -> None:
        self._client = client
        self._egress = egress
        self._readers = readers
        self._timeout_s = timeout_s
        self._idle_s = idle_s
        self._connections: OrderedDict[str, _Connection] = OrderedDict()
        """By session; the one that was idle longest first."""

    async def send(self, request: WebhookRequest, *, logged: bool) -> Outcome:
        """Sends the body; returns as if it were answered by 200, of what is logged after the pong."""
        session = request.headers["x-session-id"]
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._connection(session, request)
                await connection.send(request.body.decode())
                if logged:
                    await connection.confirm(request.headers["webhook-id"].encode())
        except aiohttp.WSServerHandshakeError as error:
            if error.status < HTTPStatus.MULTIPLE_CHOICES:
                return NotSent("not_a_websocket")
            return Answered(error.status, retry_after_s(error.headers or {}, time.time()))
        except _Cut:
            await self._drop(session)
            return NotAnswered("connection")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            await self._drop(session)
            return outcome_of(error)
        return Answered(HTTPStatus.OK)

    async def close(self) -> None:
        """Closes all, at once: peers that do not take part in it cost `CLOSE_S` together."""
        async with asyncio.TaskGroup() as closing:
            for session in self._connections:
                closing.create_task(self._drop(session))

    async def _connection(self, session: str, request: WebhookRequest) -> _Connection:
        known = self._connections.get(session)
        if known and known.is_open:
            self._connections.move_to_end(session)
            return known
        self._tidy()
        headers = {name: value for name, value in request.headers.items() if name not in PER_MESSAGE}
        socket = await self._egress.by_route(request.url, partial(self._connect, headers))
        connection = self._connections[session] = _Connection(socket, self._readers)
        self._connections.move_to_end(session)
        return connection

    async def _connect(self, headers: dict[str, str], route: Route) -> aiohttp.ClientWebSocketResponse:
        return await self._client.ws_connect(
            route.url,
            headers=route.headers(headers),
            proxy=route.proxy,
            server_hostname=route.server_hostname,
            autoping=False,
            max_msg_size=MAX_MESSAGE_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),  # pyright: ignore[reportCallIssue]  # an attrs class
        )

    async def _drop(self, session: str) -> None:
        connection = self._connections.pop(session, None)
        if connection:
            await connection.close()

    def _tidy(self) -> None:
        """Closes what is not used any more; whoever opens a connection does not wait for it."""
        while self._connections:
            session, oldest = next(iter(self._connections.items()))
            if (
                len(self._connections) < MAX_CONNECTIONS
                and time.monotonic() - oldest.used_at_s < self._idle_s
            ):
                return
            del self._connections[session]
            self._readers.create_task(oldest.close())

"""`ws(s)://` callbacks: a connection per session, messages as text, a final sent once the next pong is here.

A message has no headers: its ids are those of the handshake. Whatever goes wrong ends the connection; the
next attempt opens another one, after the delay that the session's schedule has for it.
"""

import asyncio
import time
from collections import OrderedDict
from http import HTTPStatus

import aiohttp

from services.delivery.adapters.egress import Egress, outcome_of
from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome
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


class Websockets:
    """The connections of this process."""

    def __init__(self, client: aiohttp.ClientSession, egress: Egress, timeout_s: float) -> None:
        self._client = client
        self._egress = egress
        self._timeout_s = timeout_s
        self._open: OrderedDict[str, tuple[aiohttp.ClientWebSocketResponse, float]] = OrderedDict()
        """By session; with the time of its last use (monotonic)."""

    async def send(self, request: WebhookRequest, *, logged: bool) -> Outcome:
        """Sends the body; returns as if it were answered by 200, of what is logged after the pong."""
        session = request.headers["x-session-id"]
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._connection(session, request)
                await connection.send_str(request.body.decode())
                if logged:
                    await self._pong(connection, request.headers["webhook-id"].encode())
        except aiohttp.WSServerHandshakeError as error:
            return Answered(error.status) if error.status >= HTTPStatus.MULTIPLE_CHOICES else _REFUSED
        except (aiohttp.ClientError, OSError, ValueError, EOFError) as error:
            await self._drop(session)
            return NotAnswered("connection") if isinstance(error, EOFError) else outcome_of(error)
        self._open[session] = connection, time.monotonic()
        self._open.move_to_end(session)
        await self._tidy()
        return Answered(HTTPStatus.OK)

    async def close(self) -> None:
        """Closes all."""
        while self._open:
            await self._drop(next(iter(self._open)))

    async def _connection(self, session: str, request: WebhookRequest) -> aiohttp.ClientWebSocketResponse:
        known = self._open.get(session)
        if known and not known[0].closed:
            return known[0]
        route = await self._egress.route(request.url)
        headers = {name: value for name, value in request.headers.items() if name not in PER_MESSAGE}
        connection = await self._client.ws_connect(
            route.url,
            headers=headers if route.host is None else {**headers, "Host": route.host},
            proxy=route.proxy,
            server_hostname=route.server_hostname,
            autoping=False,
            max_msg_size=MAX_MESSAGE_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_S),  # pyright: ignore[reportCallIssue]  # an attrs class
        )
        self._open[session] = connection, time.monotonic()
        return connection

    async def _pong(self, connection: aiohttp.ClientWebSocketResponse, name: bytes) -> None:
        """Pings, and reads until the pong of that ping.

        Raises:
            EOFError: the connection ended before.
        """
        payload = name[-125:]  # RFC 6455, 5.5: of a control frame at most
        await connection.ping(payload)
        while True:
            frame = await connection.receive()
            match frame.type:
                case aiohttp.WSMsgType.PONG if bytes(frame.data) == payload:
                    return
                case aiohttp.WSMsgType.PING:
                    await connection.pong(bytes(frame.data))
                case aiohttp.WSMsgType.TEXT | aiohttp.WSMsgType.BINARY | aiohttp.WSMsgType.PONG:
                    continue
                case _:
                    raise EOFError

    async def _drop(self, session: str) -> None:
        connection, _ = self._open.pop(session, (None, 0.0))
        if connection:
            await connection.close()

    async def _tidy(self) -> None:
        """Closes what is not used any more."""
        while self._open:
            session, (_, used_at_s) = next(iter(self._open.items()))
            if len(self._open) <= MAX_CONNECTIONS and time.monotonic() - used_at_s < IDLE_S:
                return
            await self._drop(session)


_REFUSED = NotSent("not_a_websocket")

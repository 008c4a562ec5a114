"""The server: websockets on `/v1/listen`, and an HTTP admin API under `/_emulator/` on the same port."""

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import orjson
from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as serve_websockets
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from emulators.deepgram.connection import Connection
from emulators.deepgram.ears import CODEC_EARS, Ears
from emulators.deepgram.faults import BadFaultError, Faults, Order, parse_order
from emulators.deepgram.messages import error_body
from emulators.deepgram.observations import Observation, Observations
from emulators.deepgram.query import TOO_MANY, UNAUTHORISED, Query, Refusal, parse_query

ADMIN_PATH = "/_emulator"
MAX_FRAME_BYTES = 1 << 20
CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the server behaves.

    `key` None accepts any token that is not empty. `max_connections` is the concurrency limit (150 streams
    per project at Deepgram). `keep_messages` remembers what was sent, transcripts included, for tests.
    """

    key: str | None = None
    max_connections: int = 150
    enforce_pace: bool = False
    interim_ms: int = 500
    keep_messages: bool = False


@dataclass(slots=True)
class DeepgramEmulator:
    """A running server: where it listens, what it saw, and what is to go wrong."""

    host: str
    options: Options
    ears: Ears
    secure: bool = False
    port: int = 0
    observations: Observations = field(default_factory=Observations)
    faults: Faults = field(default_factory=Faults)
    _open: dict[str, Connection] = field(default_factory=dict[str, Connection])
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """The address for `DEEPGRAM_API`."""
        return f"{'wss' if self.secure else 'ws'}://{self.host}:{self.port}/v1/listen"

    @property
    def open_connections(self) -> int:
        """How many streams are open now."""
        return len(self._open)

    async def until(self, predicate: Callable[[Observations], bool], *, timeout_s: float = 10.0) -> None:
        """Wait until what was observed satisfies `predicate`; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not predicate(self.observations):
                self._changed.clear()
                await self._changed.wait()

    async def order(self, order: Order) -> int:
        """Let a fault happen, now or to connections to come; returns how many open ones it befell."""
        if order.scope in ("next", "every"):
            self.faults.add(order)
            return 0
        befallen = [one for one in self._open.values() if order.suits(one.query)]
        befallen = befallen[:1] if order.scope == "one" else befallen
        await asyncio.gather(*(one.befall(order.fault) for one in befallen))
        return len(befallen)

    # Called by the websocket library.

    async def handshake(self, websocket: ServerConnection, request: Request) -> Response | None:
        """Answer admin requests and refuse what Deepgram would refuse; None lets the upgrade go on."""
        if urlsplit(request.path).path.startswith(ADMIN_PATH + "/"):
            return await self._admin(websocket, request)
        query = parse_query(request.path)
        refusal = query if isinstance(query, Refusal) else self._refusal(query, request)
        if refusal is None:
            return None
        body = error_body(refusal.code, refusal.message, str(websocket.id))
        response = _json(websocket, refusal.status, body)
        response.headers["dg-request-id"] = str(websocket.id)
        response.headers["dg-error"] = refusal.message
        return response

    def welcome(self, websocket: ServerConnection, _request: Request, response: Response) -> None:
        """Put the request's id on the answer to an upgrade."""
        if "dg-request-id" not in response.headers:
            response.headers["dg-request-id"] = str(websocket.id)

    async def listen(self, websocket: ServerConnection) -> None:
        """Serve one connection until it closes."""
        request = websocket.request
        query = parse_query(request.path) if request else None
        if not isinstance(query, Query):
            return
        observation = Observation(
            str(websocket.id), query.parameters, _now_ms(), keep_messages=self.options.keep_messages
        )
        connection = Connection(
            websocket,
            query,
            observation,
            model=self.ears.model,
            created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            enforce_pace=self.options.enforce_pace,
            interim_ms=self.options.interim_ms,
            changed=self._changed.set,
        )
        self.observations.open(observation)
        self._open[observation.id] = connection
        self._changed.set()
        try:
            await connection.run(self.ears, self.faults.fault(query))
        except ConnectionClosed:
            pass  # the peer's way to end is written down like any other
        finally:
            del self._open[observation.id]
            observation.closed_at_ms = _now_ms()
            observation.close_code = websocket.close_code or 1006
            self._changed.set()

    def _refusal(self, query: Query, request: Request) -> Refusal | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "token" or not token or self.options.key not in (None, token):
            return UNAUTHORISED
        if len(self._open) >= self.options.max_connections:
            return TOO_MANY
        return self.faults.refusal(query)

    async def _admin(self, websocket: ServerConnection, request: Request) -> Response:
        parts = urlsplit(request.path)
        match request.method, parts.path.removeprefix(ADMIN_PATH):
            case "GET", "/connections":
                return _json(websocket, 200, [seen.as_json() for seen in self.observations])
            case "GET", "/faults":
                return _json(websocket, 200, [_order_as_json(order) for order in self.faults.waiting])
            case "POST", "/faults":
                try:
                    befallen = await self.order(parse_order(dict(parse_qsl(parts.query))))
                except BadFaultError as error:
                    return _json(websocket, 400, {"error": str(error)})
                return _json(websocket, 200, {"befallen": befallen})
            case "DELETE", "/faults":
                self.faults.clear()
                return _json(websocket, 200, {})
            case _:
                return _json(websocket, 404, {"error": "GET connections; GET, POST or DELETE faults"})


def _order_as_json(order: Order) -> dict[str, object]:
    fault = order.fault
    return {
        "kind": fault.kind,
        "scope": order.scope,
        "count": order.count,
        "tag": order.tag,
        "after_s": fault.after_s,
    }


def _now_ms() -> float:
    return time.time_ns() / 1e6


def _json(websocket: ServerConnection, status: int, body: object) -> Response:
    phrase = HTTPStatus(status).phrase if status in HTTPStatus else ""
    response = websocket.respond(HTTPStatus.OK, orjson.dumps(body).decode())
    response.status_code, response.reason_phrase = status, phrase
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    return response


@asynccontextmanager
async def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ears: Ears = CODEC_EARS,
    options: Options | None = None,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[DeepgramEmulator]:
    """Run a server in this process while the context lasts; port 0 takes a free one."""
    emulator = DeepgramEmulator(host, options or Options(), ears, secure=tls is not None)
    server: Server = await serve_websockets(
        emulator.listen,
        host,
        port,
        ssl=tls,
        process_request=emulator.handshake,
        process_response=emulator.welcome,
        compression=None,  # costs 2.4 ms of CPU per second of call
        max_size=MAX_FRAME_BYTES,
        ping_interval=None,
        close_timeout=CLOSE_TIMEOUT_S,
        backlog=1024,
    )
    emulator.port = server.sockets[0].getsockname()[1]
    try:
        yield emulator
    finally:
        server.close(code=1012, reason="the server is restarting")
        await server.wait_closed()

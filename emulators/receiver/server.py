"""The HTTP server: requests, and text messages over websockets."""

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import WSMsgType, web
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from emulators.receiver.faults import Fault, Faults, TooManyFaults
from emulators.receiver.recorder import MAX_BODY_BYTES, MAX_REQUESTS, Received, Recorder, Signature

MAX_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files."""

    certificate: Path
    key: Path
    client_authority: Path | None = None
    """Whoever has no certificate of it gets no handshake (mTLS); None: nobody is asked."""

    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if self.client_authority:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.client_authority)
        return context


@dataclass(frozen=True, slots=True)
class ReceiverOptions:
    """What can be chosen about a receiver."""

    host: str = "127.0.0.1"
    port: int = 0
    """0: any free port."""
    secrets: Sequence[str] = ()
    """Standard Webhooks secrets, `whsec_…`; a request must be signed with one of them."""
    tls: Tls | None = None
    """None: no TLS."""


class Receiver:
    """A running receiver."""

    def __init__(self, options: ReceiverOptions, port: int, recorder: Recorder, faults: Faults) -> None:
        self.port = port
        self.url = f"{'https' if options.tls else 'http'}://{options.host}:{port}"
        self.recorder = recorder
        self.faults = faults


@asynccontextmanager
async def serve(options: ReceiverOptions) -> AsyncGenerator[Receiver]:
    """Listens until the context is left."""
    recorder, faults = Recorder(), Faults()
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    admin, callbacks = _Admin(recorder, faults), _Callbacks(recorder, faults, options.secrets)
    app.add_routes(
        [
            web.get("/_emulator/requests", admin.requests),
            web.get("/_emulator/count", admin.count),
            web.delete("/_emulator/requests", admin.forget),
            web.post("/_emulator/faults", admin.arm),
            web.delete("/_emulator/faults", admin.clear),
            web.post("/{path:.*}", callbacks.receive),
            web.put("/{path:.*}", callbacks.receive),
            web.get("/{path:.*}", callbacks.converse),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    tls = options.tls.context() if options.tls else None
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, options.port, ssl_context=tls)
        await site.start()
        port = int(runner.addresses[0][1])
        yield Receiver(options, port, recorder, faults)
    finally:
        for connection in runner.server.connections if runner.server and tls else ():
            if connection.transport:
                connection.transport.abort()  # TLS would wait for the peer's end of it
        await runner.cleanup()


class _Callbacks:
    def __init__(self, recorder: Recorder, faults: Faults, secrets: Sequence[str]) -> None:
        self._recorder = recorder
        self._faults = faults
        self._verifiers = [Webhook(secret) for secret in secrets]

    async def receive(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        signature = self._verify(body, headers)
        fault = self._faults.take(request.path)
        status = _status(signature, fault)
        self._recorder.record(
            lambda number, at_ms: Received(
                number=number,
                received_at_ms=at_ms,
                method=request.method,
                path=request.path_qs,
                headers=headers,
                body=body.decode(errors="replace"),
                signature=signature,
                status=status,
                peer_port=_peer_port(request),
            )
        )
        if fault:
            await asyncio.sleep(fault.delay_s)
            await _fail(request, fault)
        return web.Response(status=status or 200, headers=_headers(fault))

    async def converse(self, request: web.Request) -> web.StreamResponse:
        """A websocket: text messages are recorded, pings answered.

        A fault that answers refuses the handshake. With `drop` the connection is cut at the first ping, with
        `hang` no ping of it is answered.
        """
        headers = {name.lower(): value for name, value in request.headers.items()}
        fault = self._faults.take(request.path)
        if fault and fault.kind == "answer":
            return web.Response(status=fault.status, headers=_headers(fault))
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                self._record_text(request, headers, str(frame.data), None if fault else 200)
            elif frame.type is WSMsgType.PING and fault is None:
                await socket.pong(frame.data)
            elif fault and fault.kind == "drop" and request.transport:
                request.transport.abort()
        return socket

    def _record_text(
        self, request: web.Request, headers: dict[str, str], text: str, status: int | None
    ) -> None:
        self._recorder.record(
            lambda number, at_ms: Received(
                number=number,
                received_at_ms=at_ms,
                method="TEXT",
                path=request.path_qs,
                headers=headers,
                body=text,
                signature="unchecked",
                status=status,
                peer_port=_peer_port(request),
            )
        )

    def _verify(self, body: bytes, headers: dict[str, str]) -> Signature:
        if not self._verifiers:
            return "unchecked"
        for verifier in self._verifiers:
            try:
                verifier.verify(body, headers, json_parse=False)
            except (WebhookVerificationError, ValueError):
                continue
            return "valid"
        return "invalid"


def _peer_port(request: web.Request) -> int:
    peer: tuple[str, int] | None = request.transport.get_extra_info("peername") if request.transport else None
    return peer[1] if peer else 0


def _status(signature: Signature, fault: Fault | None) -> int | None:
    if fault:
        return fault.status if fault.kind == "answer" else None
    return 401 if signature == "invalid" else 200


def _headers(fault: Fault | None) -> dict[str, str]:
    wanted = {"Retry-After": fault.retry_after, "Location": fault.location} if fault else {}
    return {name: value for name, value in wanted.items() if value is not None}


async def _fail(request: web.Request, fault: Fault) -> None:
    if fault.kind == "hang":
        await asyncio.Event().wait()
    if fault.kind == "drop" and request.transport:
        request.transport.abort()


class _Admin:
    def __init__(self, recorder: Recorder, faults: Faults) -> None:
        self._recorder = recorder
        self._faults = faults

    async def requests(self, request: web.Request) -> web.Response:
        try:
            since = int(request.query.get("since", "0"))
            wait_s = min(float(request.query.get("wait_s", "0")), MAX_WAIT_S)
            limit = min(int(request.query.get("limit", "1000")), MAX_REQUESTS)
        except ValueError as error:
            raise web.HTTPUnprocessableEntity(text=str(error)) from error
        found = (
            await self._recorder.wait_after(since, wait_s, limit)
            if wait_s > 0
            else self._recorder.after(since, limit)
        )
        return web.json_response(
            {
                "requests": [dataclasses.asdict(each) for each in found],
                "next": found[-1].number if found else since,
            }
        )

    async def count(self, _: web.Request) -> web.Response:
        return web.json_response({"count": self._recorder.count})

    async def forget(self, _: web.Request) -> web.Response:
        self._recorder.clear()
        return web.json_response({})

    async def arm(self, request: web.Request) -> web.Response:
        try:
            self._faults.arm(Fault.model_validate_json(await request.read()))
        except ValidationError as error:
            return web.json_response(
                {"error": error.errors(include_url=False, include_context=False)}, status=422
            )
        except TooManyFaults as error:
            return web.json_response({"error": str(error)}, status=429)
        return web.json_response({})

    async def clear(self, _: web.Request) -> web.Response:
        self._faults.clear()
        return web.json_response({})

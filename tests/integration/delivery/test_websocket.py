"""`ws://` callbacks: what the receiver gets, and what counts as sent."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import WSMsgType, web

from tests.integration.delivery.surroundings import Process, Surroundings, become
from tests.unit.delivery.messages import CONTACT, message

pytestmark = pytest.mark.usefixtures("process")


@pytest.fixture(scope="module")
def process(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    settings = {"CALLBACK_TOKEN": "constant", "CALLBACK_TIMEOUT_S": "1", "RETRY_FOR_S": "60"}
    process = Process(surroundings, tmp_path_factory.mktemp("delivery"), settings)
    process.start()
    yield process
    process.stop()


@dataclass(slots=True)
class Listener:
    """A receiver of text messages."""

    url: str = ""
    handshakes: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    texts: list[str] = field(default_factory=list[str])
    refusals: int = 0
    """Handshakes that are answered 503."""
    cuts: int = 0
    """Connections that are cut in place of a pong."""
    elsewhere: int = 0
    """Requests at the place to which `redirect` points."""

    async def receive(self, request: web.Request) -> web.StreamResponse:
        self.handshakes.append({name.lower(): value for name, value in request.headers.items()})
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                self.texts.append(frame.data)
            elif frame.type is WSMsgType.PING and not self.cuts:
                await socket.pong(frame.data)
            elif request.transport:
                self.cuts -= 1
                request.transport.abort()
        return socket

    async def redirect(self, request: web.Request) -> web.StreamResponse:
        self.handshakes.append({name.lower(): value for name, value in request.headers.items()})
        raise web.HTTPFound("/elsewhere")

    async def be_elsewhere(self, request: web.Request) -> web.StreamResponse:
        del request
        self.elsewhere += 1
        return web.Response()


@asynccontextmanager
async def listening() -> AsyncGenerator[Listener]:
    listener = Listener()
    app = web.Application()
    app.add_routes(
        [
            web.get("/calls", listener.receive),
            web.get("/moved", listener.redirect),
            web.get("/elsewhere", listener.be_elsewhere),
        ]
    )
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        listener.url = f"ws://user:pass@127.0.0.1:{runner.addresses[0][1]}/calls"
        yield listener
    finally:
        await runner.cleanup()


async def test_messages_go_over_one_connection_as_deepgram_wrote_them(
    surroundings: Surroundings, session: str
) -> None:
    async with listening() as listener:
        surroundings.add_session(session, listener.url)
        now_ms = time.time_ns() // 1_000_000
        messages = [message(n, k, session=session, at_ms=now_ms) for n, k in ((1, 0), (1, 1), (2, 0))]
        await asyncio.to_thread(surroundings.send, *messages)
        await become(lambda: surroundings.mark(session), (2, 0))
        assert listener.texts == [each.message for each in messages]
        [handshake] = listener.handshakes
        assert handshake["x-session-id"] == session
        assert handshake["x-contact-id"] == CONTACT
        assert handshake["dg-token"] == "constant"
        assert handshake["authorization"] == "Basic dXNlcjpwYXNz"
        assert handshake["traceparent"].startswith(f"00-{session}-")
        assert not {name for name in handshake if name.startswith("webhook-")}


async def test_a_final_without_a_pong_is_sent_again_over_a_new_connection(
    surroundings: Surroundings, session: str
) -> None:
    async with listening() as listener:
        listener.cuts = 1
        surroundings.add_session(session, listener.url)
        await asyncio.to_thread(surroundings.say, session, 1, 2)
        await become(lambda: surroundings.mark(session), (2, 0))
        first, second = (message(n, session=session).message for n in (1, 2))
        assert listener.texts == [first, first, second]
        assert len(listener.handshakes) == 2


async def test_a_refused_handshake_is_tried_again(surroundings: Surroundings, session: str) -> None:
    async with listening() as listener:
        listener.refusals = 2
        surroundings.add_session(session, listener.url)
        await asyncio.to_thread(surroundings.say, session, 1)
        await become(lambda: surroundings.mark(session), (1, 0))
        assert len(listener.handshakes) == 3
        assert len(listener.texts) == 1


async def test_a_redirect_is_not_followed(surroundings: Surroundings, session: str) -> None:
    async with listening() as listener:
        surroundings.add_session(session, listener.url.replace("/calls", "/moved"))
        surroundings.send(message(1, session=session))
        await become(lambda: len(listener.handshakes) > 1, True)
        assert listener.elsewhere == 0

"""The HTTP client against a real server: what it reaches, what it waits for, what it says."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network

import aiohttp
import pytest
from aiohttp import web

from contracts.session import Callback
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from services.delivery.adapters.egress import Egress, EgressPolicy
from services.delivery.adapters.endpoint import Endpoints
from services.delivery.adapters.websocket import CLOSE_S, Websockets
from services.delivery.destination import read_destination
from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome
from services.delivery.webhook import Credentials, WebhookRequest, prepare
from tests.unit.delivery.messages import message

LOOPBACK = [ip_network("127.0.0.0/8")]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with serve(ReceiverOptions()) as started:
        yield started


def to(url: str) -> WebhookRequest:
    return WebhookRequest("POST", url, {"Content-Type": "application/json"}, b"{}")


def policy(*, allowed: bool = True) -> EgressPolicy:
    return EgressPolicy(allowed=LOOPBACK if allowed else [], ports=[range(1, 65_536)])


async def post(url: str, *, allowed: bool = True, timeout_s: float = 5.0) -> Outcome:
    async with Endpoints(policy(allowed=allowed), timeout_s) as endpoints:
        return await endpoints.post(to(url))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0", "0.0.0.0",  # noqa: S104 -- a target
        "[::ffff:127.0.0.1]", "[::1]", "[::]", "①②⑦.⓪.⓪.①", "127。0。0。1", "%31%32%37.0.0.1", "localhost.",
        "127.0.0.1.", "user@127.0.0.1", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
    ],
)  # fmt: skip
async def test_no_spelling_of_a_private_address_reaches_a_listener(receiver: Receiver, host: str) -> None:
    outcome = await post(f"http://{host}:{receiver.port}/", allowed=False)
    assert isinstance(outcome, NotSent | NotAnswered)
    assert not receiver.recorder.received


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_private_address_that_is_named_is_told_so(receiver: Receiver, host: str) -> None:
    assert await post(f"http://{host}:{receiver.port}/", allowed=False) == NotSent("forbidden_address")


async def test_a_network_that_the_operator_allows_is_reached(receiver: Receiver) -> None:
    assert await post(receiver.url) == Answered(200)


async def test_the_answers_status_and_retry_after_are_told(receiver: Receiver) -> None:
    receiver.faults.arm(Fault(status=429, retry_after="9"))
    assert await post(receiver.url) == Answered(429, 9)


async def test_a_redirect_is_an_answer(receiver: Receiver) -> None:
    receiver.faults.arm(Fault(status=302, location=f"{receiver.url}/elsewhere"))
    assert await post(receiver.url) == Answered(302)
    assert len(receiver.recorder.received) == 1


async def test_an_endpoint_that_never_answers_costs_the_time_limit(receiver: Receiver) -> None:
    receiver.faults.arm(Fault(kind="hang"))
    began_s = time.monotonic()
    assert await post(receiver.url, timeout_s=0.3) == NotAnswered("timeout")
    assert time.monotonic() - began_s < 2


async def test_a_connection_that_is_cut_is_no_answer(receiver: Receiver) -> None:
    receiver.faults.arm(Fault(kind="drop"))
    assert await post(receiver.url) == NotAnswered("connection")


async def test_a_port_where_nobody_listens_is_no_answer() -> None:
    async with serve(ReceiverOptions()) as receiver:
        url = receiver.url
    assert await post(url) == NotAnswered("connection")


async def test_a_name_that_does_not_exist_is_no_answer() -> None:
    assert await post("http://nowhere.invalid/") == NotAnswered("connection")


async def test_plain_http_where_tls_is_expected_is_no_answer(receiver: Receiver) -> None:
    assert await post(receiver.url.replace("http:", "https:")) == NotAnswered("tls")


async def test_one_connection_serves_many_requests(receiver: Receiver) -> None:
    async with Endpoints(policy()) as endpoints:
        for _ in range(5):
            assert await endpoints.post(to(receiver.url)) == Answered(200)
    assert len({request.peer_port for request in receiver.recorder.received}) == 1


async def test_nobody_waits_for_the_end_of_connections_whose_peers_take_no_part_in_it() -> None:
    async def be_deaf(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await asyncio.Event().wait()
        return socket

    app = web.Application()
    app.add_routes([web.get("/", be_deaf)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    request = WebhookRequest("POST", f"ws://127.0.0.1:{runner.addresses[0][1]}/", {}, b"{}")
    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as readers:
        websockets = Websockets(client, Egress(policy()), readers, 60.0, idle_s=0.0)
        async with asyncio.timeout(8 * CLOSE_S):
            for n in range(20):
                each = replace(request, headers={"x-session-id": str(n)})
                assert await websockets.send(each, logged=False) == Answered(200)
        await websockets.close()
    await runner.cleanup()


@pytest.mark.parametrize("status", [429, 503])
async def test_a_refused_handshake_says_when_to_try_again(receiver: Receiver, status: int) -> None:
    receiver.faults.arm(Fault(status=status, retry_after="7", count=1))
    destination = read_destination(Callback(url=receiver.url.replace("http", "ws")), [range(1, 65_536)])
    request = prepare(message(1), "{}", destination, Credentials(), 0)
    async with Endpoints(policy()) as endpoints:
        assert await endpoints.send(request, destination, logged=True) == Answered(status, 7.0)
        assert await endpoints.send(request, destination, logged=True) == Answered(200)

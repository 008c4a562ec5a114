"""TLS as receivers have it, and an HTTP proxy on the way."""

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from contracts.session import Callback
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from services.delivery.adapters.egress import EgressPolicy
from services.delivery.adapters.endpoint import Endpoints
from services.delivery.destination import read_destination
from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome
from services.delivery.webhook import Credentials, prepare
from tests.integration.delivery.certificates import Certificates, make
from tests.integration.delivery.names import Names
from tests.unit.delivery.messages import message

LOOPBACK = [ip_network("127.0.0.0/8")]
PORTS = [range(1, 65_536)]
WITHIN_S = 10.0
NAMES = {
    "hooks.example": [["127.0.0.1"]],
    "localhost": [["127.0.0.1"]],
    "inside.example": [["10.0.0.1"]],
    "two.example": [["10.0.0.1", "127.0.0.2", "127.0.0.1"]],
    "six.example": [["::1"]],
    "both.example": [["::1", "127.0.0.1"]],
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make(tmp_path_factory.mktemp("certificates"))


@dataclass(slots=True)
class Server:
    """Answers 200 over TLS and remembers who asked."""

    port: int = 0
    hosts: list[str] = field(default_factory=list[str])
    clients: list[object] = field(default_factory=list[object])

    async def receive(self, request: web.Request) -> web.Response:
        self.hosts.append(request.host)
        self.clients.append(request.get_extra_info("peercert"))
        return web.Response()


@asynccontextmanager
async def https(certificates: Certificates, *, asks_for_client: bool = False) -> AsyncGenerator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.certificate, certificates.server.key)
    if asks_for_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates.authority)
    server = Server()
    app = web.Application()
    app.add_routes([web.post("/{path:.*}", server.receive)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        server.port = int(runner.addresses[0][1])
        yield server
    finally:
        await runner.cleanup()


async def post(policy: EgressPolicy, url: str) -> Outcome:
    destination = read_destination(Callback(url=url), PORTS)
    request = prepare(message(1), "{}", destination, Credentials(), 0)
    async with Endpoints(policy, 5.0, Names(NAMES)) as endpoints:
        return await endpoints.send(request, destination, logged=True)


async def test_a_certificate_of_an_unknown_authority_is_not_accepted(certificates: Certificates) -> None:
    async with https(certificates) as server:
        outcome = await post(EgressPolicy(LOOPBACK, PORTS), f"https://hooks.example:{server.port}/")
    assert outcome == NotAnswered("tls")
    assert not server.hosts


async def test_an_authority_of_the_operators_own_is_accepted(certificates: Certificates) -> None:
    policy = EgressPolicy(LOOPBACK, PORTS, ca_file=certificates.authority)
    async with https(certificates) as server:
        assert await post(policy, f"https://hooks.example:{server.port}/") == Answered(200)
        assert await post(policy, f"https://127.0.0.1:{server.port}/") == NotAnswered("tls")
    assert server.hosts == [f"hooks.example:{server.port}"]


async def test_a_receiver_that_asks_for_a_clients_certificate_gets_it(certificates: Certificates) -> None:
    without = EgressPolicy(LOOPBACK, PORTS, ca_file=certificates.authority)
    policy = EgressPolicy(
        LOOPBACK,
        PORTS,
        ca_file=certificates.authority,
        client_cert_file=certificates.client.certificate,
        client_key_file=certificates.client.key,
    )
    async with https(certificates, asks_for_client=True) as server:
        url = f"https://hooks.example:{server.port}/"
        assert isinstance(await post(without, url), NotAnswered)
        assert await post(policy, url) == Answered(200)
    [shown] = server.clients
    assert "client" in str(shown)


@dataclass(slots=True)
class Proxy:
    """Passes connections on, and remembers what it was asked for."""

    port: int = 0
    asked: list[str] = field(default_factory=list[str])
    headers: list[str] = field(default_factory=list[str])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, _, headers = head.partition("\r\n")
        method, target, _ = line.split()
        self.asked.append(f"{method} {target}")
        self.headers.append(headers)
        host, _, port = target.removeprefix("http://").partition("/")[0].rpartition(":")
        try:
            onward_reader, onward_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return writer.close()
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = "/" + target.removeprefix("http://").partition("/")[2]
            onward_writer.write(f"{method} {path} HTTP/1.1\r\n{headers}".encode())
        async with asyncio.TaskGroup() as both:
            both.create_task(_pipe(reader, onward_writer))
            both.create_task(_pipe(onward_reader, writer))
        return None


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxy() -> AsyncGenerator[Proxy]:
    made = Proxy()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


async def test_a_proxy_is_given_the_address_that_was_checked(certificates: Certificates) -> None:
    async with https(certificates) as server, proxy() as between:
        policy = EgressPolicy(
            LOOPBACK,
            PORTS,
            proxy=f"http://user:phrase@127.0.0.1:{between.port}",
            ca_file=certificates.authority,
        )
        assert await post(policy, f"https://hooks.example:{server.port}/x") == Answered(200)
        assert between.asked == [f"CONNECT 127.0.0.1:{server.port}"]
        assert "Proxy-Authorization: Basic dXNlcjpwaHJhc2U=" in between.headers[0]
        assert server.hosts == [f"hooks.example:{server.port}"]


async def test_plain_http_goes_through_the_proxy_too() -> None:
    async with serve(ReceiverOptions()) as receiver, proxy() as between:
        policy = EgressPolicy(LOOPBACK, PORTS, proxy=f"http://127.0.0.1:{between.port}")
        assert await post(policy, f"http://hooks.example:{receiver.port}/x") == Answered(200)
        assert between.asked == [f"POST http://127.0.0.1:{receiver.port}/x"]
        [received] = receiver.recorder.received
        assert received.headers["host"] == f"hooks.example:{receiver.port}"


async def test_of_the_addresses_that_are_allowed_the_next_is_tried(certificates: Certificates) -> None:
    async with https(certificates) as server, proxy() as between:
        policy = EgressPolicy(
            [*LOOPBACK, ip_network("::1/128")],
            PORTS,
            proxy=f"http://127.0.0.1:{between.port}",
            ca_file=certificates.authority,
        )
        outcome = await post(policy, f"https://two.example:{server.port}/")
        assert outcome == NotAnswered("tls")  # of a server with another name
        assert between.asked == [f"CONNECT 127.0.0.{last}:{server.port}" for last in (2, 1)]
        between.asked.clear()
        assert await post(policy, f"https://six.example:{between.port + 1}/") == NotAnswered("connection")
        await post(policy, f"https://both.example:{server.port}/")
        assert between.asked == [f"CONNECT [::1]:{between.port + 1}", f"CONNECT 127.0.0.1:{server.port}"]


async def test_a_websocket_goes_through_a_tunnel(receiver: Receiver) -> None:
    async with proxy() as between:
        policy = EgressPolicy(LOOPBACK, PORTS, proxy=f"http://127.0.0.1:{between.port}")
        assert await post(policy, f"ws://hooks.example:{receiver.port}/x") == Answered(200)
        assert between.asked == [f"CONNECT 127.0.0.1:{receiver.port}"]
        [received] = receiver.recorder.received
        assert (received.body, received.headers["host"]) == ("{}", f"hooks.example:{receiver.port}")


class Silent(Names):
    """Does not answer."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        await super().resolve(host, port, family)
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_a_name_that_nobody_answers_for_takes_no_longer_than_an_attempt(scheme: str) -> None:
    policy = EgressPolicy(LOOPBACK, PORTS, proxy="http://127.0.0.1:1")
    names = Silent(NAMES)
    destination = read_destination(Callback(url=f"{scheme}://hooks.example/"), PORTS)
    request = prepare(message(1), "{}", destination, Credentials(), 0)
    async with Endpoints(policy, 0.1, names) as endpoints, asyncio.timeout(WITHIN_S):
        assert await endpoints.send(request, destination, logged=True) == NotAnswered("timeout")
    assert names.families == {socket.AF_UNSPEC}


async def test_a_proxy_is_not_asked_for_what_is_forbidden() -> None:
    async with proxy() as between:
        policy = EgressPolicy(LOOPBACK, PORTS, proxy=f"http://127.0.0.1:{between.port}")
        assert await post(policy, "http://inside.example/") == NotSent("forbidden_address")
        assert await post(policy, "https://10.0.0.1/") == NotAnswered("connection")  # a name nobody knows
        assert not between.asked


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    async with serve(ReceiverOptions()) as started:
        yield started


async def test_the_proxy_itself_may_be_private(receiver: Receiver) -> None:
    async with proxy() as between:
        policy = EgressPolicy((), PORTS, proxy=f"http://127.0.0.1:{between.port}")
        assert await post(policy, f"http://hooks.example:{receiver.port}/") == NotSent("forbidden_address")
        assert not between.asked

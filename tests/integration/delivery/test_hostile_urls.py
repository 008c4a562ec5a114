"""What a contact flow might have as a callback to reach inside: nothing of it reaches a listener."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from ipaddress import ip_network

import pytest

from contracts.session import Callback
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from services.delivery.adapters.egress import EgressPolicy
from services.delivery.adapters.endpoint import Endpoints
from services.delivery.destination import read_destination
from services.delivery.outcome import Answered, NotAnswered, NotSent, Outcome
from services.delivery.webhook import Credentials, prepare
from tests.integration.delivery.names import Names
from tests.unit.delivery.messages import message

PORTS = [range(1, 65_536)]
HOSTS = [
    # loopback, as any program may write it
    "127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "0", "0.0.0.0", "0.0.0.1",  # noqa: S104 -- targets
    "2130706433", "0x7f000001", "0x7f.0x0.0x0.0x1", "0x7f.1", "0177.0.0.1", "0177.1", "00000177.0.0.1",
    "017700000001", "127.0.0.1.", "127.000.000.001", "127.0.0.01", "0x7F000001", "4294967296",
    # in IPv6
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b:1::127.0.0.1]", "[2002:7f00:1::]", "[2001:0:7f00:1::1]", "[::1%lo]",
    "[::1%25lo]", "[fe80::1]", "[fe80::1%25lo]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[ff01::1]",
    # names of it
    "localhost", "LOCALHOST", "localhost.", "localhost.localdomain", "ip6-localhost", "a.localhost",
    # characters that some programs read as others
    "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "loc\u00adalhost", "127.0.0.1%00.hooks.example", "127.0.0.1%23.hooks.example",
    # where the host seems to be another
    "hooks.example@127.0.0.1", "hooks.example:80@127.0.0.1", "127.0.0.1#@hooks.example",
    "127.0.0.1?@hooks.example", "hooks.example%40127.0.0.1", "a@b@127.0.0.1", "hooks.example\\@127.0.0.1",
    # metadata services, private and reserved networks
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
    "[::ffff:a9fe:a9fe]", "[2002:a9fe:a9fe::]", "10.0.0.1", "10.255.255.1", "172.16.0.1", "172.31.255.255",
    "192.168.0.1", "192.168.1.1", "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255",
]  # fmt: skip
URLS = [
    *(f"http://{host}:{{port}}/" for host in HOSTS),
    "https://127.0.0.1:{port}/", "ws://127.0.0.1:{port}/", "wss://[::1]:{port}/", "HTTP://127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/", "http:127.0.0.1:{port}/", "http:///127.0.0.1:{port}/", "//127.0.0.1:{port}/",
    "http://127.0.0.1:{port}", " http://127.0.0.1:{port}/", "http://\t127.0.0.1:{port}/",
    "http://127.0.0.1\r\n:{port}/", "http://127.0.0.1:{port}/ HTTP/1.1\r\nX: y", "unix:///run/docker.sock",
    "file:///etc/passwd", "ftp://127.0.0.1:{port}/", "gopher://127.0.0.1:{port}/_x", "dict://127.0.0.1:{port}/",
    "ldap://127.0.0.1:{port}/", "tcp://127.0.0.1:{port}/", "http+unix://%2Frun%2Fdocker.sock/",
    "jar:http://127.0.0.1:{port}/", "data:text/plain,x", "javascript:alert(1)", "http://",
]  # fmt: skip


@dataclass(slots=True)
class Trap:
    """Listeners that must never be reached."""

    port: int = 0
    reached: list[object] = field(default_factory=list[object])

    async def touch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reached.append(writer.get_extra_info("peername"))
        writer.close()
        await reader.read()


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    made = Trap()
    first = await asyncio.start_server(made.touch, "127.0.0.1", 0)
    made.port = first.sockets[0].getsockname()[1]
    servers = [first]
    for address in ("127.0.0.2", "::1"):
        try:
            servers.append(await asyncio.start_server(made.touch, address, made.port))
        except OSError:
            continue  # a machine without IPv6
    yield made
    for server in servers:
        server.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with serve(ReceiverOptions()) as started:
        yield started


async def call(endpoints: Endpoints, url: str, ports: list[range] = PORTS) -> Outcome:
    """As delivery does."""
    destination = read_destination(Callback(url=url), ports)
    if destination.fault:
        return NotSent(destination.fault)
    request = prepare(message(1), "{}", destination, Credentials(), 0)
    return await endpoints.send(request, destination, logged=True)


def test_there_are_more_than_enough_of_them() -> None:
    assert len(set(URLS)) >= 60


@pytest.mark.parametrize("url", URLS)
async def test_no_hostile_url_reaches_a_listener(trap: Trap, url: str) -> None:
    async with Endpoints(EgressPolicy(ports=PORTS), timeout_s=3.0) as endpoints:
        outcome = await call(endpoints, url.format(port=trap.port))
    assert isinstance(outcome, NotSent | NotAnswered)
    assert not trap.reached


@pytest.mark.parametrize("url", URLS)
async def test_no_hostile_url_is_given_to_a_proxy(trap: Trap, url: str) -> None:
    policy = EgressPolicy(ports=PORTS, proxy=f"http://127.0.0.1:{trap.port}")
    async with Endpoints(policy, timeout_s=3.0) as endpoints:
        outcome = await call(endpoints, url.format(port=trap.port))
    assert isinstance(outcome, NotSent | NotAnswered)
    assert not trap.reached


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_a_listener_is_reached_when_its_network_is_allowed(trap: Trap, host: str) -> None:
    """The traps work."""
    policy = EgressPolicy(allowed=[ip_network("127.0.0.0/8")], ports=PORTS)
    async with Endpoints(policy) as endpoints:
        assert await call(endpoints, f"http://{host}:{trap.port}/") == NotAnswered("connection")
    assert trap.reached


async def test_a_name_that_is_bound_to_another_address_is_checked_at_every_connection(trap: Trap) -> None:
    names = Names({"rebind.example": [["127.0.0.3"], ["127.0.0.1"]]})
    policy = EgressPolicy(allowed=[ip_network("127.0.0.3/32")], ports=PORTS)
    elsewhere = Trap()
    server = await asyncio.start_server(elsewhere.touch, "127.0.0.3", trap.port)
    url = f"http://rebind.example:{trap.port}/"
    for expected in (NotAnswered("connection"), NotSent("forbidden_address")):
        async with Endpoints(policy, resolver=names) as endpoints:
            assert await call(endpoints, url) == expected
    server.close()
    assert names.asked == ["rebind.example"] * 2
    assert elsewhere.reached
    assert not trap.reached


async def test_the_address_that_was_checked_is_the_one_that_is_used(trap: Trap) -> None:
    """The name is asked for once per connection: a second answer for the socket is no way in."""
    names = Names({"toctou.example": [["203.0.113.9"], ["127.0.0.1"]]})
    async with Endpoints(EgressPolicy(ports=PORTS), resolver=names) as endpoints:
        outcome = await call(endpoints, f"http://toctou.example:{trap.port}/")
    assert outcome == NotSent("forbidden_address")
    assert names.asked == ["toctou.example"]
    assert not trap.reached


@pytest.mark.parametrize("addresses", [["127.0.0.3", "127.0.0.1"], ["127.0.0.1", "127.0.0.3"]])
async def test_of_several_addresses_only_an_allowed_one_is_tried(trap: Trap, addresses: list[str]) -> None:
    names = Names({"several.example": [addresses]})
    policy = EgressPolicy(allowed=[ip_network("127.0.0.3/32")], ports=PORTS)
    async with Endpoints(policy, resolver=names) as endpoints:
        outcome = await call(endpoints, f"http://several.example:{trap.port}/")
    assert isinstance(outcome, NotSent | NotAnswered)
    assert not trap.reached


async def test_a_redirect_to_the_inside_is_not_followed(trap: Trap, receiver: Receiver) -> None:
    receiver.faults.arm(Fault(status=302, location=f"http://127.0.0.1:{trap.port}/"))
    policy = EgressPolicy(allowed=[ip_network("127.0.0.0/8")], ports=PORTS)
    async with Endpoints(policy) as endpoints:
        assert await call(endpoints, receiver.url) == Answered(302)
    assert not trap.reached


async def test_a_port_that_is_not_allowed_is_not_reached(trap: Trap) -> None:
    policy = EgressPolicy(allowed=[ip_network("127.0.0.0/8")], ports=[range(80, 81)])
    async with Endpoints(policy) as endpoints:
        assert await call(endpoints, f"http://127.0.0.1:{trap.port}/", PORTS) == NotSent("forbidden_port")
        assert await call(endpoints, f"http://127.0.0.1:{trap.port}/", [range(80, 81)]) == NotSent(
            "forbidden_port"
        )
    assert not trap.reached


async def test_an_environment_that_names_a_proxy_changes_nothing(
    trap: Trap, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{trap.port}")
    policy = EgressPolicy(allowed=[ip_network("127.0.0.0/8")], ports=PORTS)
    async with Endpoints(policy) as endpoints:
        assert await call(endpoints, receiver.url) == Answered(200)
    assert not trap.reached


async def test_an_answer_without_an_end_costs_no_memory_and_is_an_answer() -> None:
    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + bytes(65_536) + b"\r\n")
                await writer.drain()
        except OSError:
            writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    policy = EgressPolicy(allowed=[ip_network("127.0.0.0/8")], ports=PORTS)
    async with Endpoints(policy, timeout_s=5.0) as endpoints:
        assert await call(endpoints, url) == Answered(200)
    server.close()

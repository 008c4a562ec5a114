"""Fifty dead endpoints beside a hundred and fifty live calls: the live ones do not notice.

Two deliveries run at the same time on the same machine, each with a queue, a table and a receiver of its own
and 150 live calls; the second has fifty calls more, whose endpoints are dead. What else the machine does
falls on both alike, so that their difference is the dead endpoints' doing: compared is the time from the
receipt of a message to its request, of the live calls.

The slowest hundredth is what a busy machine disturbs first, by whole turns of its scheduler, and it may
strike one side more than the other. It strikes for a moment: the window is cut into parts, each has a ratio
of its own, and their median is compared. Whatever the dead endpoints cost, they cost in every part.
"""

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from embedded import resources
from embedded.aws import AwsEndpoint, embedded_aws
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from tests.integration.delivery.surroundings import Process, Surroundings, become, ids
from tests.system.delivery_load import Load, LoadedCall, handled_ms, quantile

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(240)]
LIVE = 150
DEAD = 50
MESSAGES_PER_CALL_S = 0.4
WARM_UP_S = 4.0
WINDOW_S = 45.0
ALLOWED = 1.5
PARTS = 9
"""Of the window, each with a ratio of its own."""
SETTINGS = {
    "LOG_LEVEL": "DEBUG",
    "RETRY_FOR_S": "86400",
    # A fifth of the defaults: what an outage brings with it, brings it within the window.
    "CALLBACK_TIMEOUT_S": "2",
    "PARK_FROM_S": "2",
    "PARK_BEHIND_S": "6",
    "RETRY_SCHEDULE_S": "0.1 0.2 0.4 1 2 6 12 24 60 180",
    "PROBE_SCHEDULE_S": "0.2 0.4 1 2 4 6",
    "LOOK_EVERY_S": "1",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@dataclass
class Side:
    """One delivery with its calls."""

    surroundings: Surroundings
    process: Process
    load: Load
    receiver: Receiver
    live: list[LoadedCall] = field(default_factory=list[LoadedCall])

    def begin(self, urls: list[str]) -> None:
        for url in [self.receiver.url] * LIVE + urls:
            session = uuid.uuid4().hex
            self.load.begin(session, f"{url}/{session}")
        self.live = self.load.calls[:LIVE]

    @property
    def dead(self) -> list[LoadedCall]:
        return self.load.calls[LIVE:]

    @property
    def handled_ms(self) -> list[float]:
        """From receipt to request, of the live calls so far."""
        return handled_ms(self.process.log, {call.session for call in self.live})

    @property
    def cpu_s(self) -> float:
        """That delivery used so far."""
        stat = Path(f"/proc/{self.process.child.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
async def sides(aws: AwsEndpoint, tmp_path: Path) -> AsyncGenerator[tuple[Side, Side]]:
    """Alone, and beside dead endpoints."""
    async with AsyncExitStack() as stack:
        made: list[Side] = []
        for name in ("alone", "beside"):
            surroundings = Surroundings(aws, resources.create(aws, f"t-{uuid.uuid4().hex[:8]}"))
            process = Process(surroundings, tmp_path / name, SETTINGS)
            await asyncio.to_thread(process.start)
            stack.callback(process.stop)
            receiver = await stack.enter_async_context(serve(ReceiverOptions()))
            made.append(Side(surroundings, process, Load(surroundings), receiver))
        yield made[0], made[1]


@pytest.fixture
async def dead_urls() -> AsyncGenerator[list[str]]:
    """A third each refuses connections, takes them and never answers, and does not answer them either."""
    async with AsyncExitStack() as stack:
        urls: list[str] = []
        for at in range(DEAD):
            host = f"127.0.1.{at + 1}"
            match at % 3:
                case 0:
                    async with serve(ReceiverOptions(host=host)) as closed:
                        urls.append(closed.url)
                case 1:
                    hanging = await stack.enter_async_context(serve(ReceiverOptions(host=host)))
                    hanging.faults.arm(Fault(kind="hang"))
                    urls.append(hanging.url)
                case _:
                    urls.append(black_hole(host, stack))
        yield urls


def black_hole(host: str, stack: AsyncExitStack) -> str:
    """The URL of a listener whose queue is full: further connections get no answer (listen(2), `backlog`)."""
    listener = stack.enter_context(socket.create_server((host, 0), backlog=0))
    address = listener.getsockname()
    for _ in range(3):
        filling = stack.enter_context(socket.socket())
        filling.setblocking(False)
        filling.connect_ex(address)
    return f"http://{host}:{address[1]}"


async def test_fifty_dead_endpoints_do_not_delay_live_calls(
    sides: tuple[Side, Side], dead_urls: list[str]
) -> None:
    alone, beside = sides
    await asyncio.to_thread(alone.begin, [])
    await asyncio.to_thread(beside.begin, dead_urls)
    await speak(sides, WARM_UP_S)  # connections are made, headers read
    before = [len(side.handled_ms) for side in sides]
    cpu_before_s = [side.cpu_s for side in sides]
    await speak(sides, WINDOW_S)
    handled = [side.handled_ms[start:] for side, start in zip(sides, before, strict=True)]
    cpu_s = [side.cpu_s - start_s for side, start_s in zip(sides, cpu_before_s, strict=True)]
    p99 = [quantile(values, 0.99) for values in handled]
    for name, values, used_s in zip(("alone", f"beside {DEAD} dead"), handled, cpu_s, strict=True):
        print(
            f"\n{LIVE} live calls {name}: receive to request p50 {quantile(values, 0.5):.1f} ms,"
            f" p99 {quantile(values, 0.99):.1f} ms, {len(values)} requests, CPU {used_s / WINDOW_S:.0%}",
            end="",
        )
    ratios = sorted(quantile(b, 0.99) / quantile(a, 0.99) for a, b in zip(*map(parts, handled), strict=True))
    print(
        f"; p99 ratio {p99[1] / p99[0]:.2f}, of {PARTS} parts {', '.join(f'{each:.2f}' for each in ratios)}"
    )
    assert min(len(values) for values in handled) >= 0.9 * LIVE * MESSAGES_PER_CALL_S * WINDOW_S
    assert median(ratios) <= ALLOWED
    await become(
        lambda: {beside.surroundings.parked(call.session) is not None for call in beside.dead}, {True}, 30
    )
    for side in sides:
        expected = [(call.finals, 0) for call in side.live]
        await become(lambda: [side.surroundings.mark(call.session) for call in side.live], expected, 30)  # noqa: B023 -- called at once
        for call in side.live:
            took = [each for each in side.receiver.recorder.received if each.path == f"/{call.session}"]
            assert [int(each) for each in ids(took) if "." not in each] == list(range(1, call.finals + 1))
            assert side.surroundings.parked(call.session) is None
        await asyncio.to_thread(side.process.child.check)


def parts(values: list[float]) -> list[list[float]]:
    """In their order, equally many in each; both sides speak at one rate, so that parts are simultaneous."""
    size = len(values) // PARTS
    return [values[at * size : (at + 1) * size] for at in range(PARTS)]


async def speak(sides: tuple[Side, Side], duration_s: float) -> None:
    async with asyncio.TaskGroup() as speaking:
        for side in sides:
            speaking.create_task(side.load.speak(duration_s, MESSAGES_PER_CALL_S))

"""Fifty dead endpoints beside a hundred and fifty live calls: the live ones do not notice."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from embedded import resources
from embedded.aws import AwsEndpoint, embedded_aws
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from tests.integration.delivery.surroundings import Process, Surroundings, become, ids
from tests.system.delivery_load import Load, handled_ms, quantile

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
LIVE = 150
DEAD = 50
MESSAGES_PER_CALL_S = 0.5
WINDOW_S = 20.0
ALLOWED = 1.5
RESOLUTION_MS = 10.0
"""Of what this can see: delivery, AWS, receivers and the load share the machine's processors, and one turn of
its scheduler under load is several milliseconds."""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture
def surroundings(aws: AwsEndpoint) -> Surroundings:
    return Surroundings(aws, resources.create(aws, f"t-{uuid.uuid4().hex[:8]}"))


@pytest.fixture
def process(surroundings: Surroundings, tmp_path: Path) -> Iterator[Process]:
    settings = {
        "LOG_LEVEL": "DEBUG",
        "RETRY_SCHEDULE_S": "0.5 1 2 5 10 30",
        "RETRY_FOR_S": "86400",
        "PROBE_SCHEDULE_S": "1 2 5 10 20 30",
        "LOOK_EVERY_S": "5",
    }
    process = Process(surroundings, tmp_path, settings)
    process.start()
    yield process
    process.stop()


@pytest.fixture
async def live() -> AsyncGenerator[Receiver]:
    async with serve(ReceiverOptions()) as started:
        yield started


class Others:
    """Fifty other endpoints, which answer until they die: one third each refuses, hangs, and answers 503."""

    def __init__(self, keeping: AsyncExitStack, refusing: AsyncExitStack) -> None:
        self._keeping = keeping
        self._refusing = refusing
        self._receivers: list[Receiver] = []

    async def start(self) -> list[str]:
        """Their URLs."""
        for at in range(DEAD):
            stack = self._refusing if at % 3 == 0 else self._keeping
            options = ReceiverOptions(host=f"127.0.1.{at + 1}")
            self._receivers.append(await stack.enter_async_context(serve(options)))
        return [receiver.url for receiver in self._receivers]

    async def die(self) -> None:
        """From now on none of them takes a message."""
        for at, receiver in enumerate(self._receivers):
            receiver.faults.arm(Fault(kind="hang") if at % 3 == 1 else Fault(status=503))
        await self._refusing.aclose()


@pytest.fixture
async def others() -> AsyncGenerator[Others]:
    async with AsyncExitStack() as keeping, AsyncExitStack() as refusing:
        yield Others(keeping, refusing)


@pytest.mark.slow
async def test_fifty_dead_endpoints_do_not_delay_live_calls(
    surroundings: Surroundings, process: Process, live: Receiver, others: Others
) -> None:
    load = Load(surroundings)
    for url in [live.url] * LIVE + await others.start():
        session = uuid.uuid4().hex
        await asyncio.to_thread(load.begin, session, f"{url}/{session}")
    lively, dead = load.calls[:LIVE], load.calls[LIVE:]
    sessions = {call.session for call in lively}
    await load.speak(4, MESSAGES_PER_CALL_S)  # connections are made, headers read
    before = len(handled_ms(process.log, sessions))
    await load.speak(WINDOW_S, MESSAGES_PER_CALL_S)
    undisturbed = handled_ms(process.log, sessions)[before:]
    await others.die()
    await load.speak(WINDOW_S, MESSAGES_PER_CALL_S)
    disturbed = handled_ms(process.log, sessions)[before + len(undisturbed) :]
    await become(
        lambda: {surroundings.parked(call.session) is not None for call in dead}, {True}, within_s=60
    )
    base, beside = (quantile(values, 0.99) for values in (undisturbed, disturbed))
    print(
        f"\nreceive to request of {LIVE} live calls, ms:"
        f" all endpoints alive p50 {quantile(undisturbed, 0.5):.0f} p99 {base:.0f}"
        f" ({len(undisturbed)} requests),"
        f" {DEAD} others dead p50 {quantile(disturbed, 0.5):.0f} p99 {beside:.0f}"
        f" ({len(disturbed)} requests)"
    )
    assert beside <= max(ALLOWED * base, base + RESOLUTION_MS)
    expected = [(call.finals, 0) for call in lively]
    await become(lambda: [surroundings.mark(call.session) for call in lively], expected, within_s=30)
    took = [each for each in live.recorder.received if each.path == f"/{lively[0].session}"]
    assert [int(each) for each in ids(took) if "." not in each] == list(range(1, lively[0].finals + 1))
    await asyncio.to_thread(process.child.check)

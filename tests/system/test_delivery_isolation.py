"""Fifty dead endpoints beside a hundred and fifty live calls: the live ones do not notice."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
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


@asynccontextmanager
async def dead_endpoints() -> AsyncGenerator[list[str]]:
    """Origins of which a third each refuses connections, never answers, and answers 503."""
    urls: list[str] = []
    async with AsyncExitStack() as stack:
        for at in range(DEAD):
            receiver = await stack.enter_async_context(serve(ReceiverOptions(host=f"127.0.1.{at + 1}")))
            receiver.faults.arm(Fault(kind="hang") if at % 3 == 1 else Fault(status=503))
            refusing = receiver.url.replace("127.0.1.", "127.0.2.")  # nobody listens there
            urls.append(refusing if at % 3 == 0 else receiver.url)
        yield urls


async def test_fifty_dead_endpoints_do_not_delay_live_calls(
    surroundings: Surroundings, process: Process, live: Receiver
) -> None:
    load = Load(surroundings)
    for _ in range(LIVE):
        session = uuid.uuid4().hex
        load.begin(session, f"{live.url}/{session}")
    lively = list(load.calls)
    await load.speak(4, MESSAGES_PER_CALL_S)  # connections are made, headers read
    before = len(handled_ms(process.log, {call.session for call in lively}))
    await load.speak(WINDOW_S, MESSAGES_PER_CALL_S)
    undisturbed = handled_ms(process.log, {call.session for call in lively})[before:]
    async with dead_endpoints() as urls:
        for url in urls:
            session = uuid.uuid4().hex
            await asyncio.to_thread(load.begin, session, f"{url}/{session}")
        await load.speak(WINDOW_S, MESSAGES_PER_CALL_S)
        disturbed = handled_ms(process.log, {call.session for call in lively})[before + len(undisturbed) :]
        dead = load.calls[LIVE:]
        await become(
            lambda: {surroundings.parked(call.session) is not None for call in dead}, {True}, within_s=60
        )
    base, beside = (quantile(values, 0.99) for values in (undisturbed, disturbed))
    print(
        f"\nreceive to request of {LIVE} live calls, ms:"
        f" undisturbed p50 {quantile(undisturbed, 0.5):.0f} p99 {base:.0f} ({len(undisturbed)} requests),"
        f" beside {DEAD} dead endpoints p50 {quantile(disturbed, 0.5):.0f} p99 {beside:.0f}"
        f" ({len(disturbed)} requests)"
    )
    assert beside <= max(ALLOWED * base, base + RESOLUTION_MS)
    expected = [(call.finals, 0) for call in lively]
    await become(lambda: [surroundings.mark(call.session) for call in lively], expected, within_s=30)
    took = [each for each in live.recorder.received if each.path == f"/{lively[0].session}"]
    assert [int(each) for each in ids(took) if "." not in each] == list(range(1, lively[0].finals + 1))
    await asyncio.to_thread(process.child.check)

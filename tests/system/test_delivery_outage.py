"""A ten-minute outage of one endpoint under load, thirty times as fast as it would be."""

import uuid
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from embedded import resources
from embedded.aws import AwsEndpoint, embedded_aws
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from services.delivery.breaker import BreakerPolicy
from services.delivery.retry import Schedules
from tests.integration.delivery.surroundings import SECRET, Process, Surroundings, become, ids
from tests.system.delivery_load import Load

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.timeout(240)]
FASTER = 30
OUTAGE_S = 600 / FASTER
CALLS = 15
SETTINGS = {
    "RETRY_SCHEDULE_S": " ".join(str(bound_s / FASTER) for bound_s in Schedules().logged),
    "RETRY_FOR_S": str(Schedules().logged_for_s / FASTER),
    "PROBE_SCHEDULE_S": " ".join(str(bound_s / FASTER) for bound_s in BreakerPolicy().probe_schedule_s),
    "PARK_FROM_S": str(Schedules().park_from_s / FASTER),
    "PARK_BEHIND_S": str(Schedules().park_behind_s / FASTER),
    "LOOK_EVERY_S": "0.2",
}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture
def surroundings(aws: AwsEndpoint) -> Surroundings:
    return Surroundings(aws, resources.create(aws, f"t-{uuid.uuid4().hex[:8]}"))


@pytest.fixture
def processes(surroundings: Surroundings, tmp_path: Path) -> Iterator[list[Process]]:
    started = [Process(surroundings, tmp_path / name, SETTINGS) for name in ("first", "second")]
    for process in started:
        process.start()
    yield started
    for process in started:
        process.stop()


@pytest.fixture
async def receivers() -> AsyncGenerator[tuple[Receiver, Receiver]]:
    options = ReceiverOptions(secrets=[SECRET])
    async with serve(options) as failing, serve(options) as fine:
        yield failing, fine


def finals(receiver: Receiver, session: str) -> list[int]:
    """Numbers of the finals that the receiver took, in order."""
    took = ids(
        each for each in receiver.recorder.received if each.path == f"/{session}" and each.status == 200
    )
    return [int(each) for each in took if "." not in each]


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(kind="drop")], ids=["503", "cut"])
async def test_after_ten_minutes_of_outage_every_final_has_been_delivered_in_order(
    surroundings: Surroundings,
    receivers: tuple[Receiver, Receiver],
    processes: list[Process],
    fault: Fault,
) -> None:
    load = Load(surroundings)
    failing, fine = receivers
    for receiver in receivers:
        for at in range(CALLS):
            session = f"{uuid.uuid4().hex}{at:02d}"
            load.begin(session, f"{receiver.url}/{session}")
    await load.speak(3, messages_per_call_s=2)
    assert failing.recorder.received
    failing.faults.arm(fault)
    await load.speak(OUTAGE_S, messages_per_call_s=2)
    assert surroundings.disabled(failing)
    failing.faults.clear()
    await load.speak(5, messages_per_call_s=2)
    await become(
        lambda: [surroundings.mark(c.session) for c in load.calls], [(c.finals, 0) for c in load.calls], 60
    )
    for at, call in enumerate(load.calls):
        expected = list(range(1, call.finals + 1))
        assert finals(receivers[at // CALLS], call.session) == expected
        assert surroundings.parked(call.session) is None
    assert all(each.signature == "valid" for each in failing.recorder.received)
    assert {each.status for each in fine.recorder.received} == {200}
    assert all("given_up" not in process.log for process in processes)

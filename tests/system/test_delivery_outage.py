"""A ten-minute outage of one endpoint under load, thirty times as fast as it would be.

Schedules, and the rate of the calls, are thirty times as fast: a final every four seconds becomes 7.5 a
second, so that each call owes what it would owe after ten minutes.
"""

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

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
FASTER = 30
OUTAGE_S = 600 / FASTER
FAILING, FINE = 6, 3
"""Calls of each endpoint."""
FINAL_EVERY_S = 4
FINALS_PER_S = FASTER / FINAL_EVERY_S
MESSAGES_PER_S = 2 * FINALS_PER_S
"""Of a call: one interim result for each final."""
SETTINGS = {
    "RETRY_SCHEDULE_S": " ".join(str(bound_s / FASTER) for bound_s in Schedules().logged),
    "RETRY_FOR_S": str(Schedules().logged_for_s / FASTER),
    "PROBE_SCHEDULE_S": " ".join(str(bound_s / FASTER) for bound_s in BreakerPolicy().probe_schedule_s),
    "PARK_FROM_S": str(Schedules().park_from_s / FASTER),
    "PARK_BEHIND_S": str(Schedules().park_behind_s / FASTER),
    "DISABLE_AFTER_S": str(BreakerPolicy().failing_for_s / FASTER),
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


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(status=503), id="503"),
        pytest.param(Fault(kind="drop"), id="cut", marks=pytest.mark.slow),
    ],
)
async def test_after_ten_minutes_of_outage_every_final_has_been_delivered_in_order(
    surroundings: Surroundings,
    receivers: tuple[Receiver, Receiver],
    processes: list[Process],
    fault: Fault,
) -> None:
    load = Load(surroundings, interims_per_final=1)
    failing, fine = receivers
    for receiver in [failing] * FAILING + [fine] * FINE:
        session = uuid.uuid4().hex
        load.begin(session, f"{receiver.url}/{session}")
    await load.speak(2, MESSAGES_PER_S)
    assert failing.recorder.received
    failing.faults.arm(fault)
    await load.speak(OUTAGE_S, MESSAGES_PER_S)
    assert surroundings.disabled(failing)
    owed = [call.finals - (surroundings.mark(call.session) or (0, 0))[0] for call in load.calls[:FAILING]]
    print(f"\nfinals owed at the end of the outage, per call: {sorted(owed)}")
    assert min(owed) >= 0.9 * OUTAGE_S * FINALS_PER_S
    failing.faults.clear()
    await load.speak(3, MESSAGES_PER_S)
    await become(
        lambda: [surroundings.mark(c.session) for c in load.calls], [(c.finals, 0) for c in load.calls], 60
    )
    for at, call in enumerate(load.calls):
        expected = list(range(1, call.finals + 1))
        assert finals(failing if at < FAILING else fine, call.session) == expected
        assert surroundings.parked(call.session) is None
    assert all(each.signature == "valid" for each in failing.recorder.received)
    assert {each.status for each in fine.recorder.received} == {200}
    assert all("given_up" not in process.log for process in processes)

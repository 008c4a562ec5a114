"""Endpoints that fail for a while: what is parked, who is told, and that every final arrives in order."""

import asyncio
from collections.abc import Iterator

import pytest

from contracts.delivery import ParkCause
from contracts.queue import ReplayCause
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from tests.integration.delivery.surroundings import SECRET, Process, Surroundings, arrive, become, ids
from tests.unit.delivery.messages import message

pytestmark = pytest.mark.usefixtures("process")
SETTINGS = {
    "RETRY_FOR_S": "60",
    "RETRY_SCHEDULE_S": "0.3",
    "PARK_FROM_S": "1",
    "PARK_BEHIND_S": "1",
    "CALLBACK_TIMEOUT_S": "2",
}


def answered(receiver: Receiver, path: str) -> list[str]:
    """Ids of what the receiver took, in order."""
    return ids(each for each in receiver.recorder.received if each.path == path and each.status == 200)


@pytest.fixture(scope="module")
def process(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(surroundings, tmp_path_factory.mktemp("delivery"), SETTINGS)
    process.start()
    yield process
    process.stop()


async def test_while_an_endpoint_is_down_its_sessions_wait_in_the_store_and_not_on_the_queue(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    sessions = [f"{session}-{i}" for i in range(4)]
    receiver.faults.arm(Fault(status=503))
    for each in sessions:
        surroundings.add_session(each, f"{receiver.url}/{each}")
        await asyncio.to_thread(surroundings.say, each, 1, 2)
    await become(lambda: surroundings.disabled(receiver), True)
    await become(surroundings.waiting, 0)
    for each in sessions:
        await asyncio.to_thread(surroundings.say, each, 3)
        surroundings.send(message(3, 1, session=each))
        surroundings.log(each, 4)  # logged, but the queue will have it only after the recovery
    await become(surroundings.waiting, 0)
    for each in sessions:
        parked = surroundings.parked(each)
        assert parked
        assert (parked.cause, parked.endpoint) == (ParkCause.ENDPOINT_DOWN, receiver.url)
        assert surroundings.mark(each) is None
    receiver.faults.clear()
    for each in sessions:
        await become(lambda: surroundings.mark(each), (4, 0))  # noqa: B023 -- called at once
    for each in sessions:
        await asyncio.to_thread(surroundings.say, each, 5)
    await become(surroundings.waiting, 0)
    for each in sessions:
        assert answered(receiver, f"/{each}") == ["1", "2", "3", "4", "5"]
        assert surroundings.parked(each) is None
    assert not surroundings.disabled(receiver)
    await become(lambda: surroundings.endpoint_events(receiver), ["Endpoint Disabled", "Endpoint Recovered"])
    for each in sessions:
        assert not surroundings.undelivered(each)


async def test_a_session_whose_endpoint_is_slower_than_the_call_is_delivered_from_its_log(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    receiver.faults.arm(Fault(status=200, delay_s=0.4, count=12))
    surroundings.add_session(session, f"{receiver.url}/slow")
    await asyncio.to_thread(surroundings.say, session, *range(1, 13))
    await become(lambda: surroundings.parked(session) is not None, True)
    await become(lambda: surroundings.mark(session), (12, 0))
    await become(lambda: surroundings.parked(session), None)
    await become(surroundings.waiting, 0)
    assert answered(receiver, "/slow") == [str(n) for n in range(1, 13)]


async def test_what_is_given_up_is_redriven_from_the_log(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    receiver.faults.arm(Fault(status=410))
    surroundings.add_session(session, f"{receiver.url}/gone")
    await asyncio.to_thread(surroundings.say, session, 1, 2, 3)
    await become(lambda: surroundings.undelivered(session), [1, 2, 3])
    await become(lambda: surroundings.dead_letters(session), ["gone"] * 3)
    receiver.faults.clear()
    surroundings.ask_for_replay(session, ReplayCause.REDRIVE)
    await become(lambda: surroundings.undelivered(session), [])
    assert answered(receiver, "/gone") == ["1", "2", "3"]
    await asyncio.to_thread(surroundings.say, session, 4)
    await become(lambda: surroundings.mark(session), (4, 0))


async def test_a_redrive_that_fails_changes_nothing(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    receiver.faults.arm(Fault(status=410))
    surroundings.add_session(session, f"{receiver.url}/gone")
    await asyncio.to_thread(surroundings.say, session, 1, 2)
    await become(lambda: surroundings.undelivered(session), [1, 2])
    before = len(receiver.recorder.received)
    surroundings.ask_for_replay(session, ReplayCause.REDRIVE)
    await arrive(receiver, 1, after=before)
    await become(surroundings.waiting, 0)
    assert surroundings.undelivered(session) == [1, 2]


async def test_a_replay_of_a_session_that_owes_nothing_does_nothing(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    surroundings.add_session(session, f"{receiver.url}/done")
    await asyncio.to_thread(surroundings.say, session, 1)
    await become(lambda: surroundings.mark(session), (1, 0))
    for cause in ReplayCause:
        surroundings.ask_for_replay(session, cause)
    await become(surroundings.waiting, 0)
    assert answered(receiver, "/done") == ["1"]


async def test_a_disabled_endpoint_is_found_again_after_a_restart(
    surroundings: Surroundings, session: str, process: Process
) -> None:
    async with serve(ReceiverOptions(secrets=[SECRET])) as receiver:
        surroundings.add_session(session, f"{receiver.url}/x")
        receiver.faults.arm(Fault(status=500))
        await asyncio.to_thread(surroundings.say, session, 1, 2)
        await become(lambda: surroundings.disabled(receiver), True)
        await asyncio.to_thread(process.stop)
        receiver.faults.clear()
        await asyncio.to_thread(process.start)
        await become(lambda: surroundings.mark(session), (2, 0))
        assert answered(receiver, "/x") == ["1", "2"]
        await become(lambda: surroundings.disabled(receiver), False)

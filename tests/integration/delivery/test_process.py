"""The life of delivery's process."""

import asyncio
import time
from pathlib import Path

import pytest

from embedded.process import ProcessFailed
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver
from tests.integration.delivery.in_between import in_between
from tests.integration.delivery.surroundings import (
    WITHIN_S,
    Process,
    Surroundings,
    arrive,
    become,
    ids,
)
from tests.unit.delivery.messages import message


async def test_a_stopped_process_hands_over_at_once(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    receiver.faults.arm(Fault(status=503))
    surroundings.add_session(session, receiver.url)
    surroundings.send(*(message(n, session=session) for n in (1, 2, 3)))
    first = Process(surroundings, tmp_path / "first", {"RETRY_SCHEDULE_S": "8", "RETRY_FOR_S": "600"})
    await asyncio.to_thread(first.start)
    await arrive(receiver, 1)
    await asyncio.to_thread(first.stop)
    receiver.faults.clear()
    before = len(receiver.recorder.received)
    second = Process(surroundings, tmp_path / "second")
    await asyncio.to_thread(second.start)
    assert ids(await arrive(receiver, 3, after=before)) == ["1", "2", "3"]
    await asyncio.to_thread(second.stop)


async def test_two_processes_share_the_sessions_and_keep_each_in_order(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    sessions = [f"{session}-{i}" for i in range(6)]
    processes = [Process(surroundings, tmp_path / name) for name in ("first", "second")]
    async with asyncio.TaskGroup() as starting:
        for process in processes:
            starting.create_task(asyncio.to_thread(process.start))
    for each in sessions:
        surroundings.add_session(each, f"{receiver.url}/{each}")
    places = [(n, k) for n in range(1, 9) for k in (0, 1)]
    now_ms = time.time_ns() // 1_000_000
    await asyncio.to_thread(
        surroundings.send,
        *(message(n, k, session=each, at_ms=now_ms) for n, k in places for each in sessions),
    )
    await arrive(receiver, len(places) * len(sessions))
    expected = [f"{n}.{k}" if k else f"{n}" for n, k in places]
    for each in sessions:
        assert ids(r for r in receiver.recorder.received if r.path == f"/{each}") == expected
    for process in processes:
        await asyncio.to_thread(process.stop)


async def test_a_death_between_the_answer_and_the_mark_repeats_that_message_alone_under_its_id(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    surroundings.add_session(session, receiver.url)
    quick = {"VISIBILITY_S": "3"}
    async with in_between(surroundings.aws.url) as store:
        through = {**quick, "AWS_ENDPOINT_URL_DYNAMODB": store.url}
        first = Process(surroundings, tmp_path / "first", through)
        await asyncio.to_thread(first.start)
        surroundings.say(session, 1)
        await become(lambda: surroundings.mark(session), (1, 0))
        store.holding = b'"sk":{"S":"delivery"}'
        surroundings.say(session, 2, 3)
        await asyncio.wait_for(store.held.wait(), WITHIN_S)
        await asyncio.to_thread(first.kill)
    assert ids(receiver.recorder.received) == ["1", "2"]
    assert surroundings.mark(session) == (1, 0)
    second = Process(surroundings, tmp_path / "second", quick)
    await asyncio.to_thread(second.start)
    await become(lambda: surroundings.mark(session), (3, 0))
    assert ids(receiver.recorder.received) == ["1", "2", "2", "3"]
    first_try, second_try = receiver.recorder.received[1:3]
    assert first_try.headers["webhook-id"] == second_try.headers["webhook-id"]
    assert first_try.body == second_try.body
    await asyncio.to_thread(second.stop)


async def test_an_aws_that_answers_nonsense_ends_no_process_and_loses_no_message(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    surroundings.add_session(session, receiver.url)
    async with in_between(surroundings.aws.url) as between:
        through = {"VISIBILITY_S": "2", "AWS_ENDPOINT_URL": between.url}
        process = Process(surroundings, tmp_path, through)
        await asyncio.to_thread(process.start)
        surroundings.say(session, 1)
        await become(lambda: surroundings.mark(session), (1, 0))
        between.nonsense = "<html>Please sign in</html>"
        await become(lambda: {"ReceiveMessage", "Query"} <= between.fooled, True)
        between.nonsense = None
        surroundings.say(session, 2)
        await become(lambda: surroundings.mark(session), (2, 0))
        await asyncio.to_thread(process.stop)
    assert ids(receiver.recorder.received) == ["1", "2"]


async def test_a_death_between_a_change_of_an_endpoint_and_its_event_loses_no_event(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    receiver.faults.arm(Fault(status=503))
    surroundings.add_session(session, receiver.url)
    async with in_between(surroundings.aws.url) as bus:
        through = {"VISIBILITY_S": "3", "RETRY_FOR_S": "60", "AWS_ENDPOINT_URL_EVENTBRIDGE": bus.url}
        bus.operation, bus.holding = "PutEvents", b"Endpoint Disabled"
        first = Process(surroundings, tmp_path / "first", through)
        await asyncio.to_thread(first.start)
        surroundings.say(session, 1, 2)
        await asyncio.wait_for(bus.held.wait(), WITHIN_S)
        await asyncio.to_thread(first.kill)
        assert surroundings.disabled(receiver)
        assert surroundings.endpoint_events(receiver) == []
        bus.held.clear()
        bus.holding = b"Endpoint Recovered"
        second = Process(surroundings, tmp_path / "second", through)
        await asyncio.to_thread(second.start)
        await become(lambda: surroundings.endpoint_events(receiver), ["Endpoint Disabled"])
        receiver.faults.clear()
        await asyncio.wait_for(bus.held.wait(), WITHIN_S)
        await asyncio.to_thread(second.kill)
        assert not surroundings.disabled(receiver)
        assert surroundings.endpoint_events(receiver) == ["Endpoint Disabled"]
    third = Process(surroundings, tmp_path / "third", {"VISIBILITY_S": "3", "RETRY_FOR_S": "60"})
    await asyncio.to_thread(third.start)
    both = {"Endpoint Disabled", "Endpoint Recovered"}
    await become(lambda: set(surroundings.endpoint_events(receiver)), both)
    await become(lambda: surroundings.mark(session), (2, 0))
    await asyncio.to_thread(third.stop)


async def test_no_session_and_no_start_waits_for_the_bus_to_hear_of_an_endpoint(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    receiver.faults.arm(Fault(status=503))
    surroundings.add_session(session, receiver.url)
    async with in_between(surroundings.aws.url) as bus:
        through = {"VISIBILITY_S": "3", "RETRY_FOR_S": "60", "AWS_ENDPOINT_URL_EVENTBRIDGE": bus.url}
        bus.denied = "PutEvents"
        first = Process(surroundings, tmp_path / "first", through)
        await asyncio.to_thread(first.start)
        surroundings.say(session, 1)
        await become(lambda: surroundings.parked(session) is not None, True)
        await asyncio.to_thread(first.stop)
        assert surroundings.disabled(receiver)
        receiver.faults.clear()
        second = Process(surroundings, tmp_path / "second", through)
        await asyncio.to_thread(second.start)
        await become(lambda: surroundings.mark(session), (1, 0))
        surroundings.say(session, 2)
        await become(lambda: surroundings.mark(session), (2, 0))
        assert surroundings.endpoint_events(receiver) == []
        bus.denied = None
        both = {"Endpoint Disabled", "Endpoint Recovered"}
        await become(lambda: set(surroundings.endpoint_events(receiver)), both)
        await asyncio.to_thread(second.stop)


async def test_messages_stay_in_hand_while_a_request_takes_longer_than_their_visibility(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    receiver.faults.arm(Fault(status=200, delay_s=7, path="/slow", count=1))
    surroundings.add_session(session, f"{receiver.url}/slow")
    settings = {"VISIBILITY_S": "2"}
    processes = [Process(surroundings, tmp_path / name, settings) for name in ("first", "second")]
    for process in processes:
        await asyncio.to_thread(process.start)
    surroundings.say(session, 1, 2, 3)
    await become(lambda: surroundings.mark(session), (3, 0))
    await become(surroundings.waiting, 0)
    assert ids(receiver.recorder.received) == ["1", "2", "3"]
    for process in processes:
        await asyncio.to_thread(process.stop)
        assert "messages_lost" not in process.log


def test_settings_that_cannot_work_end_the_process_with_their_names(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    settings = {"SIGNING_SECRETS": "whsec_short", "CALLBACK_ALLOWED_NETWORKS": "everywhere"}
    process = Process(surroundings, tmp_path, settings)
    with pytest.raises(ProcessFailed, match="exit code 2"):
        process.start()
    assert "signing_secrets" in process.log
    assert "callback_allowed_networks" in process.log
    assert "whsec_short" not in process.log


async def test_what_slept_longer_than_its_locks_leaves_its_messages_to_whoever_has_them(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    receiver.faults.arm(Fault(status=503, count=1))
    surroundings.add_session(session, receiver.url)
    quick = {"VISIBILITY_S": "2"}
    first = Process(surroundings, tmp_path / "first", {**quick, "RETRY_SCHEDULE_S": "8", "RETRY_FOR_S": "60"})
    await asyncio.to_thread(first.start)
    surroundings.say(session, 1, 2, 3)
    await arrive(receiver, 1)
    await become(lambda: "delivery.attempt_failed" in first.log, True)
    first.freeze()
    second = Process(surroundings, tmp_path / "second", quick)
    await asyncio.to_thread(second.start)
    await become(lambda: surroundings.mark(session), (3, 0))
    first.thaw()
    await become(lambda: "delivery.session_lapsed" in first.log, True)
    surroundings.say(session, 4)
    await become(lambda: surroundings.mark(session), (4, 0))
    assert ids(receiver.recorder.received) == ["1", "1", "2", "3", "4"]
    await asyncio.to_thread(first.stop)
    await asyncio.to_thread(second.stop)


async def test_copies_of_a_message_that_wait_together_are_one_and_hold_nothing_up(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    """As after an outage that outlasted the queue's memory of ids; what stays in hand locks its session."""
    surroundings.add_session(session, receiver.url)
    sent = [surroundings.log(session, n) for n in (1, 2, 3, 4)]
    for number, each in enumerate([*sent[:2], *sent[1:]]):
        surroundings.send_text(each.model_dump_json(), session, f"{session}-{number}")
    process = Process(surroundings, tmp_path)
    await asyncio.to_thread(process.start)
    await become(lambda: surroundings.mark(session), (4, 0))
    await become(surroundings.waiting, 0)
    assert ids(receiver.recorder.received) == ["1", "2", "3", "4"]
    await asyncio.to_thread(process.stop)


@pytest.mark.parametrize("is_silent", [True, False])
async def test_a_process_ends_in_time_when_aws_is_gone(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path, *, is_silent: bool
) -> None:
    receiver.faults.arm(Fault(status=200, delay_s=0.5, path="/slow"))
    surroundings.add_session(session, f"{receiver.url}/slow")
    async with in_between(surroundings.aws.url) as between:
        settings = {"CALLBACK_TIMEOUT_S": "1", "AWS_ENDPOINT_URL": between.url}
        process = Process(surroundings, tmp_path, settings)
        await asyncio.to_thread(process.start)
        surroundings.say(session, *range(1, 8))
        await arrive(receiver, 2)
        if is_silent:
            between.is_silent = True
            assert await asyncio.to_thread(process.child.stop, WITHIN_S) == 0
    if not is_silent:
        await become(lambda: "delivery.aws_unavailable" in process.log, True)
        assert await asyncio.to_thread(process.child.stop, WITHIN_S) == 0

"""What a later release wrote waits for it: nothing is lost, nobody dies of it, others are not held up."""

import json
from collections.abc import Iterator

import pytest
from pydantic import BaseModel, RootModel

from contracts.delivery import (
    ENDPOINTS,
    PARKED_INDEX,
    UNTOLD_EVENTS,
    ParkCause,
    ParkedSession,
    endpoint_key,
    parked_key,
    untold_event_key,
)
from contracts.model import Contract, SessionId
from contracts.queue import ReplayCause
from contracts.session import DeliveryMark, StoreKey, delivery_mark_key, header_key, record_key
from emulators.receiver.server import Receiver
from tests.integration.delivery.surroundings import CONTACT, Process, Surroundings, arrive, become, ids


class Later(Contract):
    """Of version 2."""

    version: int = 2
    type: str = "final"


class OtherForm(RootModel[str]):
    """Not even a JSON object."""


@pytest.fixture(scope="module")
def process(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(surroundings, tmp_path_factory.mktemp("delivery"), {"VISIBILITY_S": "3"})
    process.start()
    yield process
    process.stop()


def parked(session: str, receiver: Receiver) -> ParkedSession:
    return ParkedSession(
        session_id=SessionId(session),
        contact_id=CONTACT,
        endpoint=receiver.url,
        cause=ParkCause.FAILING,
        parked_at_ms=1,
        wake_at_ms=2**45,
        failing_since_ms=None,
        attempts=0,
    )


async def given_back(process: Process, session: str, event: str = "delivery.item_unreadable") -> None:
    """Twice, so that it is known to have come again."""
    await become(
        lambda: sum(event in line and session in line for line in process.log.splitlines()) > 1, expected=True
    )


@pytest.mark.parametrize("item", ["header", "mark", "parked"])
async def test_an_item_that_cannot_be_read_makes_its_session_wait(
    surroundings: Surroundings, process: Process, receiver: Receiver, session: str, item: str
) -> None:
    keys = {"header": header_key, "mark": delivery_mark_key, "parked": parked_key}
    surroundings.add_session(session, receiver.url)
    surroundings.put(keys[item](SessionId(session)), Later())
    surroundings.say(session, 1, 2)
    await given_back(process, session)
    other = f"{session}-other"
    surroundings.add_session(other, f"{receiver.url}/other")
    surroundings.say(other, 1)
    await arrive(receiver, 1, "/other")
    match item:  # as if the later release had gone on with it
        case "header":
            surroundings.add_session(session, receiver.url)
        case "mark":
            surroundings.put(delivery_mark_key(SessionId(session)), mark(session), place=0)
        case _:
            surroundings.put(parked_key(SessionId(session)), parked(session, receiver))
            surroundings.ask_for_replay(session, ReplayCause.DUE)
    await become(lambda: surroundings.mark(session), (2, 0))
    assert ids(each for each in receiver.recorder.received if each.path == "/") == ["1", "2"]
    assert surroundings.dead_letters(session) == []


def mark(session: str) -> DeliveryMark:
    return DeliveryMark(session_id=SessionId(session), n=0, k=0)


@pytest.mark.parametrize("record", [Later(), OtherForm("packed")], ids=["later", "other"])
async def test_a_record_that_cannot_be_read_makes_a_replay_wait(
    surroundings: Surroundings, process: Process, receiver: Receiver, session: str, record: BaseModel
) -> None:
    surroundings.add_session(session, receiver.url)
    surroundings.log(session, 1)
    surroundings.put(record_key(SessionId(session), 2), record)
    surroundings.put(parked_key(SessionId(session)), parked(session, receiver))
    surroundings.ask_for_replay(session, ReplayCause.DUE)
    await given_back(process, session)
    surroundings.log(session, 2)
    await become(lambda: surroundings.mark(session), (2, 0))
    assert ids(receiver.recorder.received) == ["1", "2"]


async def test_a_message_of_a_later_release_is_left_to_it_and_so_is_what_follows(
    surroundings: Surroundings, process: Process, receiver: Receiver, session: str
) -> None:
    surroundings.add_session(session, receiver.url)
    later = surroundings.log(session, 1).model_dump(mode="json") | {"version": 2}
    surroundings.send_text(json.dumps(later), session, f"{session}-1")
    surroundings.say(session, 2)
    await given_back(process, session, "delivery.message_of_later_release")
    assert not receiver.recorder.received
    assert surroundings.dead_letters(session) == []
    assert surroundings.mark(session) is None


async def test_lists_with_items_that_cannot_be_read_are_gone_through(
    surroundings: Surroundings, process: Process, receiver: Receiver, session: str
) -> None:
    for key in (
        endpoint_key(receiver.url),
        untold_event_key(f"{session}-event"),
        StoreKey(pk=PARKED_INDEX, sk=f"{receiver.url}#{session}"),
    ):
        surroundings.put(key, Later())
    await become(lambda: {ENDPOINTS, UNTOLD_EVENTS, PARKED_INDEX} <= unreadable_lists(process), expected=True)
    surroundings.add_session(session, receiver.url)
    surroundings.say(session, 1)
    await become(lambda: surroundings.parked(session) is not None, expected=True)  # it is disabled
    assert not receiver.recorder.received


def unreadable_lists(process: Process) -> set[str]:
    lines = [json.loads(line) for line in process.log.splitlines() if "delivery.item_unreadable" in line]
    return {line.get("kind", "") for line in lines}

"""Intents on their way from the store to the sessions, and from a contact flow to Deepgram's silence."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from time import monotonic

import pytest
from aiobotocore.session import get_session

from contracts.intents import ContactIntents
from contracts.model import ContactId
from contracts.session import intents_key
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.transcribe.adapters.intents import Intents
from services.transcribe.adapters.session_store import MAX_CONTACTS, DynamoSessionStore
from services.transcribe.inputs import Input, IntentsRead


@pytest.fixture
async def store(stack: Resources) -> AsyncIterator[DynamoSessionStore]:
    async with get_session().create_client("dynamodb") as client:
        yield DynamoSessionStore(client, stack.table_name, 1)


def ask(aws: AwsEndpoint, stack: Resources, contact_id: str, revision: int, body: str | None = None) -> None:
    key = intents_key(ContactId(contact_id))
    intents = ContactIntents(contact_id=ContactId(contact_id), revision=revision, stopped_at_ms=revision)
    item = {
        "pk": {"S": key.pk},
        "sk": {"S": key.sk},
        "revision": {"N": str(revision)},
        "body": {"S": body or intents.model_dump_json()},
    }
    aws.dynamodb().put_item(TableName=stack.table_name, Item=item)


@dataclass(eq=False)
class Obedient:
    contact_id: ContactId
    told: list[ContactIntents | None] = field(default_factory=list[ContactIntents | None])
    happened: asyncio.Event = field(default_factory=asyncio.Event)

    confirmed: list[float] = field(default_factory=list[float])
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    stale: bool = False

    def confirm_intents(self, at: float) -> bool:
        self.confirmed.append(at)
        self.asked.set()
        return not self.stale

    def put(self, happened: Input) -> None:
        assert isinstance(happened, IntentsRead)
        self.told.append(happened.intents)
        self.happened.set()

    async def hears(self) -> ContactIntents | None:
        async with asyncio.timeout(5):
            await self.happened.wait()
        self.happened.clear()
        return self.told[-1]


async def test_a_hundred_contacts_are_read_in_one_request(
    aws: AwsEndpoint, stack: Resources, store: DynamoSessionStore
) -> None:
    contacts = [ContactId(f"c{number}") for number in range(MAX_CONTACTS)]
    ask(aws, stack, "c7", 3)
    ask(aws, stack, "c8", 1, body="{}")
    read = await store.intents(contacts)
    asked = read.pop(ContactId("c7"))
    assert asked is not None
    assert (asked.revision, asked.stopped_at_ms) == (3, 3)
    assert ContactId("c8") not in read
    assert set(read.values()) == {None}
    assert len(read) == MAX_CONTACTS - 2


async def test_a_session_is_told_at_once_and_then_of_every_change(
    aws: AwsEndpoint, stack: Resources, store: DynamoSessionStore
) -> None:
    intents = Intents(store)
    reading = asyncio.create_task(intents.run())
    ask(aws, stack, "asked", 1)
    sessions = [Obedient(ContactId("asked")), Obedient(ContactId("asked")), Obedient(ContactId("free"))]
    for session in sessions:
        intents.add(session)
    first, second, free = [await session.hears() for session in sessions]
    assert free is None
    assert first == second
    assert first is not None
    ask(aws, stack, "asked", 2)
    for session in sessions[:2]:
        changed = await session.hears()
        assert changed is not None
        assert changed.revision == 2
    intents.remove(sessions[0])
    ask(aws, stack, "asked", 3)
    await sessions[1].hears()
    assert [len(session.told) for session in sessions] == [2, 3, 1]
    reading.cancel()


async def test_a_session_hears_every_second_that_nothing_changed_and_all_anew_after_an_outage(
    store: DynamoSessionStore,
) -> None:
    intents, began_at = Intents(store), monotonic()
    reading = asyncio.create_task(intents.run())
    session = Obedient(ContactId("free"))
    intents.add(session)
    await session.hears()
    async with asyncio.timeout(10):
        while len(session.confirmed) < 2:
            await session.asked.wait()
            session.asked.clear()
    assert session.told == [None]
    first, second = session.confirmed[:2]
    assert began_at <= first < second <= monotonic()
    session.stale = True
    await session.hears()
    assert session.told == [None, None]
    reading.cancel()


async def test_a_session_is_told_nothing_while_the_store_is_away(stack: Resources) -> None:
    async with get_session().create_client("dynamodb", endpoint_url="http://127.0.0.1:1") as nowhere:
        intents = Intents(DynamoSessionStore(nowhere, stack.table_name, 1))
        reading = asyncio.create_task(intents.run())
        session = Obedient(ContactId("free"))
        intents.add(session)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await session.happened.wait()
        assert not reading.done()
        reading.cancel()

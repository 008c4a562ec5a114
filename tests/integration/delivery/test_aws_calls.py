"""Calls to AWS that are made without the SDK, and by it when they do not succeed."""

import asyncio
import uuid
from collections.abc import AsyncGenerator

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from aws.direct import connections
from contracts.model import SessionId
from contracts.session import DeliveryMark, delivery_mark_key
from embedded import resources
from embedded.aws import AwsEndpoint
from services.delivery.adapters.aws_calls import ANSWER_S, direct
from services.delivery.adapters.reads import Reads
from services.delivery.adapters.table import ABSENT, Put, Table
from services.delivery.adapters.transcript_queue import TranscriptQueue
from services.delivery.errors import QueueUnavailable, StoreUnavailable
from tests.integration.delivery.in_between import InBetween, in_between
from tests.integration.delivery.surroundings import Surroundings
from tests.unit.delivery.messages import message

MARK = DeliveryMark(session_id=SessionId("s"), n=1, k=0)


QUICK = AioConfig(retries={"mode": "standard", "total_max_attempts": 3})
"""With the SDK's usual number of attempts it takes half a minute to fail."""


@pytest.fixture
async def between(aws: AwsEndpoint, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[InBetween]:
    async with in_between(aws.url) as made:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def stack(aws: AwsEndpoint) -> resources.Resources:
    return resources.create(aws, f"t-{uuid.uuid4().hex[:8]}")


@pytest.fixture
async def table(between: InBetween, stack: resources.Resources) -> AsyncGenerator[Table]:
    session = get_session()
    async with (
        connections(session, ANSWER_S) as http,
        session.create_client("dynamodb", endpoint_url=between.url, config=QUICK) as client,
    ):
        yield Table(direct(session, client, http), stack.table_name)


@pytest.fixture
async def queue(between: InBetween, stack: resources.Resources) -> AsyncGenerator[TranscriptQueue]:
    session = get_session()
    async with (
        connections(session, ANSWER_S) as http,
        session.create_client("sqs", endpoint_url=between.url, config=QUICK) as client,
    ):
        made = direct(session, client, http)
        yield TranscriptQueue(made, stack.transcripts_url, stack.transcripts_dlq_url, 30)


async def test_a_write_on_a_condition_that_does_not_hold_says_so(table: Table) -> None:
    put = Put(delivery_mark_key(MARK.session_id), MARK, None, ABSENT)
    assert [await table.put(put), await table.put(put)] == [True, False]


@pytest.mark.parametrize("fault", ["cuts", "refusals"])
async def test_a_call_that_is_lost_or_refused_is_made_again(
    table: Table, between: InBetween, fault: str
) -> None:
    setattr(between, fault, 2)
    put = Put(delivery_mark_key(MARK.session_id), MARK, None)
    assert await table.put(put)
    assert getattr(between, fault) == 0


async def test_what_fails_for_good_is_an_error_of_ours(
    table: Table, queue: TranscriptQueue, between: InBetween
) -> None:
    between.refusals = 1_000
    with pytest.raises(StoreUnavailable):
        await table.put(Put(delivery_mark_key(MARK.session_id), MARK, None))
    with pytest.raises(QueueUnavailable):
        await queue.receive()


async def test_messages_are_received_and_deleted(
    aws: AwsEndpoint, stack: resources.Resources, queue: TranscriptQueue
) -> None:
    surroundings = Surroundings(aws, stack)
    sent = [message(n, session="s") for n in (1, 2)]
    await asyncio.to_thread(surroundings.send, *sent)
    received = await queue.receive()
    assert [each.body for each in received] == [each.model_dump_json() for each in sent]
    assert {(each.group, each.was_received_before) for each in received} == {("s", False)}
    assert await queue.delete([each.receipt_handle for each in received]) == 0
    assert surroundings.waiting() == 0
    assert await queue.receive() == []


async def test_reads_that_are_asked_for_together_are_one_call(
    between: InBetween, stack: resources.Resources
) -> None:
    session = get_session()
    async with (
        connections(session, ANSWER_S) as http,
        session.create_client("dynamodb", endpoint_url=between.url, config=QUICK) as client,
    ):
        made = direct(session, client, http)
        table, reads = Table(made, stack.table_name), Reads(made, stack.table_name)
        keys = [delivery_mark_key(SessionId(f"s{at}")) for at in range(30)]
        for key in keys[:20]:
            await table.put(Put(key, MARK, None))
        before = between.passed
        async with asyncio.TaskGroup() as tasks:
            asking = [tasks.create_task(reads.get(key)) for key in keys]
            reading = tasks.create_task(reads.run())
            found = [await each for each in asking]
            reading.cancel()
        assert [each[0] is not None for each in found] == [True] * 20 + [False] * 10
        assert between.passed - before == 1

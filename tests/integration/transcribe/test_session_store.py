"""The session store on an emulated DynamoDB."""

from collections.abc import AsyncIterator

import pytest
from aiobotocore.session import get_session

from contracts.model import SessionId
from contracts.session import Announced, LogRecord, OpenCause, Opened, Progress, SessionState, header_key
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.transcribe.adapters.session_store import PAGE, DynamoSessionStore
from services.transcribe.errors import StoreUnavailable, UnreadableRecord
from services.transcribe.inputs import Appended, AppendFailed, Found, Refusal
from tests.integration.transcribe.outcome import log_of, put_header

SESSION = SessionId("s")


@pytest.fixture
async def store(stack: Resources) -> AsyncIterator[DynamoSessionStore]:
    async with get_session().create_client("dynamodb") as client:
        yield DynamoSessionStore(client, stack.table_name, retention_days=30)


def record(n: int, *, writer: str = "me#m1", announced: int = 0) -> LogRecord:
    state = SessionState(
        writer=writer,
        epoch=1,
        t0_ms=None,
        covered_samples=(n, n),
        announced=Announced(queue_n=announced, bus_n=announced + 1),
    )
    if n > 1:
        return Progress(session_id=SESSION, n=n, written_at_ms=n, state=state)
    return Opened(
        session_id=SESSION,
        n=n,
        written_at_ms=n,
        state=state,
        cause=OpenCause.REQUESTED,
        request_message_id="m1",
    )


async def test_a_free_number_is_taken_once(store: DynamoSessionStore) -> None:
    assert isinstance(await store.append(record(1)), Appended)
    assert await store.append(record(1)) == Found(record(1))
    assert await store.append(record(1, writer="other#m1")) == Found(record(1))


async def test_a_record_that_no_item_can_hold_is_refused_for_good(store: DynamoSessionStore) -> None:
    huge = record(1, writer="w" * 401 * 1024)
    failed = await store.append(huge)
    assert isinstance(failed, AppendFailed)
    assert failed.refusal is Refusal.RECORD


async def test_a_table_that_is_gone_refuses_every_record(stack: Resources) -> None:
    async with get_session().create_client("dynamodb") as client:
        failed = await DynamoSessionStore(client, f"{stack.table_name}-gone", 30).append(record(1))
    assert isinstance(failed, AppendFailed)
    assert failed.refusal is Refusal.ALL


async def test_records_expire_with_the_retention(
    aws: AwsEndpoint, stack: Resources, store: DynamoSessionStore
) -> None:
    await store.append(record(1))
    [item] = aws.dynamodb().scan(TableName=stack.table_name)["Items"]
    assert int(item["expires_at"].get("N", "0")) > 1_700_000_000 + 30 * 86_400
    assert (item["pk"], item["sk"]) == ({"S": "session#s"}, {"S": "log#0000000001"})


async def test_the_tail_reaches_back_to_the_last_record_announced_on_both_ways(
    store: DynamoSessionStore,
) -> None:
    assert await store.tail(SESSION) == ()
    for n in range(1, 3 * PAGE):
        await store.append(record(n, announced=max(0, n - 2 * PAGE)))
    tail = await store.tail(SESSION)
    last = 3 * PAGE - 1
    assert [one.n for one in tail] == list(range(last - 2 * PAGE, last + 1))
    assert await store.tail(SESSION, 2) == tail[-2:]


async def test_a_tail_has_the_record_before_the_last_one_even_when_all_is_announced(
    store: DynamoSessionStore,
) -> None:
    for n in range(1, 6):
        await store.append(record(n, announced=n))
    assert [one.n for one in await store.tail(SESSION)] == [4, 5]


async def test_a_header_is_read_or_absent(
    aws: AwsEndpoint, stack: Resources, store: DynamoSessionStore
) -> None:
    assert await store.header(SESSION) is None
    written = put_header(aws, stack, "s", ("model", "nova-3"))
    assert await store.header(SESSION) == written


async def test_a_probe_leaves_nothing_behind(
    aws: AwsEndpoint, stack: Resources, store: DynamoSessionStore
) -> None:
    await store.probe()
    assert aws.dynamodb().scan(TableName=stack.table_name)["Items"] == []


async def test_what_cannot_be_read_says_so(
    aws: AwsEndpoint, stack: Resources, store: DynamoSessionStore
) -> None:
    for key in (header_key(SESSION).sk, "log#0000000001"):
        item = {"pk": {"S": "session#s"}, "sk": {"S": key}, "body": {"S": '{"version": 9}'}}
        aws.dynamodb().put_item(TableName=stack.table_name, Item=item)
    with pytest.raises(UnreadableRecord):
        await store.header(SESSION)
    with pytest.raises(UnreadableRecord):
        await store.tail(SESSION)
    assert await store.append(record(1)) == Found(None)


async def test_a_store_that_is_away_is_a_value_to_appends_and_an_error_to_reads(stack: Resources) -> None:
    async with get_session().create_client("dynamodb") as client:
        store = DynamoSessionStore(client, f"{stack.table_name}-absent", retention_days=1)
        assert await store.append(record(1)) == AppendFailed("ResourceNotFoundException", Refusal.ALL)
        with pytest.raises(StoreUnavailable):
            await store.header(SESSION)
        with pytest.raises(StoreUnavailable):
            await store.tail(SESSION)
        with pytest.raises(StoreUnavailable):
            await store.probe()


async def test_the_log_is_contiguous_by_its_keys(
    aws: AwsEndpoint, stack: Resources, store: DynamoSessionStore
) -> None:
    for n in range(1, 12):
        await store.append(record(n))
    assert [one.n for one in log_of(aws, stack, "s")] == list(range(1, 12))

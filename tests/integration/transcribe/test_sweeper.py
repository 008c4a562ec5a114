"""Sessions that nobody holds, on the emulated AWS, with several processes that sweep."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count

import pytest
from aiobotocore.session import get_session
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from contracts.events import SessionFailed
from contracts.link import Open
from contracts.metrics import APPENDS_FAILED, RECORDS_UNREADABLE, Metric
from contracts.model import ContactId, SessionId
from contracts.session import (
    OPEN_SHARDS,
    ContactSession,
    Ended,
    LogRecord,
    OpenCause,
    Opened,
    Outcome,
    Progress,
    SessionHeader,
    SessionState,
    StoreKey,
    header_key,
    open_session_key,
    record_key,
)
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.transcribe.adapters.batches import Batches
from services.transcribe.adapters.dead_requests import SqsDeadRequests
from services.transcribe.adapters.doors import Door
from services.transcribe.adapters.event_bus import EventBridgeBus
from services.transcribe.adapters.intents import Intents
from services.transcribe.adapters.link import Link
from services.transcribe.adapters.live_session import Outside
from services.transcribe.adapters.request_lease import SqsRequestLease
from services.transcribe.adapters.session_store import DynamoSessionStore
from services.transcribe.adapters.sessions import MAX_ANNOUNCED, Sessions
from services.transcribe.adapters.sweeper import Sweeper
from services.transcribe.adapters.transcript_queue import SqsTranscriptQueue
from services.transcribe.deepgram_session import Failure
from services.transcribe.errors import StoreUnavailable
from services.transcribe.session_log import Writer, failed
from services.transcribe.sweep import IN_VAIN_S, NO_REQUESTS_S, SILENT_S
from telemetry.metrics import Metrics
from tests.integration.delivery.in_between import in_between
from tests.integration.transcribe.outcome import events_of, log_of, put_header, request


def now_ms() -> int:
    return int(time.time() * 1000)


def put(aws: AwsEndpoint, stack: Resources, key: StoreKey, body: str) -> None:
    item = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "body": {"S": body}}
    aws.dynamodb().put_item(TableName=stack.table_name, Item=item)


def opened_long_ago(aws: AwsEndpoint, stack: Resources, name: str, *, ago_ms: int = 0) -> Opened:
    """A session with a header, an old entry among the open ones, and an owner of whom nothing more is heard.

    `ago_ms`: what the clock of its owner's host was behind ours when it wrote.
    """
    header = put_header(aws, stack, name)
    entry = ContactSession(
        contact_id=header.contact_id, session_id=header.session_id, requested_at_ms=header.requested_at_ms
    )
    put(aws, stack, open_session_key(entry.session_id, entry.requested_at_ms), entry.model_dump_json())
    record = Opened(
        session_id=header.session_id,
        n=1,
        written_at_ms=now_ms() - ago_ms,
        state=SessionState(writer="dead#m", epoch=1, t0_ms=1, covered_samples=(8_000, 16_000)),
        cause=OpenCause.REQUESTED,
        request_message_id="m",
    )
    put(aws, stack, record_key(header.session_id, 1), record.model_dump_json())
    return record


def open_entries(aws: AwsEndpoint, stack: Resources) -> set[str]:
    items = aws.dynamodb().scan(TableName=stack.table_name, ConsistentRead=True)["Items"]
    return {
        ContactSession.model_validate_json(item["body"].get("S", "")).session_id
        for item in items
        if item["pk"].get("S", "").startswith("open#")
    }


def dies(aws: AwsEndpoint, stack: Resources, name: str, **change: object) -> None:
    """The session's request is in the dead-letter queue."""
    detail = request(name).model_copy(update=change).model_dump(mode="json")
    envelope = {"detail-type": "Session Requested", "detail": detail}
    aws.sqs().send_message(QueueUrl=stack.session_requests_dlq_url, MessageBody=json.dumps(envelope))


def beside(name: str) -> str:
    """A session that is listed in the same shard, before `name`."""
    key = open_session_key(SessionId(name), 1)
    others = (f"a{number}" for number in count())
    return next(each for each in others if open_session_key(SessionId(each), 1).pk == key.pk)


@dataclass(frozen=True)
class Process:
    """What of transcribe takes part in a sweep, and an ingest that is linked to it."""

    store: DynamoSessionStore
    sessions: Sessions
    sweeper: Sweeper
    metrics: Metrics
    lines: list[str]
    link: Link
    clock: list[float]

    def counted(self, metric: Metric) -> bool:
        self.metrics.flush(0)
        return any(f'"{metric.name}":' in line for line in self.lines)

    async def sweep_at(self, now_s: float) -> None:
        self.clock[0] = now_s
        await self.sweeper.sweep()

    async def sweep(self) -> None:
        """Twice: as a process that has looked for long enough."""
        await self.sweep_at(0.0)
        await self.sweep_at(SILENT_S)


@asynccontextmanager
async def linked(sessions: Sessions) -> AsyncGenerator[Link]:
    """A link to an ingest; no heartbeat ends it, however slow the machine is."""
    met: asyncio.Future[Link] = asyncio.get_running_loop().create_future()

    async def attend(connection: ServerConnection) -> None:
        link = Link(connection, "test", 1)
        sessions.greet(link)
        met.set_result(link)
        await connection.wait_closed()

    async with serve(attend, "127.0.0.1", 0, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}", ping_interval=None, proxy=None):
            yield await met


@asynccontextmanager
async def process(stack: Resources, name: str, max_sessions: int = 9) -> AsyncGenerator[Process]:
    aws = get_session()
    async with (
        aws.create_client("dynamodb") as dynamodb,
        aws.create_client("sqs") as sqs,
        aws.create_client("events") as events,
        asyncio.TaskGroup() as tasks,
    ):
        store = DynamoSessionStore(dynamodb, stack.table_name, 30)
        lines: list[str] = []
        metrics = Metrics(name, lines.append, stack="test")
        queue = Batches("queue", SqsTranscriptQueue(sqs, stack.transcripts_url).send)
        bus = Batches("bus", EventBridgeBus(events, stack.bus_name).put)
        outside = Outside(
            store=store,
            queue=queue,
            bus=bus,
            lease=SqsRequestLease(sqs, stack.session_requests_url),
            door=Door(metrics),
            metrics=metrics,
            deepgram_api="ws://127.0.0.1:9/",
            deepgram_api_key="k",
        )
        intents = Intents(store)
        lasting = [tasks.create_task(life) for life in (queue.run(), bus.run(), intents.run())]
        sessions = Sessions(
            outside, intents, tasks, process=name, max_sessions=max_sessions, bus_interims=False
        )
        dead = SqsDeadRequests(sqs, stack.session_requests_url, stack.session_requests_dlq_url, held_s=1)
        clock = [0.0]
        sweeper = Sweeper(store, dead, sessions, metrics, process=name, clock=lambda: clock[0])
        async with linked(sessions) as link:
            yield Process(store, sessions, sweeper, metrics, lines, link, clock)
        for task in lasting:
            task.cancel()


async def until_over(aws: AwsEndpoint, stack: Resources, name: str) -> list[LogRecord]:
    async with asyncio.timeout(20):
        while (log := await asyncio.to_thread(log_of, aws, stack, name))[-1].type != "announced":
            pass
    return log


def failures(aws: AwsEndpoint, stack: Resources) -> list[tuple[str, str]]:
    return [
        (detail["session_id"], detail["reason"])
        for kind, detail in events_of(aws, stack)
        if kind == SessionFailed.detail_type
    ]


async def test_a_session_that_nobody_holds_fails_once_though_several_processes_sweep(
    aws: AwsEndpoint, stack: Resources
) -> None:
    opened_long_ago(aws, stack, "lost")
    async with process(stack, "one") as one, process(stack, "two") as two, process(stack, "three") as three:
        async with asyncio.TaskGroup() as sweeps:
            for each in (one, two, three):
                sweeps.create_task(each.sweep())
        log = await until_over(aws, stack, "lost")
    assert [record.type for record in log] == ["opened", "ended", "announced"]
    [record] = [record for record in log if isinstance(record, Ended)]
    assert (record.outcome, record.reason, record.end_samples) == (Outcome.FAILED, "abandoned", 16_000)
    assert failures(aws, stack) == [("lost", "abandoned")]
    assert open_entries(aws, stack) == set()


async def test_a_session_is_left_alone_while_its_owner_writes(aws: AwsEndpoint, stack: Resources) -> None:
    record: LogRecord = opened_long_ago(aws, stack, "slow")
    async with process(stack, "one") as one:
        for look in range(4):
            await one.sweep_at(look * SILENT_S)
            record = Progress(session_id=record.session_id, n=look + 2, written_at_ms=1, state=record.state)
            await one.store.append(record)
    assert [record.type for record in log_of(aws, stack, "slow")] == ["opened", *["progress"] * 4]
    assert open_entries(aws, stack) == {"slow"}


async def test_a_session_is_left_alone_while_its_request_may_come(aws: AwsEndpoint, stack: Resources) -> None:
    opened_long_ago(aws, stack, "waiting")
    aws.sqs().send_message(QueueUrl=stack.session_requests_url, MessageBody="a request")
    async with process(stack, "one") as one:
        await one.sweep()
    assert [record.type for record in log_of(aws, stack, "waiting")] == ["opened"]
    assert open_entries(aws, stack) == {"waiting"}


@pytest.mark.parametrize("ago_ms", [-3_600_000, 0, 3_600_000])
async def test_how_far_the_clocks_of_two_hosts_are_apart_makes_no_session_silent_sooner_or_later(
    aws: AwsEndpoint, stack: Resources, ago_ms: int
) -> None:
    opened_long_ago(aws, stack, "skewed", ago_ms=ago_ms)
    async with process(stack, "one") as one:
        for now_s in (0.0, NO_REQUESTS_S, SILENT_S - 1):
            await one.sweep_at(now_s)
        assert [record.type for record in log_of(aws, stack, "skewed")] == ["opened"]
        await one.sweep_at(SILENT_S)
        await until_over(aws, stack, "skewed")
    assert failures(aws, stack) == [("skewed", "abandoned")]


async def test_an_open_session_costs_one_small_query_in_five_minutes(
    aws: AwsEndpoint, stack: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        opened_long_ago(aws, stack, name)
    async with in_between(aws.url) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", between.url)
        async with process(stack, "one") as one:
            await one.sweep_at(0.0)
            first = between.passed
            for minute in range(1, 5):
                await one.sweep_at(minute * 60.0)
    listing = OPEN_SHARDS
    assert (first, between.passed) == (listing + 3, 5 * listing + 3)


async def test_one_session_that_cannot_be_gone_on_with_keeps_no_other_from_being_swept(
    aws: AwsEndpoint, stack: Resources
) -> None:
    """Its end is of a year that no event can name."""
    opened_long_ago(aws, stack, "lost")
    odd = SessionId(beside("lost"))
    first = opened_long_ago(aws, stack, odd)
    record = failed(odd, first, Writer("dead", "m"), Failure("odd", "…"), 10**18)
    put(aws, stack, record_key(odd, 2), record.model_dump_json())
    async with process(stack, "one") as one:
        await one.sweep()
        await until_over(aws, stack, "lost")
        assert one.counted(RECORDS_UNREADABLE)
    assert failures(aws, stack) == [("lost", "abandoned")]


async def test_while_sessions_are_turned_away_for_want_of_room_none_counts_as_abandoned(
    aws: AwsEndpoint, stack: Resources
) -> None:
    """The request is in the hands of ingest, which holds it, puts it back, and receives it again at once."""
    opened_long_ago(aws, stack, "turned-away")
    async with process(stack, "full", max_sessions=0) as full:
        for handle in range(1, 4):
            frame = Open(handle=handle, request=request("turned-away"), message_id="m", receipt_handle="r")
            full.sessions.open(full.link, frame)
            assert not full.sessions.serves(frame.request.session_id)
            await full.sweep_at(handle * SILENT_S)
        assert [record.type for record in log_of(aws, stack, "turned-away")] == ["opened"]
        await full.sweep_at(4 * SILENT_S)
        await full.sweep_at(5 * SILENT_S)
    assert [record.type for record in log_of(aws, stack, "turned-away")] == ["opened", "ended"]


async def test_a_process_that_no_ingest_can_ask_gives_up_no_session(
    aws: AwsEndpoint, stack: Resources
) -> None:
    opened_long_ago(aws, stack, "unasked")
    async with process(stack, "alone") as alone:
        alone.sessions.bereave(alone.link)
        await alone.sweep()
    assert [record.type for record in log_of(aws, stack, "unasked")] == ["opened"]


async def test_an_owner_that_wakes_after_the_sweep_finds_that_it_has_lost(
    aws: AwsEndpoint, stack: Resources
) -> None:
    first = opened_long_ago(aws, stack, "asleep")
    async with process(stack, "one") as one:
        await one.sweep()
        await until_over(aws, stack, "asleep")
        late = first.model_copy(update={"n": 2, "written_at_ms": now_ms()})
        found = await one.store.append(late)
    assert isinstance(getattr(found, "record", None), Ended)


async def test_a_request_that_died_fails_its_session_and_leaves_the_dead_letter_queue(
    aws: AwsEndpoint, stack: Resources
) -> None:
    opened_long_ago(aws, stack, "dead")
    aws.sqs().send_message(QueueUrl=stack.session_requests_url, MessageBody="another's request")
    dlq = stack.session_requests_dlq_url
    dies(aws, stack, "dead")
    aws.sqs().send_message(QueueUrl=dlq, MessageBody="no request")
    dies(aws, stack, "odd", occurred_at=datetime(1960, 1, 1, tzinfo=UTC))
    async with process(stack, "one") as one, process(stack, "two") as two:
        async with asyncio.timeout(20):
            while await asyncio.to_thread(kept, aws, dlq) > 2:
                await asyncio.gather(one.sweep(), two.sweep())
    assert failures(aws, stack) == [("dead", "request_dead")]
    assert kept(aws, dlq) == 2, "what is no request is left to an operator"


def kept(aws: AwsEndpoint, url: str) -> int:
    """Messages of a queue, visible or not."""
    counts = aws.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesNotVisible"])


async def test_an_end_that_its_owner_could_not_announce_is_announced(
    aws: AwsEndpoint, stack: Resources
) -> None:
    first = opened_long_ago(aws, stack, "untold")
    record = Ended(
        session_id=first.session_id,
        n=2,
        written_at_ms=now_ms(),
        state=first.state,
        outcome=Outcome.FAILED,
        reason="stream_not_found",
        explanation="…",
        end_samples=0,
    )
    put(aws, stack, record_key(first.session_id, 2), record.model_dump_json())
    async with process(stack, "one") as one:
        await one.sweep()
        await until_over(aws, stack, "untold")
    assert failures(aws, stack) == [("untold", "stream_not_found")]
    assert open_entries(aws, stack) == set()


async def test_an_entry_that_its_owner_could_not_remove_is_removed(
    aws: AwsEndpoint, stack: Resources
) -> None:
    opened_long_ago(aws, stack, "done")
    async with process(stack, "one") as one:
        await one.sweep()
        await until_over(aws, stack, "done")
        header = SessionHeader.model_validate(put_header(aws, stack, "done"))
        entry = ContactSession(
            contact_id=ContactId("c"),
            session_id=SessionId("done"),
            requested_at_ms=header.requested_at_ms,
        )
        key = open_session_key(entry.session_id, entry.requested_at_ms)
        put(aws, stack, key, entry.model_dump_json())
        await one.sweep()
        assert open_entries(aws, stack) == set()
    assert failures(aws, stack) == [("done", "abandoned")]


async def test_a_session_of_a_later_release_is_left_to_it_and_the_others_are_swept(
    aws: AwsEndpoint, stack: Resources, capsys: pytest.CaptureFixture[str]
) -> None:
    shard = open_session_key(SessionId("a-later"), 1).pk
    behind = next(name for at in count() if open_session_key(SessionId(name := f"b-{at}"), 1).pk == shard)
    for name in ("a-later", behind):
        opened_long_ago(aws, stack, name)
    put(aws, stack, record_key(SessionId("a-later"), 2), '{"type": "final", "version": 2}')
    async with process(stack, "t-later") as one:
        await one.sweep()
        await until_over(aws, stack, behind)
    assert failures(aws, stack) == [(behind, "abandoned")]
    assert "transcribe.record_unreadable" in capsys.readouterr().out


async def test_owners_that_could_not_write_because_the_store_was_away_are_not_silent(
    aws: AwsEndpoint, stack: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_long_ago(aws, stack, "s-away")
    async with in_between(aws.url) as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", store.url)
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        async with process(stack, "t-away") as one:
            await one.sweep_at(0.0)
            store.refusals = 1
            with pytest.raises(StoreUnavailable):
                await one.sweep_at(SILENT_S - 1)
            await one.sweep_at(SILENT_S)
            [only] = await asyncio.to_thread(log_of, aws, stack, "s-away")
            assert isinstance(only, Opened)
            await one.sweep_at(SILENT_S + NO_REQUESTS_S)
            log = await until_over(aws, stack, "s-away")
    assert isinstance(log[1], Ended)


async def test_one_session_whose_header_cannot_be_read_keeps_no_other_from_being_swept(
    aws: AwsEndpoint, stack: Resources
) -> None:
    opened_long_ago(aws, stack, "lost")
    odd = SessionId(beside("lost"))
    opened_long_ago(aws, stack, odd)
    put(aws, stack, header_key(odd), '{"version":9}')
    async with process(stack, "one") as one:
        await one.sweep()
        await until_over(aws, stack, "lost")
        assert one.counted(RECORDS_UNREADABLE)
    assert failures(aws, stack) == [("lost", "abandoned")]
    assert open_entries(aws, stack) == {odd}


async def test_a_dead_request_of_a_session_that_cannot_be_read_is_told_when_others_had_their_time(
    aws: AwsEndpoint, stack: Resources
) -> None:
    opened_long_ago(aws, stack, "newer")
    put(aws, stack, record_key(SessionId("newer"), 2), '{"version":9}')
    dies(aws, stack, "newer")
    async with process(stack, "one") as one:
        async with asyncio.timeout(20):
            while not one.counted(RECORDS_UNREADABLE):
                await one.sweep_at(0.0)
        await one.sweep_at(IN_VAIN_S - 1)
        assert failures(aws, stack) == []
        async with asyncio.timeout(20):  # the message is to be had once a second
            while await asyncio.to_thread(kept, aws, stack.session_requests_dlq_url):
                await one.sweep_at(IN_VAIN_S)
    assert failures(aws, stack) == [("newer", "log_unreadable")]


async def test_a_dead_request_of_a_session_whose_log_may_not_be_written_is_told_without_it(
    aws: AwsEndpoint, stack: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_long_ago(aws, stack, "refused")
    dies(aws, stack, "refused")
    async with in_between(aws.url) as between:
        between.denied = "PutItem"
        monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", between.url)
        async with process(stack, "one") as one, asyncio.timeout(40):
            while await asyncio.to_thread(kept, aws, stack.session_requests_dlq_url):
                await one.sweep_at(one.clock[0] + 60.0)
            assert one.counted(APPENDS_FAILED)
    assert failures(aws, stack) == [("refused", "log_refused")]
    assert [record.type for record in log_of(aws, stack, "refused")] == ["opened"]


@pytest.mark.parametrize(("max_sessions", "expected"), [(2, 2), (500, MAX_ANNOUNCED)])
async def test_what_a_sweep_finds_to_announce_takes_no_more_places_than_there_are(
    aws: AwsEndpoint, stack: Resources, max_sessions: int, expected: int
) -> None:
    first = opened_long_ago(aws, stack, "a")
    header = put_header(aws, stack, "a")
    async with process(stack, "one", max_sessions) as one:
        names = [SessionId(f"a{number}") for number in range(MAX_ANNOUNCED + 5)]
        for name in names:
            told = {"session_id": name}
            one.sessions.announce(header.model_copy(update=told), [first.model_copy(update=told)])
        assert sum(one.sessions.serves(name) for name in names) == expected

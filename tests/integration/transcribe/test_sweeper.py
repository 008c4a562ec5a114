"""Sessions that nobody holds, on the emulated AWS, with several processes that sweep."""

import asyncio
from itertools import count

import pytest

from contracts.link import Open
from contracts.metrics import RECORDS_UNREADABLE
from contracts.model import ContactId, SessionId
from contracts.session import (
    OPEN_SHARDS,
    ContactSession,
    Ended,
    LogRecord,
    Opened,
    Outcome,
    Progress,
    SessionHeader,
    header_key,
    open_session_key,
    record_key,
)
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.transcribe.adapters.sessions import MAX_ANNOUNCED
from services.transcribe.deepgram_session import Failure
from services.transcribe.errors import StoreUnavailable
from services.transcribe.session_log import Writer, failed
from services.transcribe.sweep import NO_REQUESTS_S, SILENT_S
from tests.integration.delivery.in_between import in_between
from tests.integration.transcribe.outcome import log_of, put_header, request
from tests.integration.transcribe.sweeping import failures, now_ms, opened_long_ago, process, put


def open_entries(aws: AwsEndpoint, stack: Resources) -> set[str]:
    items = aws.dynamodb().scan(TableName=stack.table_name, ConsistentRead=True)["Items"]
    return {
        ContactSession.model_validate_json(item["body"].get("S", "")).session_id
        for item in items
        if item["pk"].get("S", "").startswith("open#")
    }


def beside(name: str) -> str:
    """A session that is listed in the same shard, before `name`."""
    key = open_session_key(SessionId(name), 1)
    others = (f"a{number}" for number in count())
    return next(each for each in others if open_session_key(SessionId(each), 1).pk == key.pk)


async def until_over(aws: AwsEndpoint, stack: Resources, name: str) -> list[LogRecord]:
    async with asyncio.timeout(20):
        while (log := await asyncio.to_thread(log_of, aws, stack, name))[-1].type != "announced":
            pass
    return log


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

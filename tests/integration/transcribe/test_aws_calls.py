"""Frequent AWS calls made directly: on the emulated AWS, and on peers that misbehave."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiobotocore.session import get_session
from aiohttp import web
from botocore.exceptions import ClientError, HTTPClientError, NoCredentialsError

from aws.direct import connections
from contracts.metrics import APPENDS_FAILED
from contracts.model import ContactId, SessionId
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.transcribe.adapters.aws_calls import ANSWER_S, direct
from services.transcribe.adapters.claims import append
from services.transcribe.adapters.event_bus import EventBridgeBus
from services.transcribe.adapters.session_store import DynamoSessionStore
from services.transcribe.adapters.transcript_queue import SqsTranscriptQueue
from services.transcribe.inputs import Appended, AppendFailed, Found, Refusal
from services.transcribe.ports import Answer
from telemetry.metrics import Metrics
from tests.integration.transcribe.outcome import events_of, messages_of
from tests.integration.transcribe.test_session_store import record
from tests.integration.transcribe.test_ways_out import YES, gap, message

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient

ITEM = {"pk": {"S": "a"}, "sk": {"S": "b"}}


class Peer:
    """Answers by `answers`, in turn; None: closes the connection instead."""

    def __init__(self, *answers: web.Response | None) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        answer = self._answers.pop(0)
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            await asyncio.sleep(0)
            return web.Response()
        return answer


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, stack: Resources) -> pytest.MonkeyPatch:
    """For the environment of a peer other than the emulated AWS; `stack` has set the rest."""
    assert stack.table_name
    return monkeypatch


async def served(peer: Peer, environment: pytest.MonkeyPatch) -> AsyncIterator["DynamoDBClient"]:
    app = web.Application()
    app.router.add_post("/", peer.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{runner.addresses[0][1]}")
    session = get_session()
    try:
        async with session.create_client("dynamodb") as client, connections(session, ANSWER_S) as http:
            yield direct(session, client, http)
    finally:
        await runner.cleanup()


async def test_the_store_appends_once_and_finds_what_is_there(stack: Resources) -> None:
    session = get_session()
    async with session.create_client("dynamodb") as client, connections(session, ANSWER_S) as http:
        store = DynamoSessionStore(direct(session, client, http), stack.table_name, retention_days=30)
        assert isinstance(await store.append(record(1)), Appended)
        assert await store.append(record(1, writer="other#m1")) == Found(record(1))
        assert await store.tail(SessionId("s")) == (record(1),)
        absent = DynamoSessionStore(direct(session, client, http), "absent", retention_days=30)
        failed = await absent.append(record(1))
        assert isinstance(failed, AppendFailed)
        assert failed.reason == "ResourceNotFoundException"


async def test_queue_and_bus_take_what_they_take_from_the_sdk(aws: AwsEndpoint, stack: Resources) -> None:
    session = get_session()
    async with (
        session.create_client("sqs") as sqs,
        session.create_client("events") as events,
        connections(session, ANSWER_S) as http,
    ):
        queue = SqsTranscriptQueue(direct(session, sqs, http), stack.transcripts_url)
        assert await queue.send([message("a", 1), message("b", 1)]) == [YES, YES]
        bus = EventBridgeBus(direct(session, events, http), stack.bus_name)
        assert await bus.put([gap(1)]) == [YES]
        [absent] = await SqsTranscriptQueue(direct(session, sqs, http), f"{stack.transcripts_url}-no").send(
            [message("a", 2)]
        )
        assert (absent.accepted, absent.rejected) == (False, False)
    assert {one.session_id for one in messages_of(aws, stack)} == {"a", "b"}
    assert len(events_of(aws, stack)) == 1


async def test_a_queue_and_a_bus_that_hang_up_are_asked_again_later(away: pytest.MonkeyPatch) -> None:
    app = web.Application()
    app.router.add_post("/", Peer(*[None] * 4).answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    away.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{runner.addresses[0][1]}")
    session = get_session()
    try:
        async with (
            session.create_client("sqs") as sqs,
            session.create_client("events") as events,
            connections(session, ANSWER_S) as http,
        ):
            later = Answer(accepted=False, reason="HTTPClientError")
            assert await SqsTranscriptQueue(direct(session, sqs, http), "url").send([message("a", 1)]) == [
                later
            ]
            assert await EventBridgeBus(direct(session, events, http), "bus").put([gap(1)]) == [later]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def heard_by(peer: "Ear", environment: pytest.MonkeyPatch) -> AsyncGenerator[tuple[Any, Any, Any]]:
    """The store's, queue's and bus's clients of `peer`."""
    app = web.Application()
    app.router.add_post("/", peer.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{runner.addresses[0][1]}")
    session = get_session()
    try:
        async with (
            session.create_client("dynamodb") as dynamodb,
            session.create_client("sqs") as sqs,
            session.create_client("events") as events,
            connections(session, ANSWER_S) as http,
        ):
            yield direct(session, dynamodb, http), direct(session, sqs, http), direct(session, events, http)
    finally:
        await runner.cleanup()


class Ear(Peer):
    """Remembers what it was asked."""

    def __init__(self, *answers: web.Response) -> None:
        super().__init__(*answers)
        self.heard: list[dict[str, Any]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.heard.append(orjson.loads(await request.read()))
        return await super().answer(request)


async def test_whatever_decides_is_read_consistently(away: pytest.MonkeyPatch) -> None:
    answers = ('{"Items": []}', "{}", '{"Responses": {}}')
    peer = Ear(*(web.Response(text=answer) for answer in answers))
    async with heard_by(peer, away) as (dynamodb, _, _):
        store = DynamoSessionStore(dynamodb, "t", retention_days=1)
        assert await store.tail(SessionId("s")) == ()
        assert await store.header(SessionId("s")) is None
        assert await store.intents([ContactId("c")]) == {ContactId("c"): None}
    tail, header, intents = peer.heard
    assert (tail["ConsistentRead"], header["ConsistentRead"]) == (True, True)
    assert intents["RequestItems"]["t"]["ConsistentRead"] is True


async def test_a_message_goes_in_its_sessions_group_under_its_own_id(away: pytest.MonkeyPatch) -> None:
    peer = Ear(web.json_response({"Successful": [], "Failed": []}))
    async with heard_by(peer, away) as (_, sqs, _):
        await SqsTranscriptQueue(sqs, "url").send([message("a", 1), message("b", 7)])
    entries = peer.heard[0]["Entries"]
    assert [(entry["MessageGroupId"], entry["MessageDeduplicationId"]) for entry in entries] == [
        ("a", "a-1"),
        ("b", "b-7"),
    ]


async def test_an_entry_that_no_second_try_can_help_is_rejected_and_others_are_not(
    away: pytest.MonkeyPatch,
) -> None:
    failed = [
        {"Id": str(at), "Code": code, "SenderFault": True}
        for at, code in enumerate(("InvalidMessageContents", "InternalError"))
    ]
    put = [{"ErrorCode": "MalformedDetail"}, {"ErrorCode": "ThrottlingException"}, {"EventId": "e"}]
    taken = [{"Id": "2", "MessageId": "m", "MD5OfMessageBody": "d"}]
    peer = Ear(
        web.json_response({"Successful": taken, "Failed": failed}),
        web.json_response({"FailedEntryCount": 2, "Entries": put}),
    )
    async with heard_by(peer, away) as (_, sqs, events):
        queued = await SqsTranscriptQueue(sqs, "url").send([message("a", n) for n in (1, 2, 3)])
        told = await EventBridgeBus(events, "bus").put([gap(n) for n in (1, 2, 3)])
    for answers in (queued, told):
        assert [(answer.accepted, answer.rejected) for answer in answers] == [
            (False, True),
            (False, False),
            (True, False),
        ]


@pytest.mark.parametrize(
    ("code", "of_content"),
    [("ValidationException", True), ("AccessDeniedException", False), ("ThrottlingException", False)],
)
async def test_a_whole_request_that_is_refused_says_whether_an_entry_is_at_fault(
    away: pytest.MonkeyPatch, code: str, of_content: bool
) -> None:
    refusal = {"__type": f"com.amazon#{code}"}
    peer = Ear(web.json_response(refusal, status=400), web.json_response(refusal, status=400))
    async with heard_by(peer, away) as (_, sqs, events):
        [queued] = await SqsTranscriptQueue(sqs, "url").send([message("a", 1)])
        [told] = await EventBridgeBus(events, "bus").put([gap(1)])
    later = Answer(accepted=False, of_content=of_content, reason=code, code=code)
    assert (queued, told) == (later, later)


async def test_a_claim_outlives_two_failures_of_the_store_and_not_a_refusal(
    away: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    metrics = Metrics("t", lines.append, stack="t")
    busy = (web.json_response({"__type": "ThrottlingException"}, status=400) for _ in range(2))
    denied = web.json_response({"__type": "AccessDeniedException"}, status=400)
    peer = Ear(*busy, web.json_response({}), denied)
    async with heard_by(peer, away) as (dynamodb, _, _):
        store = DynamoSessionStore(dynamodb, "t", retention_days=1)
        assert await append(store, record(1), metrics) is True
        failed = await append(store, record(1), metrics)
    assert failed == AppendFailed("AccessDeniedException", Refusal.ALL)
    metrics.flush(0)
    assert f'"{APPENDS_FAILED.name}":3.0' in lines[0]


async def test_a_moment_goes_as_seconds(away: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    class Ear(Peer):
        async def answer(self, request: web.Request) -> web.Response:
            heard.append(await request.read())
            return await super().answer(request)

    async for client in served(Ear(web.json_response({})), away):
        await client.put_item(TableName="t", Item={"at": datetime(2026, 1, 1, tzinfo=UTC)})  # pyright: ignore[reportArgumentType]  # to see it
    assert heard == [b'{"TableName":"t","Item":{"at":1767225600.0}}']


@pytest.mark.parametrize("first", [None, web.Response(status=500), web.Response(status=503, text="busy")])
async def test_a_lost_connection_or_a_fault_of_aws_is_tried_once_more(
    away: pytest.MonkeyPatch, first: web.Response | None
) -> None:
    peer = Peer(first, web.json_response({}))
    async for client in served(peer, away):
        assert await client.put_item(TableName="t", Item=ITEM) == {}
    assert peer.asked == 2


async def test_what_stays_lost_is_the_sdks_error(away: pytest.MonkeyPatch) -> None:
    async for client in served(Peer(None, None), away):
        with pytest.raises(HTTPClientError):
            await client.put_item(TableName="t", Item=ITEM)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            web.json_response({"__type": "com.amazonaws#Throttled", "message": "slow"}, status=400),
            "Throttled",
        ),
        (web.json_response({"__type": "Plain"}, status=400), "Plain"),
        (web.Response(status=413, text="<html>"), "413"),
        (web.json_response([], status=403), "403"),
        (
            web.json_response(
                {"__type": "com.amazonaws.sqs#QueueDoesNotExist"},
                status=400,
                headers={"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
            ),
            "AWS.SimpleQueueService.NonExistentQueue",
        ),
    ],
)
async def test_a_refusal_is_the_sdks_error_with_awss_code(
    away: pytest.MonkeyPatch, answer: web.Response, code: str
) -> None:
    peer = Peer(answer)
    async for client in served(peer, away):
        with pytest.raises(ClientError) as caught:
            await client.put_item(TableName="t", Item=ITEM)
        assert caught.value.response.get("Error", {}).get("Code") == code
    assert peer.asked == 1


async def test_without_credentials_nothing_is_asked(away: pytest.MonkeyPatch) -> None:
    peer = Peer()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        away.delenv(name)
    async for client in served(peer, away):
        with pytest.raises(NoCredentialsError):
            await client.put_item(TableName="t", Item=ITEM)

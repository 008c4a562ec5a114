"""What an AWS may answer that is no answer: each call's error is of the SDK's family, whoever makes it."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from aiobotocore.session import AioSession, get_session
from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError

from aws.answers import NoAnswer, careful
from aws.direct import DirectCalls, connections

ANSWER_S = 5.0
PAGE = "<html><body>Please sign in</body></html>"


@dataclass(slots=True)
class Peer:
    """Answers every call alike; at `/keys` it gives credentials that are expired."""

    answer: str = "{}"
    status: int = 200
    url: str = ""
    asked: list[str] = field(default_factory=list[str])

    async def call(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers["X-Amz-Target"].partition(".")[2])
        return web.Response(text=self.answer, status=self.status, content_type="application/x-amz-json-1.0")

    async def keys(self, _: web.Request) -> web.Response:
        expires_at = datetime.now(UTC) - timedelta(minutes=1)
        keys = {"AccessKeyId": "a", "SecretAccessKey": "b", "Token": "c"}
        return web.json_response({**keys, "Expiration": expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")})


@pytest.fixture
async def peer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Peer]:
    made = Peer()
    app = web.Application()
    app.add_routes([web.post("/", made.call), web.get("/keys", made.keys)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for name, value in {
        "AWS_ENDPOINT_URL": made.url,
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(name, value)
    yield made
    await runner.cleanup()


class Direct(DirectCalls):
    async def put_item(self) -> object:
        return self.read("PutItem", await self.post("PutItem", b"{}"))

    async def query(self, **_: object) -> object:
        return self.read("Query", await self.post("Query", b"{}"))


@asynccontextmanager
async def caller(session: AioSession, service: str, kind: str) -> AsyncGenerator[object]:
    async with (
        session.create_client(service) as client,  # pyright: ignore[reportCallIssue, reportArgumentType]  # one of several
        connections(session, ANSWER_S) as http,
    ):
        yield careful(client) if kind == "sdk" else Direct(session, client, http)


QUERY = {"TableName": "t", "KeyConditionExpression": "pk = :pk"}
ENTRIES = [{"Id": "0", "ReceiptHandle": "r"}]
CALLS: dict[str, tuple[str, Mapping[str, object], list[str]]] = {
    "get_item": ("dynamodb", {"TableName": "t", "Key": {}}, []),
    "transact_write_items": ("dynamodb", {"TransactItems": [{}]}, []),
    "query": (
        "dynamodb",
        QUERY,
        ["{}", '{"Items": null}', '{"Items": [1]}', '{"Items": [{"pk": {"S": 1}}]}'],
    ),
    "batch_get_item": (
        "dynamodb",
        {"RequestItems": {"t": {"Keys": [{}]}}},
        ["{}", '{"Responses": {"t": {}}}', '{"Responses": {}, "UnprocessedKeys": {"t": {}}}'],
    ),
    "delete_message": ("sqs", {"QueueUrl": "https://q", "ReceiptHandle": "r"}, []),
    "receive_message": (
        "sqs",
        {"QueueUrl": "https://q"},
        ['{"Messages": {}}', '{"Messages": [{"Body": 1}]}'],
    ),
    "delete_message_batch": (
        "sqs",
        {"QueueUrl": "https://q", "Entries": ENTRIES},
        ["{}", '{"Failed": [{"Code": "x"}]}'],
    ),
    "get_queue_attributes": ("sqs", {"QueueUrl": "https://q"}, ["{}", '{"Attributes": []}']),
    "put_events": (
        "events",
        {"Entries": [{}]},
        ["{}", '{"Entries": []}', '{"FailedEntryCount": "no", "Entries": []}'],
    ),
    "get_secret_value": ("secretsmanager", {"SecretId": "s"}, ['{"SecretString": {}}']),
}


@pytest.mark.parametrize("operation", CALLS)
async def test_no_answer_is_an_error_of_the_sdk(peer: Peer, operation: str) -> None:
    service, parameters, odd = CALLS[operation]
    answers = [PAGE, "[]", '"fine"', "1", *odd]
    async with caller(get_session(), service, "sdk") as client:
        for answer in answers:
            peer.answer = answer
            with pytest.raises(NoAnswer):
                await getattr(client, operation)(**parameters)
    assert len(peer.asked) == len(answers)


async def test_no_answer_to_a_direct_call_is_one_too(peer: Peer) -> None:
    async with caller(get_session(), "dynamodb", "direct") as client:
        for answer in ("", PAGE, "[]", '"fine"', '{"Items": [1]}', "{}"):
            peer.answer = answer
            with pytest.raises(NoAnswer):
                await getattr(client, "query")()  # noqa: B009 -- one of several


@pytest.mark.parametrize("kind", ["sdk", "direct"])
async def test_an_answer_is_given_as_it_is(peer: Peer, kind: str) -> None:
    items = [{"pk": {"S": "a"}, "n": {"N": "1"}, "m": {"M": {"l": {"L": [{"NULL": True}]}}}}]
    peer.answer = json.dumps({"Items": items, "Count": 1, "LastEvaluatedKey": None, "New": {"of": "AWS"}})
    async with caller(get_session(), "dynamodb", kind) as client:
        answer = await getattr(client, "query")(**QUERY)  # noqa: B009 -- one of several
    assert (answer["Items"], answer["Count"], "LastEvaluatedKey" in answer) == (items, 1, False)


async def test_what_has_no_answer_may_be_answered_by_nothing(peer: Peer) -> None:
    peer.answer = ""
    async with caller(get_session(), "sqs", "sdk") as client:
        await getattr(client, "delete_message")(QueueUrl="https://q", ReceiptHandle="r")  # noqa: B009


async def test_an_odd_refusal_is_an_error_of_the_sdk(peer: Peer) -> None:
    async with caller(get_session(), "dynamodb", "sdk") as client:
        for peer.status in (400, 404, 500):
            for peer.answer in ("[]", "1", PAGE, ""):
                with pytest.raises((ClientError, BotoCoreError)):
                    await getattr(client, "query")(**QUERY)  # noqa: B009 -- one of several


@pytest.mark.parametrize("kind", ["sdk", "direct"])
async def test_expired_credentials_are_an_error_of_the_sdk(
    peer: Peer, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{peer.url}/keys")
    async with caller(get_session(), "dynamodb", kind) as client:
        with pytest.raises(NoAnswer):
            await getattr(client, "query")(**QUERY)  # noqa: B009 -- one of several
    assert peer.asked == []

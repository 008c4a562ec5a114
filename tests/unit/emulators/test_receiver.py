"""The receiver as its users see it: over HTTP, and in-process."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest
from standardwebhooks import Webhook

from emulators.receiver.faults import Fault, Faults
from emulators.receiver.recorder import MAX_REQUESTS, Received, Recorder
from emulators.receiver.server import Receiver, ReceiverOptions, serve

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with serve(ReceiverOptions()) as started:
        yield started


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def received(number: int, at_ms: int = 0) -> Received:
    return Received(number, at_ms, "POST", "/", {}, "{}", "unchecked", 200, 0)


async def test_a_request_is_recorded_as_it_came(receiver: Receiver, client: aiohttp.ClientSession) -> None:
    async with client.put(
        f"{receiver.url}/calls/7?x=1", data=b'{"a": 1}', headers={"X-Sequence": "3"}
    ) as answer:
        assert answer.status == 200
    async with client.get(f"{receiver.url}/_emulator/requests") as answer:
        document = await answer.json()
    [request] = document["requests"]
    assert (request["method"], request["path"], request["body"]) == ("PUT", "/calls/7?x=1", '{"a": 1}')
    assert request["headers"]["x-sequence"] == "3"
    assert (request["number"], request["status"], request["signature"]) == (1, 200, "unchecked")
    assert document["next"] == 1


async def test_a_long_poll_is_answered_when_something_comes(
    receiver: Receiver, client: aiohttp.ClientSession
) -> None:
    async with asyncio.TaskGroup() as tasks:
        polling = tasks.create_task(client.get(f"{receiver.url}/_emulator/requests?since=0&wait_s=30"))
        async with client.post(f"{receiver.url}/late", data=b"{}"):
            pass
    document = await polling.result().json()
    assert [request["path"] for request in document["requests"]] == ["/late"]


async def test_a_watcher_sees_every_request_in_order(
    receiver: Receiver, client: aiohttp.ClientSession
) -> None:
    for n in range(5):
        async with client.post(f"{receiver.url}/{n}"):
            pass
    watching = receiver.recorder.watch()
    async with asyncio.timeout(5):
        assert [(await anext(watching)).path for _ in range(5)] == [f"/{n}" for n in range(5)]


@pytest.mark.parametrize(
    "fault",
    [{"status": 429, "retry_after": "7", "path": "/a", "count": 2}, {"status": 302, "location": "/b"}],
)
async def test_a_fault_answers_as_told(
    receiver: Receiver, client: aiohttp.ClientSession, fault: dict[str, object]
) -> None:
    async with client.post(f"{receiver.url}/_emulator/faults", json=fault) as answer:
        assert answer.status == 200
    async with client.post(f"{receiver.url}/a", allow_redirects=False) as answer:
        assert answer.status == fault["status"]
        assert answer.headers.get("Retry-After") == fault.get("retry_after")
        assert answer.headers.get("Location") == fault.get("location")


async def test_a_cut_connection_is_recorded_without_an_answer(
    receiver: Receiver, client: aiohttp.ClientSession
) -> None:
    receiver.faults.arm(Fault(kind="drop", count=1))
    with pytest.raises(aiohttp.ClientError):
        await client.post(f"{receiver.url}/a")
    assert [request.status for request in receiver.recorder.received] == [None]
    async with client.post(f"{receiver.url}/a") as answer:
        assert answer.status == 200


async def test_a_hanging_request_is_never_answered(receiver: Receiver, client: aiohttp.ClientSession) -> None:
    receiver.faults.arm(Fault(kind="hang"))
    with pytest.raises(TimeoutError):
        await client.post(f"{receiver.url}/a", timeout=aiohttp.ClientTimeout(total=0.2))
    receiver.faults.clear()
    async with client.post(f"{receiver.url}/a") as answer:
        assert answer.status == 200


async def test_a_fault_that_cannot_be_is_refused(receiver: Receiver, client: aiohttp.ClientSession) -> None:
    async with client.post(f"{receiver.url}/_emulator/faults", json={"kind": "explode"}) as answer:
        assert answer.status == 422


async def test_signatures_are_verified(client: aiohttp.ClientSession) -> None:
    now = datetime.now(UTC)
    signature = Webhook(SECRET).sign("m-1", now, "{}")
    signed = {
        "webhook-id": "m-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }
    async with serve(ReceiverOptions(secrets=[SECRET])) as receiver:
        async with client.post(receiver.url, data=b"{}", headers=signed) as answer:
            assert answer.status == 200
        async with client.post(receiver.url, data=b"{ }", headers=signed) as answer:
            assert answer.status == 401
        async with client.post(receiver.url, data=b"{}") as answer:
            assert answer.status == 401
        assert [request.signature for request in receiver.recorder.received] == [
            "valid",
            "invalid",
            "invalid",
        ]


def test_a_counted_fault_is_used_up_by_the_path_that_it_is_meant_for() -> None:
    faults = Faults()
    faults.arm(Fault(path="/a", count=2))
    assert faults.take("/b") is None
    assert [faults.take("/a") is not None for _ in range(3)] == [True, True, False]


def test_what_is_kept_is_bounded_and_numbers_go_on() -> None:
    recorder = Recorder()
    for _ in range(MAX_REQUESTS + 3):
        recorder.record(received)
    assert len(recorder.received) == MAX_REQUESTS
    assert [request.number for request in recorder.after(0, limit=2)] == [4, 5]
    assert [request.number for request in recorder.after(MAX_REQUESTS + 2)] == [MAX_REQUESTS + 3]
    recorder.clear()
    recorder.record(received)
    assert [request.number for request in recorder.after(0)] == [MAX_REQUESTS + 4]


async def test_it_starts_alone_and_says_where_it_listens() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "emulators.receiver", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        ready = json.loads(await process.stdout.readline())
        process.terminate()
        assert await process.wait() == 0
    assert ready["event"] == "receiver.ready"
    assert ready["port"] > 0

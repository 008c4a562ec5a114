"""Lambda for containers: the Invoke API by AWS's client, the runtime API as a runtime client uses it."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import pytest

from emulators.connect.functions import lambda_function
from emulators.functions.server import serve

RUNTIME = "2018-06-01/runtime/invocation"


@pytest.fixture
async def url(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    async with serve("127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


async def work(url: str, how: str, answer: object) -> dict[str, object]:
    """What a runtime does with one event; returns the event."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/{RUNTIME}/next") as following:
            request_id = following.headers["Lambda-Runtime-Aws-Request-Id"]
            event = await following.json()
        async with session.post(f"{url}/{RUNTIME}/{request_id}/{how}", json=answer) as taken:
            assert taken.status == 202
        async with session.post(f"{url}/{RUNTIME}/{request_id}/{how}", json=answer) as again:
            assert again.status == 400
        return event


async def test_an_event_goes_to_the_runtime_and_its_answer_to_the_flow(url: str) -> None:
    async with lambda_function("trigger", endpoint_url=url, region="us-east-1") as function:
        working = asyncio.create_task(work(url, "response", {"lambdaResult": "success", "sessionId": "s"}))
        answer = await function({"Name": "ContactFlowEvent"})
        assert await working == {"Name": "ContactFlowEvent"}
    assert answer.external == {"lambdaResult": "success", "sessionId": "s"}


async def test_an_error_of_the_function_takes_the_error_branch(url: str) -> None:
    async with lambda_function("trigger", endpoint_url=url, region="us-east-1") as function:
        working = asyncio.create_task(work(url, "error", {"errorMessage": "no", "errorType": "ValueError"}))
        answer = await function({})
        await working
    assert answer.branch == "error"


async def test_an_asynchronous_event_is_taken_without_waiting(url: str) -> None:
    address = f"{url}/2015-03-31/functions/trigger/invocations"
    async with aiohttp.ClientSession() as session:
        headers = {"X-Amz-Invocation-Type": "Event"}
        async with session.post(address, data=json.dumps({"n": 1}), headers=headers) as accepted:
            assert accepted.status == 202
    assert await work(url, "response", {}) == {"n": 1}

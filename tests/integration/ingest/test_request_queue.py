"""The request queue on the embedded SQS."""

import json
from collections.abc import AsyncIterator

import pytest

from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.ingest.adapters.request_queue import RequestQueue
from services.ingest.errors import QueueFailure
from services.ingest.lease import Request
from tests.integration.delivery.in_between import in_between
from tests.unit.ingest.played import request

DETAIL = request().detail


@pytest.fixture
async def queue(stack: Resources) -> AsyncIterator[RequestQueue]:
    async with RequestQueue(stack.session_requests_url) as adapter:
        yield adapter


def put(aws: AwsEndpoint, stack: Resources, body: str | None = None) -> str:
    envelope = {"detail-type": "Session Requested", "source": "x", "detail": DETAIL.model_dump(mode="json")}
    answer = aws.sqs().send_message(
        QueueUrl=stack.session_requests_url, MessageBody=json.dumps(envelope) if body is None else body
    )
    return answer["MessageId"]


def counts(aws: AwsEndpoint, stack: Resources) -> tuple[int, int]:
    """Messages that can be received now, and messages that are invisible."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = aws.sqs().get_queue_attributes(
        QueueUrl=stack.session_requests_url,
        AttributeNames=names,  # pyright: ignore[reportArgumentType]  # literal names
    )["Attributes"]
    return int(answer[names[0]]), int(answer[names[1]])  # pyright: ignore[reportArgumentType]


async def received(queue: RequestQueue) -> Request:
    [request] = await queue.receive(5)
    return request


async def test_a_request_is_received_with_its_lease(
    aws: AwsEndpoint, stack: Resources, queue: RequestQueue
) -> None:
    message_id = put(aws, stack)
    request = await received(queue)
    assert request.detail == DETAIL
    assert request.message_id == message_id
    assert counts(aws, stack) == (0, 1)


async def test_no_more_is_received_than_there_is_room_for(
    aws: AwsEndpoint, stack: Resources, queue: RequestQueue
) -> None:
    for _ in range(3):
        put(aws, stack)
    assert len(await queue.receive(2)) == 2
    assert counts(aws, stack) == (1, 2)


async def test_a_deleted_request_is_gone(aws: AwsEndpoint, stack: Resources, queue: RequestQueue) -> None:
    put(aws, stack)
    await queue.delete(await received(queue))
    assert counts(aws, stack) == (0, 0)


async def test_a_request_that_is_put_back_can_be_received_at_once(
    aws: AwsEndpoint, stack: Resources, queue: RequestQueue
) -> None:
    put(aws, stack)
    first = await received(queue)
    await queue.put_back(first, 0)
    again = await received(queue)
    assert again.message_id == first.message_id


async def test_a_request_that_is_put_back_for_later_is_not_seen_before(
    aws: AwsEndpoint, stack: Resources, queue: RequestQueue
) -> None:
    put(aws, stack)
    await queue.put_back(await received(queue), 30)
    assert counts(aws, stack) == (0, 1)


async def test_extending_keeps_requests_invisible_and_forgives_those_that_are_gone(
    aws: AwsEndpoint, stack: Resources, queue: RequestQueue
) -> None:
    for _ in range(12):
        put(aws, stack)
    requests = [*await queue.receive(20), *await queue.receive(20)]
    assert len(requests) == 12
    await queue.delete(requests[0])
    await queue.extend(requests, 0)
    assert counts(aws, stack) == (11, 0)
    await queue.extend([], 60)


@pytest.mark.parametrize("body", ["nonsense", "{}", '{"detail-type": "Session Requested", "detail": {}}'])
async def test_what_is_no_request_is_left_to_the_redrive_policy_and_logged(
    aws: AwsEndpoint, stack: Resources, queue: RequestQueue, body: str, capsys: pytest.CaptureFixture[str]
) -> None:
    message_id = put(aws, stack, body)
    put(aws, stack)
    assert (await received(queue)).detail == DETAIL
    assert counts(aws, stack) == (0, 2)
    out = capsys.readouterr().out
    assert "ingest.request_malformed" in out
    assert message_id in out


async def test_a_queue_that_is_not_there_is_a_failure(stack: Resources) -> None:
    async with RequestQueue(stack.session_requests_url + "-gone") as queue:
        with pytest.raises(QueueFailure):
            await queue.receive(1)


async def test_a_queue_that_answers_nonsense_is_a_failure_too(
    aws: AwsEndpoint, stack: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(aws, stack)
    async with in_between((aws.apart or aws).url) as between:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", between.url)
        async with RequestQueue(stack.session_requests_url) as queue:
            request = await received(queue)
            for between.nonsense in ("<html>Please sign in</html>", "[]", '"fine"'):
                for call in (queue.receive(1), queue.delete(request), queue.put_back(request, 0)):
                    with pytest.raises(QueueFailure):
                        await call
                await queue.extend([request], 60)
            between.nonsense = '{"Failed": [{"Id": "7", "Code": "x", "SenderFault": true}]}'
            await queue.extend([request], 60)

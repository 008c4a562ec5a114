"""Requests that died, on the emulated AWS: their sessions are told to have failed."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from contracts.metrics import APPENDS_FAILED, RECORDS_UNREADABLE
from contracts.model import SessionId
from contracts.session import (
    record_key,
)
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.transcribe.sweep import IN_VAIN_S
from tests.integration.delivery.in_between import in_between
from tests.integration.transcribe.outcome import log_of, request
from tests.integration.transcribe.sweeping import failures, opened_long_ago, process, put


def dies(aws: AwsEndpoint, stack: Resources, name: str, **change: object) -> None:
    """The session's request is in the dead-letter queue."""
    detail = request(name).model_copy(update=change).model_dump(mode="json")
    envelope = {"detail-type": "Session Requested", "detail": detail}
    aws.sqs().send_message(QueueUrl=stack.session_requests_dlq_url, MessageBody=json.dumps(envelope))


def kept(aws: AwsEndpoint, url: str) -> int:
    """Messages of a queue, visible or not."""
    counts = aws.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(counts["ApproximateNumberOfMessages"]) + int(counts["ApproximateNumberOfMessagesNotVisible"])


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

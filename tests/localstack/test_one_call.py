"""The whole way of one call with queues, bus and secrets on LocalStack."""

import urllib.request

import pytest

from embedded.aws import AwsEndpoint
from embedded.system import System
from emulators.connect.functions import LambdaFunction
from emulators.deepgram.script import encode_call
from emulators.deepgram.verdict import judge, received_words
from tests.system.run import play
from tests.system.test_twenty_calls import BLOCK_SAMPLES, call_of

SECONDS = 12


def test_what_answers_is_localstack(aws: AwsEndpoint) -> None:
    assert aws.apart is not None
    assert aws.apart.url != aws.url
    assert aws.environment["AWS_ENDPOINT_URL_SQS"] == aws.apart.url
    with urllib.request.urlopen(f"{aws.apart.url}/_localstack/health", timeout=5) as answer:  # noqa: S310 -- http
        assert b'"4.14.0"' in answer.read()
    queue_url = aws.sqs().create_queue(QueueName="where-am-i")["QueueUrl"]
    assert str(aws.apart.port) in queue_url


@pytest.mark.timeout(180)
async def test_every_word_of_a_call_arrives_once_in_order_and_in_its_place(
    system: System, trigger: LambdaFunction
) -> None:
    script = encode_call(7, SECONDS)

    gathered = await play(system, trigger, lambda callback: [call_of(script, callback)])

    contact_id = gathered.played[0].started.contact_id
    verdict = judge(
        script.words, received_words(gathered.messages(contact_id)), tolerance_samples=BLOCK_SAMPLES
    )
    assert verdict.clean, verdict
    assert len({request.headers["webhook-id"] for request in gathered.requests[contact_id]}) == len(
        gathered.requests[contact_id]
    )
    assert gathered.event(contact_id, "Session Ended") is not None

import json
from collections.abc import Generator
from pathlib import Path

import pytest

from embedded.aws import AwsEndpoint, embedded_aws
from embedded.resources import Resources, create


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Generator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def stack(aws: AwsEndpoint) -> Resources:
    return create(aws, "unit")


def publish(aws: AwsEndpoint, stack: Resources, detail_type: str, mark: str) -> None:
    answer = aws.events().put_events(
        Entries=[
            {
                "EventBusName": stack.bus_name,
                "Source": "connect-transcription",
                "DetailType": detail_type,
                "Detail": json.dumps({"mark": mark}),
            }
        ]
    )
    assert answer["FailedEntryCount"] == 0


def received(aws: AwsEndpoint, queue_url: str, count: int) -> list[str]:
    marks: list[str] = []
    while len(marks) < count:
        answer = aws.sqs().receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=5)
        messages = answer.get("Messages", [])
        assert messages, f"{count} messages were expected, {marks} came"
        marks += [json.loads(message.get("Body", ""))["detail"]["mark"] for message in messages]
    return marks


def test_requests_reach_the_services_queue_and_every_event_the_extra_consumers(
    aws: AwsEndpoint, stack: Resources
) -> None:
    publish(aws, stack, "Session Ended", "end")
    publish(aws, stack, "Session Requested", "request")
    assert received(aws, stack.session_requests_url, 1) == ["request"]
    assert sorted(received(aws, stack.events_url, 2)) == ["end", "request"]


def test_the_request_rule_refuses_what_was_replayed_from_an_archive(
    aws: AwsEndpoint, stack: Resources
) -> None:
    rule = aws.events().describe_rule(Name="session-requests", EventBusName=stack.bus_name)
    assert json.loads(rule.get("EventPattern", "{}"))["replay-name"] == [{"exists": False}]


@pytest.mark.parametrize("queue", ["session_requests_url", "transcripts_url"])
def test_a_message_outlives_a_thousand_take_overs(aws: AwsEndpoint, stack: Resources, queue: str) -> None:
    url = getattr(stack, queue)
    attributes = aws.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] in {1000, "1000"}
    assert attributes["VisibilityTimeout"] == "60"


def test_the_table_is_keyed_and_forgets(aws: AwsEndpoint, stack: Resources) -> None:
    table = aws.dynamodb().describe_table(TableName=stack.table_name)["Table"]
    keys = [(key["AttributeName"], key["KeyType"]) for key in table.get("KeySchema", [])]
    assert keys == [("pk", "HASH"), ("sk", "RANGE")]
    ttl = aws.dynamodb().describe_time_to_live(TableName=stack.table_name)["TimeToLiveDescription"]
    assert (ttl.get("TimeToLiveStatus"), ttl.get("AttributeName")) == ("ENABLED", "expires_at")


def test_two_stacks_stand_beside_each_other(aws: AwsEndpoint, stack: Resources, tmp_path: Path) -> None:
    other = create(aws, f"unit-{tmp_path.name[:8]}")
    publish(aws, other, "Session Requested", "other")
    assert received(aws, other.session_requests_url, 1) == ["other"]
    empty = aws.sqs().receive_message(QueueUrl=stack.session_requests_url, WaitTimeSeconds=1)
    assert "Messages" not in empty or not empty["Messages"]

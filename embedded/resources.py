"""The AWS resources of one stack, made at an emulator's endpoint as Terraform makes them on AWS."""

import json
from dataclasses import dataclass

from contracts.events import SOURCE, SessionRequested
from embedded.aws import REGION, AwsEndpoint

PREFIX = "connect-transcription"
VISIBILITY_S = 60
MAX_RECEIVE_COUNT = 1_000
"""A session's request is received again at every take-over; the log ends what makes no progress."""


@dataclass(frozen=True, slots=True)
class Resources:
    """Names and URLs of a stack."""

    session_requests_url: str
    session_requests_dlq_url: str
    transcripts_url: str
    transcripts_dlq_url: str
    events_url: str
    """A standard queue that receives every event: an extra consumer, for looking at."""
    bus_name: str
    table_name: str

    @property
    def environment(self) -> dict[str, str]:
        """The services' settings that name resources."""
        return {
            "SESSION_REQUESTS_QUEUE_URL": self.session_requests_url,
            "SESSION_REQUESTS_DLQ_URL": self.session_requests_dlq_url,
            "TRANSCRIPTS_QUEUE_URL": self.transcripts_url,
            "TRANSCRIPTS_DLQ_URL": self.transcripts_dlq_url,
            "EVENT_BUS_NAME": self.bus_name,
            "SESSIONS_TABLE": self.table_name,
        }


def create(aws: AwsEndpoint, prefix: str = PREFIX) -> Resources:
    """Makes bus, rules, queues and table; several stacks may live beside one another under other prefixes."""
    requests_dlq = _queue(aws, f"{prefix}-session-requests-dlq", {})
    requests = _queue(aws, f"{prefix}-session-requests", _redrive(aws, requests_dlq))
    fifo = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    }
    transcripts_dlq = _queue(aws, f"{prefix}-transcripts-dlq.fifo", fifo)
    transcripts = _queue(aws, f"{prefix}-transcripts.fifo", {**fifo, **_redrive(aws, transcripts_dlq)})
    events = _queue(aws, f"{prefix}-events", {})
    aws.events().create_event_bus(Name=prefix)
    _rule(aws, prefix, "session-requests", requests, _request_pattern())
    _rule(aws, prefix, "events", events, {"source": [SOURCE]})
    _table(aws, f"{prefix}-sessions")
    return Resources(
        requests,
        requests_dlq,
        transcripts,
        transcripts_dlq,
        events,
        bus_name=prefix,
        table_name=f"{prefix}-sessions",
    )


def _request_pattern() -> dict[str, object]:
    """Session requests only, and none that was replayed from an archive: a replay must never start a call."""
    return {
        "source": [SOURCE],
        "detail-type": [SessionRequested.detail_type],
        "replay-name": [{"exists": False}],
    }


def _queue(aws: AwsEndpoint, name: str, attributes: dict[str, str]) -> str:
    created = aws.sqs().create_queue(
        QueueName=name,
        Attributes={  # pyright: ignore[reportArgumentType]  # the literal keys are checked by the service
            "VisibilityTimeout": str(VISIBILITY_S),
            **attributes,
        },
    )
    return created["QueueUrl"]


def _arn(aws: AwsEndpoint, url: str) -> str:
    answer = aws.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return answer["Attributes"]["QueueArn"]


def _redrive(aws: AwsEndpoint, dlq_url: str) -> dict[str, str]:
    policy = {"deadLetterTargetArn": _arn(aws, dlq_url), "maxReceiveCount": MAX_RECEIVE_COUNT}
    return {"RedrivePolicy": json.dumps(policy)}


def _rule(aws: AwsEndpoint, bus: str, name: str, queue_url: str, pattern: dict[str, object]) -> None:
    events = aws.events()
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    answer = events.put_targets(
        Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": _arn(aws, queue_url)}]
    )
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"the rule {name} got no target in {REGION}: {answer['FailedEntries']}")


def _table(aws: AwsEndpoint, name: str) -> None:
    dynamodb = aws.dynamodb()
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.update_time_to_live(
        TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )

"""What a session left behind: its log, the queue's messages, the bus's events."""

import json
import time
from datetime import UTC, datetime
from typing import Any

from contracts.events import SessionRequested
from contracts.model import ContactId, SessionId
from contracts.queue import TranscriptMessage
from contracts.session import (
    LOG_RECORD,
    Callback,
    LogRecord,
    MediaStream,
    SessionHeader,
    header_key,
)
from embedded.aws import AwsEndpoint
from embedded.resources import Resources

MEDIA = MediaStream(stream_arn="arn:stream", start_fragment_number="1", start_timestamp_ms=1)


def request(session_id: str) -> SessionRequested:
    return SessionRequested(
        event_id=f"{session_id}.requested",
        session_id=SessionId(session_id),
        contact_id=ContactId(f"contact-{session_id}"),
        occurred_at=datetime.now(UTC),
        media=MEDIA,
    )


def put_header(
    aws: AwsEndpoint,
    stack: Resources,
    session_id: str,
    *parameters: tuple[str, str],
    callback: str | None = "https://example.com/",
) -> SessionHeader:
    header = SessionHeader(
        session_id=SessionId(session_id),
        contact_id=ContactId(f"contact-{session_id}"),
        requested_at_ms=1,
        media=MEDIA,
        deepgram_parameters=parameters,
        callback=Callback(url=callback) if callback else None,
    )
    key = header_key(header.session_id)
    aws.dynamodb().put_item(
        TableName=stack.table_name,
        Item={"pk": {"S": key.pk}, "sk": {"S": key.sk}, "body": {"S": header.model_dump_json()}},
    )
    return header


def log_of(aws: AwsEndpoint, stack: Resources, session_id: str) -> list[LogRecord]:
    answer = aws.dynamodb().query(
        TableName=stack.table_name,
        KeyConditionExpression="pk = :pk AND begins_with(sk, :log)",
        ExpressionAttributeValues={":pk": {"S": f"session#{session_id}"}, ":log": {"S": "log#"}},
        ConsistentRead=True,
    )
    return [LOG_RECORD.validate_json(item["body"].get("S", "")) for item in answer["Items"]]


def messages_of(aws: AwsEndpoint, stack: Resources) -> list[TranscriptMessage]:
    """Everything on the transcripts queue, in order; it is empty afterwards."""
    return [TranscriptMessage.model_validate_json(body) for body in _receive_all(aws, stack.transcripts_url)]


def events_of(aws: AwsEndpoint, stack: Resources) -> list[tuple[str, dict[str, Any]]]:
    """Everything that the bus delivered to the queue of events: (detail type, detail)."""
    envelopes = [json.loads(body) for body in _receive_all(aws, stack.events_url)]
    return [(envelope["detail-type"], envelope["detail"]) for envelope in envelopes]


def _receive_all(aws: AwsEndpoint, url: str) -> list[str]:
    sqs = aws.sqs()
    bodies: list[str] = []
    until = time.monotonic() + 30
    while time.monotonic() < until:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        messages = answer.get("Messages", [])
        if not messages:
            return bodies
        for message in messages:
            assert "Body" in message
            assert "ReceiptHandle" in message
            bodies.append(message["Body"])
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    raise TimeoutError(url)

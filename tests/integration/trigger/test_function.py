"""The trigger as a Lambda function: its archive, its environment, its answer, its event."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from contracts.queue import SessionRequestMessage
from contracts.session import ContactSession, SessionHeader, contact_session_key, header_key, open_session_key
from embedded import trigger_function
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from tests.unit.trigger.flow_events import CONTACT_ID, flow_event

PHONE_NUMBER = "+441234567890"


class Function:
    """A function under test."""

    def __init__(self, aws: AwsEndpoint, name: str) -> None:
        self._client = aws.functions()
        self._name = name

    def invoke(self, event: object) -> dict[str, str]:
        answer = self._client.invoke(FunctionName=self._name, Payload=json.dumps(event))
        assert "FunctionError" not in answer
        return json.loads(answer["Payload"].read())

    def log(self, event: object) -> str:
        answer = self._client.invoke(FunctionName=self._name, Payload=json.dumps(event), LogType="Tail")
        return b64decode(answer["LogResult"]).decode()


@pytest.fixture(scope="module")
def function(aws: AwsEndpoint, stack: Resources) -> Iterator[Function]:
    code = trigger_function.build_zip(Path(__file__).parents[3])
    environment = {
        **stack.environment,
        "AWS_ENDPOINT_URL": aws.url,
        "DEEPGRAM_DEFAULTS": "model=nova-3&smart_format=true",
        "RETENTION_DAYS": "2",
    }
    trigger_function.create(aws.functions(), "trigger", code, environment)
    yield Function(aws, "trigger")
    aws.functions().delete_function(FunctionName="trigger")


def requests(aws: AwsEndpoint, stack: Resources) -> list[SessionRequestMessage]:
    """Takes what is on the queue of session requests now."""
    url = stack.session_requests_url
    messages = (
        aws.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2).get("Messages", [])
    )
    for message in messages:
        aws.sqs().delete_message(QueueUrl=url, ReceiptHandle=message.get("ReceiptHandle", ""))
    return [SessionRequestMessage.model_validate_json(message.get("Body", "")) for message in messages]


def item(aws: AwsEndpoint, stack: Resources, pk: str, sk: str) -> dict[str, str]:
    answer = aws.dynamodb().get_item(TableName=stack.table_name, Key={"pk": {"S": pk}, "sk": {"S": sk}})
    found = cast("dict[str, dict[str, str]]", answer.get("Item", {}))
    return {name: next(iter(value.values())) for name, value in found.items()}


def test_the_archive_is_the_same_for_the_same_sources(repository: Path) -> None:
    assert trigger_function.build_zip(repository) == trigger_function.build_zip(repository)


def test_a_call_is_stored_and_then_requested_on_the_bus(
    aws: AwsEndpoint, stack: Resources, function: Function
) -> None:
    event = flow_event(
        {"dg_callback": "https://user:password@hooks.example/{contact-id}", "dg_language": "en"}
    )
    answer = function.invoke(event)
    session = answer.pop("sessionId")
    assert answer == {"lambdaResult": "success"}

    [request] = requests(aws, stack)
    assert request.detail.session_id == session
    assert request.detail.contact_id == CONTACT_ID

    key = header_key(request.detail.session_id)
    stored = item(aws, stack, key.pk, key.sk)
    header = SessionHeader.model_validate_json(stored["body"])
    assert header.callback is not None
    assert header.callback.url == f"https://user:password@hooks.example/{CONTACT_ID}"
    assert header.deepgram_parameters == (
        ("model", "nova-3"),
        ("smart_format", "true"),
        ("language", "en"),
        ("tag", "dg_amazonconnect"),
    )
    assert int(stored["expires_at"]) == header.requested_at_ms // 1_000 + 2 * 86_400

    key = contact_session_key(request.detail.contact_id, request.detail.session_id)
    entry = ContactSession.model_validate_json(item(aws, stack, key.pk, key.sk)["body"])
    assert entry.session_id == session
    key = open_session_key(request.detail.session_id, header.requested_at_ms)
    assert ContactSession.model_validate_json(item(aws, stack, key.pk, key.sk)["body"]) == entry


def test_a_retried_invocation_keeps_the_header_and_asks_for_the_same_session(
    aws: AwsEndpoint, stack: Resources, function: Function
) -> None:
    event = flow_event(contact_id="retried")
    first = function.invoke(event)
    again = function.invoke(event)
    assert first == again
    assert {request.detail.event_id for request in requests(aws, stack)} == {
        f"{first['sessionId']}.requested"
    }


def test_a_flow_without_media_streaming_is_told_so(
    aws: AwsEndpoint, stack: Resources, function: Function
) -> None:
    answer = function.invoke(flow_event(audio=None))
    assert (answer["lambdaResult"], answer["reason"]) == ("fail", "no_media_stream")
    assert not requests(aws, stack)


def test_an_event_of_another_kind_fails(function: Function) -> None:
    assert function.invoke({"Name": "SomethingElse"})["lambdaResult"] == "fail"


@pytest.mark.parametrize(
    ("missing", "reason"), [("SESSIONS_TABLE", "store_unavailable"), ("EVENT_BUS_NAME", "misconfigured")]
)
def test_a_deployment_that_cannot_work_says_so(
    aws: AwsEndpoint, stack: Resources, repository: Path, missing: str, reason: str
) -> None:
    environment = {**stack.environment, "AWS_ENDPOINT_URL": aws.url}
    environment[missing] = "no-such-table" if missing == "SESSIONS_TABLE" else ""
    name = f"broken-{reason}".replace("_", "-")
    trigger_function.create(aws.functions(), name, trigger_function.build_zip(repository), environment)
    answer = Function(aws, name).invoke(flow_event())
    aws.functions().delete_function(FunctionName=name)
    assert (answer["lambdaResult"], answer["reason"]) == ("fail", reason)


def test_the_log_shows_no_attribute_callback_or_phone_number(function: Function) -> None:
    secret = "https://a:secret@b.example"
    started = function.log(flow_event({"dg_model": "a-model-name", "plan": "gold", "dg_callback": secret}))
    assert "trigger.session_requested" in started
    assert "SessionsRequested" in started
    failed = function.log(flow_event({"dg_callback": "ftp://a:secret@b.example"}))
    assert "unusable_callback" in failed
    assert CONTACT_ID in failed
    for word in ("secret", "b.example", "a-model-name", "gold", PHONE_NUMBER):
        assert word not in started + failed

"""The sample contact flows with the real function: right ones work, and a wrong one is told why."""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiobotocore.session import AioSession, get_session

from embedded import resources, trigger_function
from embedded.aws import REGION, AwsEndpoint
from embedded.resources import Resources
from emulators.connect.event import Answer, Contact, MediaStream, Mistake, contact_flow_event
from emulators.connect.flow import Flow, read_flow
from emulators.connect.flow_player import Caller, Heard, play_flow
from emulators.connect.functions import LambdaFunction, lambda_function
from tests.unit.trigger.flow_events import FRAGMENT, STREAM_ARN

FLOWS = Path(__file__).parents[3] / "contact-flows"
INSTANCE = "arn:aws:connect:eu-west-2:111111111111:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
STREAM = MediaStream(STREAM_ARN, 1_571_360_125_131, FRAGMENT)
FUNCTION = "flows-trigger"
WITHOUT_BUS = "flows-without-bus"
WITHOUT_TABLE = "flows-without-table"


@pytest.fixture(scope="module")
def stack(aws: AwsEndpoint) -> Resources:
    """One that other tests do not look at."""
    return resources.create(aws, "flows")


@pytest.fixture(scope="module", autouse=True)
def functions(aws: AwsEndpoint, stack: Resources) -> Iterator[None]:
    client, code = aws.functions(), trigger_function.build_zip(Path(__file__).parents[3])
    environment = {**stack.environment, "AWS_ENDPOINT_URL": aws.url}
    changes = {
        FUNCTION: {},
        WITHOUT_BUS: {"AWS_ENDPOINT_URL_EVENTBRIDGE": "http://127.0.0.1:9"},
        WITHOUT_TABLE: {"SESSIONS_TABLE": "no-such-table"},
    }
    for name, change in changes.items():
        trigger_function.create(client, name, code, {**environment, **change})
    yield
    for name in changes:
        client.delete_function(FunctionName=name)


@asynccontextmanager
async def function(aws: AwsEndpoint, name: str) -> AsyncGenerator[LambdaFunction]:
    session: AioSession = get_session()
    session.set_credentials("test", "test")
    async with lambda_function(name, endpoint_url=aws.url, region=REGION, session=session) as opened:
        yield opened


def flow(name: str, attributes: Mapping[str, str] | None = None) -> Flow:
    """A sample flow, after its first attributes were edited, as an operator does."""
    document = json.loads((FLOWS / f"{name}.json").read_text())
    first = next((one for one in document["Actions"] if one["Type"] == "UpdateContactAttributes"), None)
    if first is not None:
        first["Parameters"]["Attributes"].update(attributes or {})
    return read_flow(json.dumps(document))


async def play(
    aws: AwsEndpoint,
    of: Flow,
    contact_id: str,
    *,
    name: str = FUNCTION,
    mistake: Mistake | None = None,
    heard: Heard | None = None,
) -> Heard:
    heard = heard or Heard({})
    async with function(aws, name) as invoked:

        async def invoke(
            attributes: Mapping[str, str], parameters: Mapping[str, str], streaming: bool
        ) -> Answer:
            contact = Contact(contact_id, INSTANCE, attributes)
            wrong = mistake if streaming else Mistake.NO_MEDIA_STREAMS
            return await invoked(contact_flow_event(contact, STREAM, parameters, wrong))

        await play_flow(of, heard, invoke, Caller(input_s=0))
    return heard


async def test_a_call_is_transcribed_and_told_so(aws: AwsEndpoint) -> None:
    heard = await play(aws, flow("transcribe-call"), "flow-good")
    [answer] = heard.answers
    assert answer.branch == "success"
    assert answer.external.keys() == {"lambdaResult", "sessionId"}
    assert "This call is being transcribed. Please speak." in heard.said


def without_media_streaming() -> Flow:
    document = json.loads((FLOWS / "transcribe-call.json").read_text())
    [block] = [one for one in document["Actions"] if one["Identifier"] == "start-media-streaming"]
    block["Parameters"]["MediaStreamingState"] = "Disabled"
    return read_flow(json.dumps(document))


ATTRIBUTE_MISTAKES = [
    *[
        ({f"dg_{name}": "1"}, "forbidden_parameter")
        for name in ("encoding", "sample_rate", "multichannel", "channels")
    ],
    ({"dg_callback": "https://a.example https://b.example"}, "several_callbacks"),
    ({"dg_callback": "ftp://a.example"}, "unusable_callback"),
    ({"dg_callback": "https:///nowhere"}, "unusable_callback"),
    ({"dg_callback": "https://a.example/" + "x" * 2_048}, "unusable_callback"),
    ({"dg_callback_method": "patch"}, "unknown_callback_method"),
    ({"dg_model": "flux-general-en"}, "unsupported_model"),
]


@pytest.mark.parametrize(("attributes", "reason"), ATTRIBUTE_MISTAKES)
async def test_a_wrong_attribute_takes_the_branch_that_says_why(
    aws: AwsEndpoint, attributes: Mapping[str, str], reason: str
) -> None:
    await takes_the_refused_branch(aws, flow("transcribe-call", attributes), reason)


async def test_a_flow_that_does_not_stream_is_told_so(aws: AwsEndpoint) -> None:
    await takes_the_refused_branch(aws, without_media_streaming(), "no_media_stream")


async def test_a_stream_that_cannot_be_read_is_told(aws: AwsEndpoint) -> None:
    mistake = Mistake.MALFORMED_STREAM
    await takes_the_refused_branch(aws, flow("transcribe-call"), "malformed_media_stream", mistake=mistake)


async def test_an_unknown_action_is_told(aws: AwsEndpoint) -> None:
    document = json.loads((FLOWS / "transcribe-call.json").read_text())
    [block] = [one for one in document["Actions"] if one["Identifier"] == "start-transcription"]
    block["Parameters"]["LambdaInvocationAttributes"] = {"action": "begin"}
    await takes_the_refused_branch(aws, read_flow(json.dumps(document)), "unknown_action")


@pytest.mark.parametrize(
    ("name", "reason"), [(WITHOUT_BUS, "bus_unavailable"), (WITHOUT_TABLE, "store_unavailable")]
)
async def test_a_deployment_that_does_not_work_is_told(aws: AwsEndpoint, name: str, reason: str) -> None:
    await takes_the_refused_branch(aws, flow("transcribe-call"), reason, name=name)


async def test_null_attributes_are_a_call_with_defaults(aws: AwsEndpoint) -> None:
    heard = await play(aws, flow("transcribe-call"), "flow-null", mistake=Mistake.NULL_ATTRIBUTES)
    assert heard.answers[0].external["lambdaResult"] == "success"


async def takes_the_refused_branch(
    aws: AwsEndpoint, of: Flow, reason: str, *, name: str = FUNCTION, mistake: Mistake | None = None
) -> None:
    heard = await play(aws, of, f"flow-{reason}", name=name, mistake=mistake)
    [answer] = heard.answers
    assert answer.branch == "success"
    assert answer.external.keys() == {"lambdaResult", "reason", "message"}
    assert (answer.external["lambdaResult"], answer.external["reason"]) == ("fail", reason)
    assert "say-refused" in heard.path
    assert any(text.startswith(f"This call is not transcribed. Reason: {reason}. ") for text in heard.said)
    assert answer.elapsed_ms < 8_000


async def test_a_function_that_is_not_there_takes_the_error_branch(aws: AwsEndpoint) -> None:
    heard = await play(aws, flow("transcribe-call"), "flow-missing", name="missing")
    assert "say-flow-error" in heard.path


async def test_the_load_test_means_a_session_by_each_invocation(aws: AwsEndpoint) -> None:
    heard = await play(aws, flow("load-test"), "flow-load")
    assert len(heard.answers) == 90
    assert {answer.external["lambdaResult"] for answer in heard.answers} == {"success"}
    assert len({answer.external["sessionId"] for answer in heard.answers}) == 90
    assert "count-on" not in heard.path


async def test_a_card_is_taken_when_nothing_listens_yet(aws: AwsEndpoint) -> None:
    """Nobody serves sessions here: whoever will finds the pause before the first byte."""
    heard = await play(aws, flow("transcribe-call"), "flow-card")
    await play(aws, flow("pause-for-card"), "flow-card", heard=heard)
    _, paused, resumed = heard.answers
    assert paused.external == resumed.external == {"lambdaResult": "success", "sessions": "1"}
    assert "take-card" in heard.path


async def test_no_card_is_taken_when_the_store_is_away(aws: AwsEndpoint) -> None:
    heard = await play(aws, flow("pause-for-card"), "flow-no-card", name=WITHOUT_TABLE)
    assert heard.answers[0].external["reason"] == "store_unavailable"
    assert "take-card" not in heard.path
    assert "say-no-card" in heard.path

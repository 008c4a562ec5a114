"""The Connect emulator with the embedded AWS emulator: a real function, the default bus, the command line."""

import asyncio
import io
import json
import os
import sys
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile  # pyright: ignore[reportMissingTypeStubs]  # ships none
from aiobotocore.session import AioSession, get_session

from embedded.aws import REGION, AwsEndpoint, embedded_aws
from emulators.connect.audio import PcmSource
from emulators.connect.call import Call
from emulators.connect.event import Answer
from emulators.connect.functions import LambdaFunction, RuleTarget, lambda_client, lambda_function
from emulators.connect.instance import open_instance
from emulators.kvs.server import RunningKvs, serve
from tests.integration.kvs_client import READ_TIMEOUT_S

HANDLERS = """
def greet(event, context):
    return {"lambdaResult": "success", "contact": event["Details"]["ContactData"]["ContactId"]}

def nest(event, context):
    return {"lambdaResult": {"nested": "map"}}

def fail(event, context):
    raise ValueError("no such luck")

def forward(event, context):
    import boto3, json
    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName="contact-events")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(event))
"""


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("handlers.py", HANDLERS)
        for name in ("greet", "nest", "fail", "forward"):
            endpoint.functions().create_function(
                FunctionName=name,
                Runtime="python3.13",
                Handler=f"handlers.{name}",
                Role="arn:aws:iam::000000000000:role/any",
                Code={"ZipFile": archive.getvalue()},
                Environment={"Variables": {"AWS_ENDPOINT_URL": endpoint.url}},
                Timeout=20,
            )
        yield endpoint


@pytest.fixture
async def kvs() -> AsyncIterator[RunningKvs]:
    async with serve() as running:
        yield running


def session() -> AioSession:
    made = get_session()
    made.set_credentials("test", "test")
    return made


def call() -> Call:
    return Call(source=PcmSource(bytes(16_000)), speed=20)


async def played(aws: AwsEndpoint, kvs: RunningKvs, function: str, one: Call) -> Answer:
    async with (
        lambda_function(function, endpoint_url=aws.url, region=REGION, session=session()) as opened,
        open_instance(kvs_url=kvs.base_url, function=opened) as instance,
    ):
        return (await instance.play(one)).answers[0]


async def test_a_functions_answer_is_what_the_flow_sees(aws: AwsEndpoint, kvs: RunningKvs) -> None:
    one = call()
    answer = await played(aws, kvs, "greet", one)
    assert answer.branch == "success"
    assert answer.external == {"lambdaResult": "success", "contact": one.contact_id}


async def test_a_failed_function_takes_the_error_branch(aws: AwsEndpoint, kvs: RunningKvs) -> None:
    answer = await played(aws, kvs, "fail", call())
    assert answer.branch == "error"
    assert "no such luck" in str(answer.error)


async def test_an_answer_that_is_no_string_map_takes_the_error_branch(
    aws: AwsEndpoint, kvs: RunningKvs
) -> None:
    answer = await played(aws, kvs, "nest", call())
    assert (answer.branch, answer.error) == ("error", "the answer is no flat map of strings")


async def test_a_missing_function_takes_the_error_branch(aws: AwsEndpoint, kvs: RunningKvs) -> None:
    answer = await played(aws, kvs, "missing", call())
    assert answer.branch == "error"
    assert "ResourceNotFoundException" in str(answer.error)


async def test_the_end_of_a_call_is_a_contact_event(aws: AwsEndpoint, kvs: RunningKvs) -> None:
    queue = aws.sqs().create_queue(QueueName="contact-events")["QueueUrl"]
    one = call()
    async with (
        lambda_client(endpoint_url=aws.url, region=REGION, session=session()) as client,
        open_instance(
            kvs_url=kvs.base_url,
            function=LambdaFunction(client, "greet"),
            contact_events=RuleTarget(client, "forward"),
        ) as instance,
    ):
        await instance.play(one)
    received = aws.sqs().receive_message(QueueUrl=queue, WaitTimeSeconds=20)
    (message,) = received.get("Messages", [])
    event = json.loads(str(message.get("Body")))
    assert event["source"] == "aws.connect"
    assert event["detail-type"] == "Amazon Connect Contact Event"
    assert event["detail"]["eventType"] == "DISCONNECTED"
    assert event["detail"]["contactId"] == one.contact_id


async def command(aws: AwsEndpoint, *arguments: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "emulators.connect",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **aws.environment},
    )
    async with asyncio.timeout(READ_TIMEOUT_S):
        output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


async def test_the_command_line_plays_files_and_prints_what_happens(
    aws: AwsEndpoint, kvs: RunningKvs, tmp_path: Path
) -> None:
    soundfile.write(str(tmp_path / "call.flac"), np.zeros((4_000, 2), np.int16), 8_000)
    status, output, _ = await command(
        aws,
        *("--audio", str(tmp_path / "call.flac"), "--kvs", kvs.base_url, "--function", "greet"),
        *("--calls", "2", "--attribute", "dg_model=nova-3"),
    )
    lines = [json.loads(line) for line in output.splitlines()]
    assert status == 0
    assert sorted(line["event"] for line in lines) == sorted(
        ["connect.started", "connect.answered", "connect.ended"] * 2
    )
    assert {line["answer"]["branch"] for line in lines if line["event"] == "connect.answered"} == {"success"}


async def test_the_command_line_says_what_is_wrong(aws: AwsEndpoint, kvs: RunningKvs, tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(b"no audio")
    wrong = ("--audio", str(tmp_path / "call.wav"), "--kvs", kvs.base_url, "--function", "greet")
    status, _, errors = await command(aws, *wrong)
    assert status == 2
    assert "is not audio of a kind" in errors
    soundfile.write(str(tmp_path / "call.wav"), np.zeros((4_000, 2), np.int16), 8_000)
    nowhere = ("--audio", str(tmp_path / "call.wav"), "--kvs", "http://127.0.0.1:9", "--function", "greet")
    status, _, errors = await command(aws, *nowhere)
    assert status == 1
    assert "no KVS emulator" in errors

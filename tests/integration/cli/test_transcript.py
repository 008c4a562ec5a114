"""The command as an operator runs it, against an emulated DynamoDB."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from contracts.model import ContactId, SessionId
from contracts.session import (
    ContactSession,
    Contract,
    StoreKey,
    contact_session_key,
    delivery_mark_key,
    header_key,
    record_key,
)
from embedded import resources
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from tests.unit.cli.logs import CONTACT, SESSION, header, log

OTHER = SessionId("0" * 32)
BESIDE = ContactId(f"{CONTACT}-beside")


@pytest.fixture(scope="module")
def stack(aws: AwsEndpoint) -> Resources:
    stack = resources.create(aws)

    def put(key: StoreKey, body: str) -> None:
        item = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "body": {"S": body}}
        aws.dynamodb().put_item(TableName=stack.table_name, Item=item)

    def put_model(key: StoreKey, model: Contract) -> None:
        put(key, model.model_dump_json())

    for session, contact in ((SESSION, CONTACT), (OTHER, CONTACT), (SessionId("1" * 32), BESIDE)):
        put_model(header_key(session), header(session, contact))
        entry = ContactSession(contact_id=contact, session_id=session, requested_at_ms=1)
        put_model(contact_session_key(contact, session), entry)
    for record in log():
        put_model(record_key(SESSION, record.n), record)
    put(record_key(SESSION, 11), '{"type": "of the next version", "n": 11}')
    put(delivery_mark_key(SESSION), "{}")
    return stack


def run(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    without_aws = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        (sys.executable, "-m", "cli", *arguments),
        env={**without_aws, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def environment(aws: AwsEndpoint, stack: Resources) -> dict[str, str]:
    return {**aws.environment, **stack.environment}


def test_a_contacts_conversation_is_printed(environment: dict[str, str]) -> None:
    done = run("transcript", CONTACT, environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert "00:00.500  agent     Hello, how can I help?\n00:02.500  customer  Hi" in done.stdout
    assert done.stdout.count("contact ") == 2
    assert BESIDE not in done.stdout


def test_one_session_is_printed_as_json(environment: dict[str, str]) -> None:
    done = run("transcript", SESSION, "--format", "json", environment=environment)
    [session] = json.loads(done.stdout)["sessions"]
    assert (session["session_id"], len(session["turns"])) == (SESSION, 3)


@pytest.mark.parametrize(("form", "first"), [("vtt", "WEBVTT\n\n00:00:00.500"), ("srt", "1\n00:00:00,500")])
def test_captions_are_of_one_session(environment: dict[str, str], form: str, first: str) -> None:
    done = run("transcript", CONTACT, "--format", form, environment=environment)
    assert done.returncode == 2
    assert SESSION in done.stderr
    assert run("transcript", SESSION, "--format", form, environment=environment).stdout.startswith(first)


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"SESSIONS_TABLE": ""}, 2, "SESSIONS_TABLE"),
        ({"SESSIONS_TABLE": "elsewhere"}, 3, "no table elsewhere"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, 3, "credentials"),
        ({"AWS_DEFAULT_REGION": ""}, 3, "set AWS_DEFAULT_REGION"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, 3, "cannot be reached"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    environment: dict[str, str], changed: dict[str, str], code: int, said: str
) -> None:
    merged = {name: value for name, value in {**environment, **changed}.items() if value}
    done = run("transcript", CONTACT, environment=merged)
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_an_unknown_contact_is_not_found(environment: dict[str, str]) -> None:
    done = run("transcript", "nobody", environment=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nobody" in done.stderr

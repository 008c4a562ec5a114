"""`deliveries` as an operator runs it, with delivery at work behind it."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from contracts.model import SessionId
from contracts.session import ContactSession, contact_session_key
from embedded import resources
from embedded.aws import AwsEndpoint
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from tests.integration.delivery.surroundings import Process, Surroundings, become, ids
from tests.unit.delivery.messages import CONTACT


@pytest.fixture(scope="module")
def surroundings(aws: AwsEndpoint) -> Surroundings:
    return Surroundings(aws, resources.create(aws, f"t-{uuid.uuid4().hex[:8]}"))


@pytest.fixture(scope="module")
def process(surroundings: Surroundings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(
        surroundings,
        tmp_path_factory.mktemp("delivery"),
        {"RETRY_FOR_S": "60", "PROBE_SCHEDULE_S": "60", "RETRY_SCHEDULE_S": "0.3"},
    )
    process.start()
    yield process
    process.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with serve(ReceiverOptions()) as started:
        yield started


@pytest.fixture
def session() -> str:
    return uuid.uuid4().hex


def run(surroundings: Surroundings, *arguments: str) -> subprocess.CompletedProcess[str]:
    without_aws = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        (sys.executable, "-m", "cli", "deliveries", *arguments),
        env={**without_aws, **surroundings.aws.environment, **surroundings.stack.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


async def said(surroundings: Surroundings, *arguments: str) -> str:
    done = await asyncio.to_thread(run, surroundings, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.usefixtures("process")
async def test_what_was_given_up_is_listed_shown_and_redriven_by_contact(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    surroundings.add_session(session, f"{receiver.url}/secret-path")
    entry = ContactSession(contact_id=CONTACT, session_id=SessionId(session), requested_at_ms=1)
    surroundings.put(contact_session_key(CONTACT, entry.session_id), entry)
    receiver.faults.arm(Fault(status=410))
    await asyncio.to_thread(surroundings.say, session, 1, 2)
    await become(lambda: surroundings.undelivered(session), [1, 2])
    listed = await said(surroundings, "list")
    assert f"session {session}, contact {CONTACT}: 2 given up (gone)" in listed
    shown = await said(surroundings, "show", "--contact", CONTACT)
    assert "record 2 given up" in shown
    assert "gone, 1 attempts, last status 410" in shown
    assert "secret-path" not in listed + shown
    [told] = json.loads(await said(surroundings, "show", "--session", session, "--format", "json"))[
        "sessions"
    ]
    assert [message["reason"] for message in told["undelivered"]] == ["gone", "gone"]
    assert "asked for" in await said(surroundings, "redrive", "--contact", CONTACT)
    await become(lambda: [each.status for each in receiver.recorder.received], [410, 410])
    receiver.faults.clear()  # and again, within the five minutes for which SQS swallows what has the same id
    assert "asked for" in await said(surroundings, "redrive", "--contact", CONTACT)
    await become(lambda: surroundings.undelivered(session), [])
    assert ids(each for each in receiver.recorder.received if each.status == 200) == ["1", "2"]
    assert "up to date" in await said(surroundings, "show", "--session", session)


@pytest.mark.usefixtures("process")
async def test_what_waits_for_an_endpoint_is_redriven_before_its_next_probe(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    surroundings.add_session(session, receiver.url)
    receiver.faults.arm(Fault(status=503))
    await asyncio.to_thread(surroundings.say, session, 1, 2)
    await become(lambda: surroundings.disabled(receiver), True)
    await become(lambda: surroundings.parked(session) is not None, True)
    listed = await said(surroundings, "list", "--endpoint", receiver.url)
    assert f"endpoint {receiver.url} disabled since" in listed
    assert "(endpoint_down)" in listed
    receiver.faults.clear()
    answer = await said(surroundings, "redrive", "--endpoint", receiver.url)
    assert answer == "asked for 0 given up messages and 1 waiting sessions, of 1 sessions\n"
    await become(lambda: surroundings.mark(session), (2, 0))
    await become(lambda: surroundings.parked(session), None)
    assert await said(surroundings, "list", "--endpoint", receiver.url) == "nothing\n"


def test_what_is_wrong_is_said_in_one_line(surroundings: Surroundings) -> None:
    unknown = run(surroundings, "show", "--session", "nobody")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert len(unknown.stderr.splitlines()) == 1
    assert run(surroundings, "redrive").returncode == 2
    no_queue = run(surroundings, "redrive", "--session", "x", "--queue", "")
    assert (no_queue.returncode, no_queue.stderr) == (
        2,
        "Which queue? Set TRANSCRIPTS_QUEUE_URL, or give --queue.\n",
    )

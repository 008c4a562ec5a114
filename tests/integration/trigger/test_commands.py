"""Pause, resume, stop and contact events with a real store: nothing is lost, or promised too early."""

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from contracts.intents import ContactIntents
from contracts.model import ContactId, SessionId
from contracts.session import LogRecord, OpenCause, Opened, Progress, SessionState, record_key
from embedded import resources, trigger_function
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from emulators.connect.event import Contact, disconnected_event
from services.trigger import intents
from services.trigger.adapters.intents_store import IntentsStore
from tests.integration.trigger.test_function import Function
from tests.unit.trigger.flow_events import flow_event

ARN = "arn:aws:connect:eu-west-2:111111111111:instance/9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa"
LATER = math.inf


@pytest.fixture(scope="module")
def stack(aws: AwsEndpoint) -> Resources:
    """One that other tests do not look at."""
    return resources.create(aws, "commands")


@pytest.fixture(scope="module")
def function(aws: AwsEndpoint, stack: Resources) -> Iterator[Function]:
    yield from _function(aws, stack, "commands", trigger_function.HANDLER)


@pytest.fixture(scope="module")
def contact_events(aws: AwsEndpoint, stack: Resources) -> Iterator[Function]:
    yield from _function(aws, stack, "contact-events", trigger_function.CONTACT_EVENTS_HANDLER)


def _function(aws: AwsEndpoint, stack: Resources, name: str, handler: str) -> Iterator[Function]:
    code = trigger_function.build_zip(Path(__file__).parents[3])
    environment = {**stack.environment, "AWS_ENDPOINT_URL": aws.url}
    trigger_function.create(aws.functions(), name, code, environment, handler)
    yield Function(aws, name)
    aws.functions().delete_function(FunctionName=name)


@pytest.fixture
def store(aws: AwsEndpoint, stack: Resources) -> IntentsStore:
    return IntentsStore(aws.dynamodb(), stack.table_name, 1)


def event(contact_id: str, action: str, previous: str | None = None) -> dict[str, object]:
    made = flow_event(contact_id=contact_id, parameters={"action": action})
    details = cast("dict[str, dict[str, object]]", made["Details"])
    first = previous or contact_id
    details["ContactData"].update({"InitialContactId": first, "PreviousContactId": first})
    return made


class Owner:
    """Serves a session, as far as its log shows."""

    def __init__(self, aws: AwsEndpoint, stack: Resources, session_id: str) -> None:
        self._dynamodb = aws.dynamodb()
        self._table = stack.table_name
        self._session_id = SessionId(session_id)
        self._n = 0

    def opens(self) -> None:
        state = self._state(0)
        self._put(
            Opened(
                session_id=self._session_id,
                n=self._n + 1,
                written_at_ms=1,
                state=state,
                cause=OpenCause.REQUESTED,
                request_message_id="m",
            )
        )

    def confirms(self, revision: int) -> None:
        state = self._state(revision)
        self._put(Progress(session_id=self._session_id, n=self._n + 1, written_at_ms=1, state=state))

    @staticmethod
    def _state(revision: int) -> SessionState:
        return SessionState(
            writer="t#m", epoch=1, t0_ms=None, covered_samples=(0, 0), intents_revision=revision
        )

    def _put(self, record: LogRecord) -> None:
        self._n = record.n
        key = record_key(record.session_id, record.n)
        item = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "body": {"S": record.model_dump_json()}}
        self._dynamodb.put_item(TableName=self._table, Item=item)


def started(aws: AwsEndpoint, stack: Resources, function: Function, contact_id: str) -> Owner:
    owner = Owner(aws, stack, function.invoke(event(contact_id, "start"))["sessionId"])
    owner.opens()
    return owner


def test_a_pause_succeeds_once_the_owner_has_confirmed(
    aws: AwsEndpoint, stack: Resources, function: Function, store: IntentsStore
) -> None:
    owner = started(aws, stack, function, "paused")
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(function.invoke, event("paused", "pause"))
        while not store.intents(ContactId("paused"), LATER).pauses:
            assert not answer.done()
        assert not answer.done()
        owner.confirms(1)
        assert answer.result() == {"lambdaResult": "success", "sessions": "1"}


def test_a_pause_that_nobody_confirms_fails_within_connects_patience_and_stays_asked_for(
    aws: AwsEndpoint, stack: Resources, function: Function, store: IntentsStore
) -> None:
    started(aws, stack, function, "unconfirmed")
    began = time.monotonic()
    answer = function.invoke(event("unconfirmed", "pause"))
    assert (answer["lambdaResult"], answer["reason"]) == ("fail", "not_confirmed")
    assert 3 < time.monotonic() - began < 6
    [pause] = store.intents(ContactId("unconfirmed"), LATER).pauses
    assert pause.to_ms is None


def test_a_pause_of_a_contact_without_a_session_holds_for_one_that_comes(
    function: Function, store: IntentsStore
) -> None:
    assert function.invoke(event("later", "pause")) == {"lambdaResult": "success", "sessions": "0"}
    assert len(store.intents(ContactId("later"), LATER).pauses) == 1


def test_a_pause_after_a_transfer_reaches_the_session_that_began_before(
    aws: AwsEndpoint, stack: Resources, function: Function, store: IntentsStore
) -> None:
    owner = started(aws, stack, function, "first-leg")
    owner.confirms(1)
    answer = function.invoke(event("second-leg", "pause", previous="first-leg"))
    assert answer == {"lambdaResult": "success", "sessions": "1"}
    for contact_id in ("first-leg", "second-leg"):
        assert len(store.intents(ContactId(contact_id), LATER).pauses) == 1


def test_a_stop_waits_for_nobody(aws: AwsEndpoint, stack: Resources, function: Function) -> None:
    started(aws, stack, function, "stopped")
    began = time.monotonic()
    assert function.invoke(event("stopped", "stop")) == {"lambdaResult": "success", "sessions": "1"}
    assert time.monotonic() - began < 3


def test_after_a_stop_the_same_flow_starts_a_new_session_and_its_retry_none(function: Function) -> None:
    first = function.invoke(event("again", "start"))
    assert function.invoke(event("again", "start")) == first
    assert function.invoke(event("again", "stop")) == {"lambdaResult": "success", "sessions": "1"}
    second = function.invoke(event("again", "start"))
    assert second["lambdaResult"] == "success"
    assert second["sessionId"] != first["sessionId"]
    assert function.invoke(event("again", "start")) == second


def test_a_start_that_came_after_a_stop_is_not_started_again_by_a_retry(function: Function) -> None:
    function.invoke(event("other", "stop"))
    first = function.invoke(event("other", "start"))
    assert function.invoke(event("other", "start")) == first


def test_of_two_writers_at_once_neither_is_lost(store: IntentsStore) -> None:
    contact_id, barrier = ContactId("busy"), threading.Barrier(3)

    def write(number: int) -> None:
        def change(before: ContactIntents) -> ContactIntents:
            return intents.accepted(before, ContactId(f"next-{number}"))

        barrier.wait(10)
        store.change(contact_id, change, LATER)

    with ThreadPoolExecutor(3) as writers:
        for done in [writers.submit(write, number) for number in range(3)]:
            done.result()
    written = store.intents(contact_id, LATER)
    assert sorted(written.accepted_contact_ids) == ["next-0", "next-1", "next-2"]
    assert written.revision == 3


def disconnected(contact_id: str, previous: str | None = None) -> dict[str, object]:
    contact = Contact(contact_id, ARN, {}, previous_contact_id=previous, initial_contact_id=previous)
    return disconnected_event(contact, event_id="e", at="2026-03-01T09:30:15Z")


def initiated(contact_id: str, previous: str) -> dict[str, object]:
    made = disconnected(contact_id, previous)
    detail = cast("dict[str, object]", made["detail"])
    return {**made, "detail": {**detail, "eventType": "INITIATED", "disconnectTimestamp": None}}


def test_the_end_of_a_known_contact_is_an_end_hint(
    function: Function, contact_events: Function, store: IntentsStore
) -> None:
    function.invoke(event("ends", "start"))
    assert contact_events.invoke(disconnected("ends")) == {"contacts": 1}
    assert store.intents(ContactId("ends"), LATER).ended_at_ms == 1_772_357_415_000


def test_an_event_of_a_contact_without_sessions_costs_one_read_and_writes_nothing(
    contact_events: Function, store: IntentsStore
) -> None:
    assert contact_events.invoke(disconnected("stranger")) == {"contacts": 0}
    assert contact_events.invoke({"source": "aws.ec2"}) == {"contacts": 0}
    assert store.intents(ContactId("stranger"), LATER).revision == 0


def test_a_transferred_call_ends_with_its_last_leg(
    function: Function, contact_events: Function, store: IntentsStore
) -> None:
    leg = ContactId("leg-1")
    function.invoke(event("leg-1", "start"))
    assert contact_events.invoke(initiated("leg-2", "leg-1")) == {"contacts": 1}
    assert store.intents(leg, LATER).accepted_contact_ids == ("leg-2",)
    contact_events.invoke(disconnected("leg-1"))
    assert store.intents(leg, LATER).ended_at_ms is None
    contact_events.invoke(disconnected("leg-2", "leg-1"))
    assert store.intents(leg, LATER).ended_at_ms is not None

"""A store that is slow, not dead: what the flow is told, it is told in time."""

import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import cast

import boto3
import pytest

from services.trigger.adapters import event_bus, session_store
from services.trigger.adapters.confirmations import Confirmations
from services.trigger.adapters.event_bus import EventBus
from services.trigger.adapters.intents_store import IntentsStore
from services.trigger.adapters.session_store import SessionStore
from services.trigger.request import Choices
from services.trigger.service import ANSWER_S, CONFIRM_S, Outside, Trigger
from services.trigger.service import Answer as FlowAnswer
from telemetry.metrics import Metrics
from tests.integration.trigger.http_peer import Answer, serving
from tests.unit.trigger.flow_events import flow_event

NOW_MS = 1_780_000_000_000
SESSIONS = [{"sk": {"S": f"session#{number}"}, "body": {"S": "{}"}} for number in range(12)]
ANSWERS: dict[str, object] = {"Query": {"Items": SESSIONS}, "GetItem": {}, "PutItem": {}}
"""Twelve sessions by each contact, whose logs cannot be read; others are refused."""


@contextmanager
def slow_aws(delay_s: float) -> Generator[str]:
    """DynamoDB and EventBridge, each answer after `delay_s`."""
    over = threading.Event()

    def answer(target: str) -> Answer:
        over.wait(delay_s)
        known = ANSWERS.get(target.rpartition(".")[2])
        return (503, {}) if known is None else (200, known)

    with serving(answer) as url:
        try:
            yield url
        finally:
            over.set()


def answered(action: str, delay_s: float) -> tuple[FlowAnswer, float]:
    """What a transferred contact's flow is told, and after how many seconds."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    event = flow_event(contact_id="third", parameters={"action": action})
    details = cast("dict[str, dict[str, object]]", event["Details"])
    details["ContactData"].update({"InitialContactId": "first", "PreviousContactId": "second"})
    with (
        slow_aws(delay_s) as url,
        closing(session.client("dynamodb", endpoint_url=url, config=session_store.CONFIG)) as dynamodb,
        closing(session.client("events", endpoint_url=url, config=event_bus.CONFIG)) as events,
    ):
        intents = IntentsStore(dynamodb, "table", 1)
        outside = Outside(
            SessionStore(dynamodb, "table", 1), intents, Confirmations(intents), EventBus(events, "bus")
        )
        trigger = Trigger(outside, Choices(), Metrics("trigger", stack="test"))
        began = time.monotonic()
        answer = trigger.invoke(event, "request", NOW_MS, began)
        return answer, time.monotonic() - began


@pytest.mark.parametrize(
    ("action", "delay_s", "limit_s"),
    [
        ("pause", 0.3, CONFIRM_S),
        ("resume", 0.9, CONFIRM_S),
        ("stop", 0.9, ANSWER_S),
        ("start", 0.9, ANSWER_S),
        ("start", 5, ANSWER_S),
    ],
)
def test_a_flow_is_answered_in_time_however_slow_the_store_is(
    action: str, delay_s: float, limit_s: float
) -> None:
    answer, took_s = answered(action, delay_s)
    assert answer["lambdaResult"] == "fail"
    assert answer["reason"] in {"store_unavailable", "not_confirmed", "bus_unavailable"}
    assert took_s < limit_s

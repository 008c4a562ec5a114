"""AWS Lambda's entry point: `services.trigger.handler.handler`."""

import time
from functools import cache
from typing import Protocol

import boto3
from pydantic import ValidationError

from services.trigger.adapters import event_bus, session_store
from services.trigger.refusal import Reason, Refusal
from services.trigger.service import Answer, Trigger, refused
from services.trigger.settings import Settings
from telemetry import log
from telemetry.metrics import Metrics

SERVICE = "trigger"
MISCONFIGURED = Refusal(
    Reason.MISCONFIGURED, "The trigger's settings are not valid; its log names the setting."
)


class Context(Protocol):
    """Lambda's context object, as far as it is used."""

    aws_request_id: str


def handler(event: object, context: Context) -> Answer:
    """Answers a contact flow; raises for nothing that is in the event."""
    try:
        trigger, metrics = _process()
    except ValidationError as invalid:
        log.configure(SERVICE)
        fields = sorted({str(part) for error in invalid.errors() for part in error["loc"][:1]})
        log.logger(request_id=context.aws_request_id).error("trigger.misconfigured", field=fields)
        return refused(MISCONFIGURED)
    answer = trigger.invoke(event, context.aws_request_id, _now_ms())
    metrics.flush(_now_ms())
    return answer


@cache
def _process() -> tuple[Trigger, Metrics]:
    """What one execution environment keeps between invocations."""
    settings = Settings()  # pyright: ignore[reportCallIssue]  # its fields come from the environment
    log.configure(SERVICE, settings.log_level)
    store = session_store.SessionStore(
        boto3.client("dynamodb", config=session_store.CONFIG),
        settings.sessions_table,
        settings.retention_days,
    )
    bus = event_bus.EventBus(boto3.client("events", config=event_bus.CONFIG), settings.event_bus_name)
    metrics = Metrics(SERVICE)
    return Trigger(store, bus, settings.choices, metrics), metrics


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""AWS Lambda's entry points: `handler` for contact flows, `contact_event` for Connect's contact events.

The clients are botocore's, which is what boto3 wraps: boto3's own imports would come on top at a cold start.
"""

import os
import time
from functools import cache
from typing import TYPE_CHECKING, Protocol, cast

import botocore.session
from pydantic import ValidationError

from services.trigger.adapters import event_bus, session_store
from services.trigger.adapters.confirmations import Confirmations
from services.trigger.adapters.intents_store import IntentsStore
from services.trigger.refusal import Reason, Refusal
from services.trigger.service import Answer, Outside, Trigger, refused
from services.trigger.settings import Settings
from telemetry import log
from telemetry.metrics import Metrics

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_events.client import EventBridgeClient

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
        _tell_misconfigured(invalid, context)
        return refused(MISCONFIGURED)
    answer = trigger.invoke(event, context.aws_request_id, _now_ms(), time.monotonic())
    metrics.flush(_now_ms())
    return answer


def contact_event(event: object, context: Context) -> dict[str, int]:
    """Hears of a contact's end or transfer, as a target of a rule on the account's default bus.

    Raises:
        StoreUnavailable: Lambda invokes again, twice at most; an event that is lost changes only a delay.
    """
    try:
        trigger, _ = _process()
    except ValidationError as invalid:
        _tell_misconfigured(invalid, context)
        return {"contacts": 0}
    return {"contacts": trigger.hear(event, time.monotonic())}


@cache
def _process() -> tuple[Trigger, Metrics]:
    """What one execution environment keeps between invocations: the clients, made once."""
    settings = Settings.from_environment(os.environ)
    log.configure(SERVICE, settings.log_level)
    aws = botocore.session.get_session()
    dynamodb = cast("DynamoDBClient", aws.create_client("dynamodb", config=session_store.CONFIG))
    events = cast("EventBridgeClient", aws.create_client("events", config=event_bus.CONFIG))
    intents = IntentsStore(dynamodb, settings.sessions_table, settings.retention_days)
    metrics = Metrics(SERVICE, stack=settings.stack)
    outside = Outside(
        session_store.SessionStore(dynamodb, settings.sessions_table, settings.retention_days),
        intents,
        Confirmations(intents),
        event_bus.EventBus(events, settings.event_bus_name),
    )
    return Trigger(outside, settings.choices, metrics), metrics


def _tell_misconfigured(invalid: ValidationError, context: Context) -> None:
    log.configure(SERVICE)
    fields = sorted({str(part) for error in invalid.errors() for part in error["loc"][:1]})
    log.logger(request_id=context.aws_request_id).error("trigger.misconfigured", field=fields)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

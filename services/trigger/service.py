"""One invocation: decide, store the header, publish the request, answer the flow."""

from dataclasses import replace
from typing import Protocol

from contracts.events import Event
from contracts.metrics import REQUESTS_REFUSED, SESSIONS_REQUESTED
from contracts.session import ContactSession, SessionHeader
from services.trigger.refusal import Reason, Refusal
from services.trigger.request import Choices, Request, decide
from telemetry.log import logger
from telemetry.metrics import Metrics

type Answer = dict[str, str]
"""Flat, strings only: a contact flow reads it as STRING_MAP."""

STORE_UNAVAILABLE = Refusal(
    Reason.STORE_UNAVAILABLE, "The session store could not be written in time; the flow may try again."
)
BUS_UNAVAILABLE = Refusal(
    Reason.BUS_UNAVAILABLE, "The event bus did not accept the request in time; the flow may try again."
)


class Store(Protocol):
    """Where headers are kept."""

    def put(self, header: SessionHeader, entry: ContactSession) -> bool:
        """Whether both are durable now."""
        ...


class Bus(Protocol):
    """Where requests go."""

    def publish(self, event: Event) -> bool:
        """Whether the bus has accepted the event."""
        ...


class Trigger:
    """Answers contact flows."""

    def __init__(self, store: Store, bus: Bus, choices: Choices, metrics: Metrics) -> None:
        self._store = store
        self._bus = bus
        self._choices = choices
        self._metrics = metrics

    def invoke(self, event: object, invocation_id: str, now_ms: int) -> Answer:
        """The flow's answer: success only after the bus has accepted the request."""
        decision = decide(event, self._choices, invocation_id, now_ms)
        if isinstance(decision, Request):
            decision = self._request(decision)
        if isinstance(decision, Refusal):
            self._metrics.count(REQUESTS_REFUSED)
            logger(request_id=invocation_id).warning(
                "trigger.refused", reason=decision.reason.value, contact_id=decision.contact_id
            )
            return refused(decision)
        header = decision.header
        self._metrics.count(SESSIONS_REQUESTED)
        logger(request_id=invocation_id).info(
            "trigger.session_requested", session_id=header.session_id, contact_id=header.contact_id
        )
        return {"lambdaResult": "success", "sessionId": header.session_id}

    def _request(self, request: Request) -> Request | Refusal:
        if not self._store.put(request.header, request.entry):
            return replace(STORE_UNAVAILABLE, contact_id=request.header.contact_id)
        if not self._bus.publish(request.event):
            return replace(BUS_UNAVAILABLE, contact_id=request.header.contact_id)
        return request


def refused(refusal: Refusal) -> Answer:
    """The answer that says why."""
    return {"lambdaResult": "fail", "reason": refusal.reason.value, "message": refusal.message}

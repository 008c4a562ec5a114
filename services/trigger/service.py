"""One invocation: decide, make durable what was decided, answer the flow; and Connect's contact events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from contracts.events import Event
from contracts.intents import ContactIntents
from contracts.metrics import REQUESTS_REFUSED, SESSIONS_REQUESTED
from contracts.model import ContactId, SessionId
from contracts.session import ContactSession, SessionHeader
from services.trigger import intents
from services.trigger.contact_event import read_contact_event
from services.trigger.errors import StoreUnavailable
from services.trigger.flow_event import Action
from services.trigger.refusal import Reason, Refusal, Refused
from services.trigger.request import Choices, Command, Request, decide
from services.trigger.stored import Stored
from telemetry.log import logger
from telemetry.metrics import Metrics

ANSWER_S = 7.5
"""Of an invocation, until the flow must be answered; Connect waits 8 s."""
CONFIRM_S = 4.0
"""Of an invocation, until the owners must have confirmed a pause; Connect waits 8 s for the answer."""
HEAR_S = 14.0
"""Of an invocation, for a contact event; the function ends after 15 s."""

type Answer = dict[str, str]
"""Flat, strings only: a contact flow reads it as STRING_MAP."""
type Change = Callable[[ContactIntents], ContactIntents]

STORE_UNAVAILABLE = Refusal(
    Reason.STORE_UNAVAILABLE, "The session store could not be used in time; the flow may try again."
)
BUS_UNAVAILABLE = Refusal(
    Reason.BUS_UNAVAILABLE, "The event bus did not accept the request in time; the flow may try again."
)
NOT_CONFIRMED = Refusal(
    Reason.NOT_CONFIRMED,
    "A session of the contact has not confirmed in time; take no card now, and resume before going on.",
)


class Headers(Protocol):
    """Where headers are kept."""

    def put(self, header: SessionHeader, entry: ContactSession, until: float) -> Stored:
        """What became of them, known by the instant `until`."""
        ...


class Intents(Protocol):
    """What is asked of contacts; every method may raise StoreUnavailable, and has by the instant `until`."""

    def intents(self, contact_id: ContactId, until: float) -> ContactIntents:
        """As they stand."""
        ...

    def change(self, contact_id: ContactId, change: Change, until: float) -> ContactIntents:
        """Makes a change durable, and gives the intents that hold then."""
        ...

    def sessions(self, contact_id: ContactId, until: float) -> tuple[SessionId, ...]:
        """The contact's sessions, whatever became of them."""
        ...

    def requested_at_ms(self, contact_id: ContactId, session_id: SessionId, until: float) -> int | None:
        """When the session was requested first."""
        ...


class Confirmations(Protocol):
    """What owners of sessions say in the logs."""

    def missing(self, revisions: Mapping[SessionId, int], until: float) -> int:
        """How many sessions have not confirmed by the instant `until`."""
        ...


class Bus(Protocol):
    """Where requests go."""

    def publish(self, event: Event, until: float) -> bool:
        """Whether the bus has accepted the event, known by the instant `until`."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """What the trigger needs of the outside."""

    headers: Headers
    intents: Intents
    confirmations: Confirmations
    bus: Bus


class Trigger:
    """Answers contact flows, and hears of contacts' ends and transfers."""

    def __init__(self, outside: Outside, choices: Choices, metrics: Metrics) -> None:
        self._headers = outside.headers
        self._intents = outside.intents
        self._confirmations = outside.confirmations
        self._bus = outside.bus
        self._choices = choices
        self._metrics = metrics

    def invoke(self, event: object, invocation_id: str, now_ms: int, now: float) -> Answer:
        """The flow's answer: success only after the bus has accepted the request, or the owners the command.

        Args:
            event: As Lambda hands it over.
            invocation_id: Lambda's request id.
            now_ms: Epoch ms.
            now: The same instant of the monotonic clock.
        """
        decision = decide(event, self._choices, invocation_id, now_ms)
        match decision:
            case Request():
                answer = self._start(decision, event, invocation_id, now_ms, now + ANSWER_S)
            case Command():
                patience_s = ANSWER_S if decision.action is Action.STOP else CONFIRM_S
                answer = self._command(decision, now_ms, now + patience_s)
            case Refusal():
                answer = decision
        log = logger(request_id=invocation_id)
        if isinstance(answer, Refusal):
            self._metrics.count(REQUESTS_REFUSED)
            log.warning("trigger.refused", reason=answer.reason.value, contact_id=answer.contact_id)
            return refused(answer)
        match decision:
            case Command():
                log.info("trigger.commanded", action=decision.action.value, contact_id=decision.contact_id)
            case Request():
                self._metrics.count(SESSIONS_REQUESTED)
                contact_id = decision.header.contact_id
                session_id = answer["sessionId"]
                log.info("trigger.session_requested", session_id=session_id, contact_id=contact_id)
            case Refusal():
                pass
        return {"lambdaResult": "success", **answer}

    def hear(self, event: object, now: float) -> int:
        """Takes an event of the account's default bus; gives how many contacts it means anything to.

        Args:
            event: As Lambda hands it over.
            now: Of the monotonic clock.

        Raises:
            StoreUnavailable: Lambda invokes the handler again.
        """
        heard = read_contact_event(event)
        touched, until = 0, now + HEAR_S
        for contact_id, change in heard.changes if heard else ():
            if self._intents.sessions(contact_id, until):
                self._intents.change(contact_id, change, until)
                touched += 1
        if heard and touched:
            outcome = "transferred" if heard.disconnected_at_ms is None else "disconnected"
            logger(contact_id=heard.contact_id).info("trigger.contact_event", outcome=outcome, count=touched)
        return touched

    def _start(
        self, request: Request, event: object, invocation_id: str, now_ms: int, until: float
    ) -> dict[str, str] | Refusal:
        contact_id = request.header.contact_id
        stored = self._headers.put(request.header, request.entry, until)
        if stored is Stored.KNOWN:
            try:
                stopped_at_ms = self._stopped_at_ms(request, until)
            except StoreUnavailable:
                stored = Stored.UNAVAILABLE
            else:
                if stopped_at_ms is not None:
                    again = decide(event, self._choices, invocation_id, now_ms, stopped_at_ms)
                    assert isinstance(again, Request)  # noqa: S101 -- the same event was a request before
                    request, stored = again, self._headers.put(again.header, again.entry, until)
        if stored is Stored.UNAVAILABLE:
            return replace(STORE_UNAVAILABLE, contact_id=contact_id)
        if not self._bus.publish(request.event, until):
            return replace(BUS_UNAVAILABLE, contact_id=contact_id)
        return {"sessionId": request.header.session_id}

    def _stopped_at_ms(self, request: Request, until: float) -> int | None:
        """When the session that is asked for again was stopped; None: it was not, and this is a retry."""
        contact_id, session_id = request.header.contact_id, request.header.session_id
        stopped_at_ms = self._intents.intents(contact_id, until).stopped_at_ms
        if stopped_at_ms is None:
            return None
        requested_at_ms = self._intents.requested_at_ms(contact_id, session_id, until)
        return stopped_at_ms if requested_at_ms is None or requested_at_ms <= stopped_at_ms else None

    def _command(self, command: Command, now_ms: int, until: float) -> dict[str, str] | Refusal:
        changes: dict[Action, Callable[[ContactIntents, int], ContactIntents]] = {
            Action.PAUSE: intents.paused,
            Action.RESUME: intents.resumed,
            Action.STOP: intents.stopped,
        }
        change = changes[command.action]
        revisions: dict[SessionId, int] = {}
        try:
            known = [one for one in command.predecessors if self._intents.sessions(one, until)]
            for contact_id in (command.contact_id, *known):
                written = self._intents.change(contact_id, lambda before: change(before, now_ms), until)
                # Only now: whoever claims a session that is requested later reads the intents.
                revisions |= dict.fromkeys(self._intents.sessions(contact_id, until), written.revision)
        except StoreUnavailable:
            return replace(STORE_UNAVAILABLE, contact_id=command.contact_id)
        except Refused as refused:
            return replace(refused.refusal, contact_id=command.contact_id)
        if command.action is not Action.STOP and self._confirmations.missing(revisions, until):
            return replace(NOT_CONFIRMED, contact_id=command.contact_id)
        return {"sessions": str(len(revisions))}


def refused(refusal: Refusal) -> Answer:
    """The answer that says why."""
    return {"lambdaResult": "fail", "reason": refusal.reason.value, "message": refusal.message}

"""The decision about one invocation: a session to request, or a refusal."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from contracts.events import SessionRequested
from contracts.session import ContactSession, SessionHeader
from services.trigger.contact import Parameter, read_wishes
from services.trigger.flow_event import START, FlowEvent, read_context, read_event, read_media
from services.trigger.refusal import Reason, Refusal, Refused
from services.trigger.session_identity import session_id


@dataclass(frozen=True, slots=True)
class Choices:
    """What the operator of the deployment chose."""

    defaults: tuple[Parameter, ...] = ()
    default_callback: str | None = None
    forward_attributes: frozenset[str] = frozenset()
    forward_endpoints: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A session to be: `header` and `entry` go to the store, then `event` to the bus."""

    header: SessionHeader
    entry: ContactSession
    event: SessionRequested


def decide(event: object, choices: Choices, invocation_id: str, now_ms: int) -> Request | Refusal:
    """What to do about the event; never raises for what is in it.

    Args:
        event: As Lambda hands it over, JSON of any kind.
        choices: The operator's.
        invocation_id: Lambda's request id.
        now_ms: Epoch ms.
    """
    try:
        flow = read_event(event)
    except Refused as refused:
        return refused.refusal
    try:
        return _request(flow, choices, invocation_id, now_ms)
    except Refused as refused:
        return replace(refused.refusal, contact_id=flow.contact_id)


def _request(flow: FlowEvent, choices: Choices, invocation_id: str, now_ms: int) -> Request:
    if flow.action != START:
        raise Refused(Reason.UNKNOWN_ACTION, "The action parameter is not one of: start.")
    media = read_media(flow.contact)
    wishes = read_wishes(flow.attributes, flow.contact_id, choices.defaults, choices.default_callback)
    context = read_context(flow.contact, choices.forward_attributes, endpoints=choices.forward_endpoints)
    session = session_id(flow.contact_id, media, wishes, invocation_id)
    return Request(
        header=SessionHeader(
            session_id=session,
            contact_id=flow.contact_id,
            requested_at_ms=now_ms,
            media=media,
            deepgram_parameters=wishes.parameters,
            callback=wishes.callback,
            pace_realtime=wishes.pace_realtime,
            context=context,
        ),
        entry=ContactSession(contact_id=flow.contact_id, session_id=session, requested_at_ms=now_ms),
        event=SessionRequested(
            event_id=f"{session}.requested",
            session_id=session,
            contact_id=flow.contact_id,
            occurred_at=datetime.fromtimestamp(now_ms / 1_000, UTC),
            media=media,
            pace_realtime=wishes.pace_realtime,
            context=context,
        ),
    )

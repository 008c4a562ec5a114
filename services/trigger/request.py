"""The decision about one invocation: a session to request, a command to its sessions, or a refusal."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from contracts.events import SessionRequested
from contracts.model import ContactId
from contracts.session import ContactSession, SessionHeader
from services.trigger.contact import Parameter, read_wishes
from services.trigger.flow_event import Action, FlowEvent, read_context, read_event, read_media
from services.trigger.refusal import Refusal, Refused
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


@dataclass(frozen=True, slots=True)
class Command:
    """Something to ask of the sessions that a contact has, or will have."""

    action: Action
    contact_id: ContactId
    predecessors: tuple[ContactId, ...]
    """Their sessions go on with this contact's audio: they are asked, too."""


def decide(
    event: object, choices: Choices, invocation_id: str, now_ms: int, stopped_at_ms: int | None = None
) -> Request | Command | Refusal:
    """What to do about the event; never raises for what is in it.

    Args:
        event: As Lambda hands it over, JSON of any kind.
        choices: The operator's.
        invocation_id: Lambda's request id.
        now_ms: Epoch ms.
        stopped_at_ms: When the session that the event asks for was stopped, if it is to begin anew.
    """
    try:
        flow = read_event(event)
    except Refused as refused:
        return refused.refusal
    if flow.action is not Action.START:
        return Command(flow.action, flow.contact_id, flow.predecessors)
    try:
        return _request(flow, choices, invocation_id, now_ms, stopped_at_ms)
    except Refused as refused:
        return replace(refused.refusal, contact_id=flow.contact_id)


def _request(
    flow: FlowEvent, choices: Choices, invocation_id: str, now_ms: int, stopped_at_ms: int | None
) -> Request:
    media = read_media(flow.contact)
    wishes = read_wishes(flow.attributes, flow.contact_id, choices.defaults, choices.default_callback)
    context = read_context(flow.contact, choices.forward_attributes, endpoints=choices.forward_endpoints)
    session = session_id(flow.contact_id, media, wishes, invocation_id, stopped_at_ms)
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

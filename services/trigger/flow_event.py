"""Amazon Connect's ContactFlowEvent, as far as it is used; any part of it may be null or missing.

Source: Amazon Connect administrator guide, "Invoke AWS Lambda functions", and "Customer audio streaming".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

from contracts.model import ContactId
from contracts.session import CallContext, MediaStream
from services.trigger.refusal import Reason, Refused
from services.trigger.text import is_text

MAX_CONTEXT_CHARACTERS = 1_024
"""Of each value that is only passed on; longer ones are cut."""
_CONTACT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
"""Connect writes UUIDs; the id becomes part of keys, headers and callback URLs."""
_STREAM_ARN = re.compile(r"arn:aws[a-z-]*:kinesisvideo:[a-z0-9-]+:[0-9]{12}:stream/[A-Za-z0-9_.-]+/[0-9]+")
_FRAGMENT_NUMBER = re.compile(r"[0-9]{1,128}")
_EPOCH_MS = re.compile(r"[0-9]{1,15}")

type Fields = Mapping[str, object]


class Action(StrEnum):
    """What a flow's Lambda block may ask for, by its parameter `action`."""

    START = "start"
    """Transcribe the contact; what is meant when the parameter is not there."""
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class FlowEvent:
    """One invocation by a contact flow."""

    contact_id: ContactId
    action: Action
    attributes: Fields
    contact: Fields
    """`Details.ContactData` as it came."""

    @property
    def predecessors(self) -> tuple[ContactId, ...]:
        """Contacts that were transferred into this one, as far as Connect says: none, one or two."""
        named = (contact_id_of(self.contact, name) for name in ("PreviousContactId", "InitialContactId"))
        return tuple(dict.fromkeys(one for one in named if one is not None and one != self.contact_id))


def contact_id_of(parent: Fields, name: str) -> ContactId | None:
    """The contact id under `name`; None when there is none that can be used."""
    value = parent.get(name)
    return ContactId(value) if isinstance(value, str) and _CONTACT_ID.fullmatch(value) else None


def read_event(event: object) -> FlowEvent:
    """The event's parts.

    Raises:
        Refused: it is not a flow's event, or names no contact.
    """
    if not isinstance(event, Mapping) or cast("Fields", event).get("Name") != "ContactFlowEvent":
        raise Refused(
            Reason.NOT_A_CONTACT_FLOW_EVENT, "Invoke this function from an Amazon Connect contact flow only."
        )
    details = _fields(cast("Fields", event), "Details")
    contact = _fields(details, "ContactData")
    contact_id = contact_id_of(contact, "ContactId")
    if contact_id is None:
        raise Refused(Reason.MALFORMED_EVENT, "The event has no usable ContactId.")
    return FlowEvent(
        contact_id=contact_id,
        action=_action(_fields(details, "Parameters").get("action"), contact_id),
        attributes=_fields(contact, "Attributes"),
        contact=contact,
    )


def read_media(contact: Fields) -> MediaStream:
    """Where the contact's audio is.

    Raises:
        Refused: the flow does not stream media, or the stream cannot be read as named.
    """
    audio = _fields(_fields(_fields(contact, "MediaStreams"), "Customer"), "Audio")
    arn, number, started = (
        audio.get(name) for name in ("StreamARN", "StartFragmentNumber", "StartTimestamp")
    )
    if not arn:
        raise Refused(
            Reason.NO_MEDIA_STREAM,
            "The contact has no media stream; put a Start media streaming block before the Lambda block.",
        )
    started = str(started) if isinstance(started, int) else started
    if not (
        _matches(_STREAM_ARN, arn) and _matches(_FRAGMENT_NUMBER, number) and _matches(_EPOCH_MS, started)
    ):
        raise Refused(
            Reason.MALFORMED_MEDIA_STREAM,
            "StreamARN, StartFragmentNumber or StartTimestamp of the contact's media stream is not usable.",
        )
    return MediaStream(
        stream_arn=str(arn), start_fragment_number=str(number), start_timestamp_ms=int(str(started))
    )


def read_context(contact: Fields, attribute_names: frozenset[str], *, endpoints: bool) -> CallContext:
    """What consumers are told of the contact.

    Args:
        contact: `Details.ContactData`.
        attribute_names: The attributes that the operator chose to forward.
        endpoints: Whether phone numbers are forwarded.
    """
    queue = _fields_or_none(contact, "Queue")
    attributes = _fields_or_none(contact, "Attributes")
    previous, initial = _text(contact, "PreviousContactId"), _text(contact, "InitialContactId")
    return CallContext(
        instance_arn=_text(contact, "InstanceARN"),
        initial_contact_id=ContactId(initial) if initial else None,
        previous_contact_id=ContactId(previous) if previous else None,
        channel=_text(contact, "Channel"),
        queue_arn=_text(queue, "ARN"),
        queue_name=_text(queue, "Name"),
        initiation_method=_text(contact, "InitiationMethod"),
        language=_text(contact, "LanguageCode"),
        customer_endpoint=_address(contact, "CustomerEndpoint") if endpoints else None,
        system_endpoint=_address(contact, "SystemEndpoint") if endpoints else None,
        attributes={
            name: str(value)
            for name, value in attributes.items()
            if name in attribute_names and is_text(name) and is_text(value)
        },
    )


def _action(asked: object, contact_id: ContactId) -> Action:
    if asked is None or asked == "":
        return Action.START
    if not isinstance(asked, str) or asked not in list(Action):
        choice = ", ".join(Action)
        raise Refused(Reason.UNKNOWN_ACTION, f"The action parameter is none of: {choice}.", contact_id)
    return Action(asked)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _fields(parent: Fields, name: str) -> Fields:
    """The object under `name`; empty when it is null or missing."""
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Refused(Reason.MALFORMED_EVENT, f"{name} of the event is not an object.")
    return cast("Fields", value)


def _fields_or_none(parent: Fields, name: str) -> Fields:
    value = parent.get(name)
    return cast("Fields", value) if isinstance(value, Mapping) else {}


def _text(parent: Fields, name: str) -> str | None:
    value = parent.get(name)
    return value[:MAX_CONTEXT_CHARACTERS] if isinstance(value, str) and value and is_text(value) else None


def _address(contact: Fields, name: str) -> str | None:
    return _text(_fields_or_none(contact, name), "Address")

"""What a flow's "Invoke AWS Lambda function" block hands to the function, and what it takes back; pure."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

MAX_ANSWER_BYTES = 32 << 10


class Mistake(enum.StrEnum):
    """What can be wrong with a flow or an account."""

    NO_MEDIA_STREAMS = "no-media-streams"
    """The flow has no "Start media streaming" block before the function."""
    UNKNOWN_STREAM = "unknown-stream"
    """The stream's ARN is well-formed and names nothing."""
    MALFORMED_STREAM = "malformed-stream"
    """The stream's ARN is none."""
    NULL_ATTRIBUTES = "null-attributes"
    """No contact attribute was ever set."""


@dataclass(frozen=True, slots=True)
class MediaStream:
    """Where the call's audio is."""

    arn: str
    start_at_ms: int
    start_fragment_number: str


@dataclass(frozen=True, slots=True)
class Contact:
    """Who calls, and what the flow has set."""

    contact_id: str
    instance_arn: str
    attributes: Mapping[str, str]
    previous_contact_id: str | None = None
    initial_contact_id: str | None = None
    customer_number: str = "+15550100001"
    system_number: str = "+15550100002"


def contact_flow_event(
    contact: Contact, stream: MediaStream, parameters: Mapping[str, str], mistake: Mistake | None = None
) -> dict[str, object]:
    """The event, as Connect's administrator guide shows it."""
    return {
        "Name": "ContactFlowEvent",
        "Details": {
            "ContactData": {
                "Attributes": None if mistake is Mistake.NULL_ATTRIBUTES else dict(contact.attributes),
                "Channel": "VOICE",
                "ContactId": contact.contact_id,
                "CustomerEndpoint": {"Address": contact.customer_number, "Type": "TELEPHONE_NUMBER"},
                "CustomerId": None,
                "Description": None,
                "InitialContactId": contact.initial_contact_id or contact.contact_id,
                "InitiationMethod": "INBOUND",
                "InstanceARN": contact.instance_arn,
                "LanguageCode": "en-US",
                "MediaStreams": _media_streams(stream, mistake),
                "Name": None,
                "PreviousContactId": contact.previous_contact_id or contact.contact_id,
                "Queue": None,
                "References": {},
                "SystemEndpoint": {"Address": contact.system_number, "Type": "TELEPHONE_NUMBER"},
            },
            "Parameters": dict(parameters),
        },
    }


def _media_streams(stream: MediaStream, mistake: Mistake | None) -> dict[str, object]:
    audio: dict[str, object] | None = {
        "StreamARN": stream.arn,
        "StartTimestamp": str(stream.start_at_ms),
        "StopTimestamp": None,
        "StartFragmentNumber": stream.start_fragment_number,
    }
    match mistake:
        case Mistake.NO_MEDIA_STREAMS:
            audio = None
        case Mistake.UNKNOWN_STREAM:
            resource = stream.arn.rsplit("/", 2)[0]
            audio["StreamARN"] = f"{resource}/connect-contact-unknown/{stream.start_at_ms}"
        case Mistake.MALFORMED_STREAM:
            audio["StreamARN"] = "unknown"
        case Mistake.NULL_ATTRIBUTES | None:
            pass
    return {"Customer": {"Audio": audio}}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the block made of the function's reply, and the branch that the flow takes."""

    branch: Literal["success", "error"]
    external: Mapping[str, str] = field(default_factory=dict[str, str])
    """What the flow finds under `$.External`."""
    error: str | None = None
    elapsed_ms: int = 0


def answer_of(payload: bytes, *, function_error: str | None, elapsed_ms: int) -> Answer:
    """Judge a reply as a block does whose validation is STRING_MAP: a flat map of strings, at most 32 KB."""

    def error(sentence: str) -> Answer:
        return Answer("error", error=sentence, elapsed_ms=elapsed_ms)

    if function_error is not None:
        return error(f"{function_error}: {payload[:500].decode(errors='replace')}")
    if len(payload) > MAX_ANSWER_BYTES:
        return error(f"the answer has {len(payload)} bytes")
    try:
        parsed: object = json.loads(payload)
    except ValueError:
        return error("the answer is no JSON")
    if not isinstance(parsed, dict):
        return error("the answer is no map")
    members = cast("dict[str, object]", parsed)
    external = {name: value for name, value in members.items() if isinstance(value, str)}
    if len(external) < len(members):
        return error("the answer is no flat map of strings")
    return Answer("success", external=external, elapsed_ms=elapsed_ms)


def disconnected_event(contact: Contact, *, event_id: str, at: str) -> dict[str, object]:
    """An "Amazon Connect Contact Event" at the end of a call, as EventBridge delivers it.

    Args:
        contact: whose call ended.
        event_id: a UUID.
        at: ISO 8601, UTC.
    """
    _, _, _, region, account_id, _ = contact.instance_arn.split(":", 5)
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "Amazon Connect Contact Event",
        "source": "aws.connect",
        "account": account_id,
        "time": at,
        "region": region,
        "resources": [f"{contact.instance_arn}/contact/{contact.contact_id}", contact.instance_arn],
        "detail": {
            "eventType": "DISCONNECTED",
            "contactId": contact.contact_id,
            "initialContactId": contact.initial_contact_id or contact.contact_id,
            "previousContactId": contact.previous_contact_id or contact.contact_id,
            "channel": "VOICE",
            "instanceArn": contact.instance_arn,
            "initiationMethod": "INBOUND",
            "disconnectTimestamp": at,
        },
    }

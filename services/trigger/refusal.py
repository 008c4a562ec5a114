"""Why a flow is told `fail`: a stable code to branch on and one sentence to read."""

from dataclasses import dataclass
from enum import StrEnum

from contracts.model import ContactId


class Reason(StrEnum):
    """Stable codes; contact flows may compare them."""

    NOT_A_CONTACT_FLOW_EVENT = "not_a_contact_flow_event"
    MALFORMED_EVENT = "malformed_event"
    UNKNOWN_ACTION = "unknown_action"
    NO_MEDIA_STREAM = "no_media_stream"
    MALFORMED_MEDIA_STREAM = "malformed_media_stream"
    MALFORMED_ATTRIBUTE = "malformed_attribute"
    FORBIDDEN_PARAMETER = "forbidden_parameter"
    UNSUPPORTED_MODEL = "unsupported_model"
    SEVERAL_CALLBACKS = "several_callbacks"
    UNUSABLE_CALLBACK = "unusable_callback"
    UNKNOWN_CALLBACK_METHOD = "unknown_callback_method"
    NOT_CONFIRMED = "not_confirmed"
    TOO_MANY_PAUSES = "too_many_pauses"
    STORE_UNAVAILABLE = "store_unavailable"
    BUS_UNAVAILABLE = "bus_unavailable"
    MISCONFIGURED = "misconfigured"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The call is not transcribed, and the flow is told so."""

    reason: Reason
    message: str
    """One sentence that says what to do; never a value of the contact's."""
    contact_id: ContactId | None = None
    """For the log; None: the event names no contact."""


class Refused(Exception):
    """Carries a `Refusal` out of nested parsing; callers of this package's cores never see it."""

    def __init__(self, reason: Reason, message: str, contact_id: ContactId | None = None) -> None:
        super().__init__(message)
        self.refusal = Refusal(reason, message, contact_id)

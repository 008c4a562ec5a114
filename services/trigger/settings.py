"""The trigger's environment, read once.

By pydantic alone: a cold start need not import pydantic-settings, with its sources of many kinds.
"""

from collections.abc import Mapping
from typing import Annotated, Self
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from contracts.metrics import DEFAULT_STACK
from contracts.model import ContactId
from services.trigger.callback import read_callback
from services.trigger.contact import FORBIDDEN, OURS, Parameter
from services.trigger.refusal import Refused
from services.trigger.request import Choices


def _parse_query(value: object) -> object:
    return tuple(parse_qsl(value, keep_blank_values=True)) if isinstance(value, str) else value


def _without_fixed_names(defaults: tuple[Parameter, ...]) -> tuple[Parameter, ...]:
    for name, _value in defaults:
        if name in FORBIDDEN | OURS:
            raise ValueError(f"{name} cannot have a default here")
    return defaults


def _parse_names(value: object) -> object:
    return frozenset(n.strip() for n in value.split(",") if n.strip()) if isinstance(value, str) else value


def _usable_callback(value: str | None) -> str | None:
    try:
        read_callback([], [], value, ContactId("contact"))
    except Refused as refused:
        raise ValueError(refused.refusal.message) from refused
    return value or None


class Settings(BaseModel):
    """From environment variables named as the fields, in upper case."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    sessions_table: str = Field(min_length=1)
    """DynamoDB table of the session store."""
    event_bus_name: str = Field(min_length=1)
    """EventBridge bus that takes the requests."""
    deepgram_defaults: Annotated[
        tuple[Parameter, ...], BeforeValidator(_parse_query), AfterValidator(_without_fixed_names)
    ] = ()
    """Query string of Deepgram parameters for calls whose flow does not set them, e.g. `model=nova-3`."""
    default_callback: Annotated[str | None, AfterValidator(_usable_callback)] = Field(
        default=None, repr=False
    )
    """Callback URL for calls whose flow names none; `{contact-id}` is replaced."""
    forward_attributes: Annotated[frozenset[str], BeforeValidator(_parse_names)] = frozenset()
    """Contact attributes that events carry, separated by commas; none by default, they may be personal."""
    forward_endpoints: bool = False
    """Whether events carry the customer's and the system's phone numbers."""
    retention_days: Annotated[int, Field(ge=1, le=3_650)] = 30
    """Days after which the session store forgets a session."""
    stack: str = Field(default=DEFAULT_STACK, min_length=1)
    """Prefix of the stack's names; as a dimension of its metrics it tells them from another stack's."""
    log_level: str = "INFO"
    """Least level that is logged."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """The settings; raises pydantic's `ValidationError`, which names the fields and no value."""
        given = {name: environment.get(name.upper()) for name in cls.model_fields}
        return cls.model_validate({name: value for name, value in given.items() if value is not None})

    @property
    def choices(self) -> Choices:
        """What the core needs of them."""
        return Choices(
            self.deepgram_defaults, self.default_callback, self.forward_attributes, self.forward_endpoints
        )

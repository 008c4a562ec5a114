"""What can be ordered of a relay; pydantic at the edge."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

EVERY_RELAY = "*"


class Fault(BaseModel):
    """See the package's docstring."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["hold", "cut", "fail", "lose"]
    seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    """How long `hold`, `fail` and `lose` last."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Of the requests that `fail` and `lose` befall."""
    then: Literal["release", "cut"] = "release"
    """How `hold` ends."""

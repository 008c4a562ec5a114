"""Faults on demand; pure.

A fault names a stream, or `*` for all, also those that come later.
"""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from emulators.kvs.errors import IN_BAND, STATUS

EVERY_STREAM = "*"


class Fault(BaseModel):
    """What shall go wrong.

    `drop` cuts the connections of open bodies, `end` ends them cleanly wherever they are, `error` ends them
    with an error code in their tags; each strikes the bodies that are open, and the next `times` bodies as
    soon as they have begun. `freeze` sends nothing for `seconds` and keeps connections open. `deny` refuses
    the next `times` (at least one) calls of GetDataEndpoint and GetMedia with `error`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["drop", "end", "error", "freeze", "deny"]
    times: Annotated[int, Field(ge=0, le=10_000)] = 0
    seconds: Annotated[float, Field(gt=0, le=3_600)] = 5.0
    code: int = 5000
    error: str = "AccessDeniedException"

    @model_validator(mode="after")
    def _known(self) -> "Fault":
        if self.code not in IN_BAND:
            raise ValueError(f"code is one of {sorted(IN_BAND)}")
        if self.error not in STATUS:
            raise ValueError(f"error is one of {sorted(STATUS)}")
        return self


@dataclass(slots=True)
class _Armed:
    bodies: deque[Fault] = field(default_factory=lambda: deque[Fault](maxlen=10_000))
    denials: deque[Fault] = field(default_factory=lambda: deque[Fault](maxlen=10_000))
    frozen_until_ms: int = 0


class Faults:
    """The faults that are armed, by stream."""

    def __init__(self) -> None:
        self._armed: defaultdict[str, _Armed] = defaultdict(_Armed)

    def arm(self, stream_name: str, fault: Fault, *, now_ms: int) -> None:
        """Arm a fault for what is still to come; bodies that are open are the caller's to strike."""
        armed = self._armed[stream_name]
        match fault.kind:
            case "freeze":
                armed.frozen_until_ms = now_ms + round(fault.seconds * 1000)
            case "deny":
                armed.denials.extend([fault] * max(1, fault.times))
            case "drop" | "end" | "error":
                armed.bodies.extend([fault] * fault.times)

    def clear(self, stream_name: str) -> None:
        """Forget what was armed for a name."""
        self._armed.pop(stream_name, None)

    def denial(self, stream_name: str) -> Fault | None:
        """The fault that refuses this call, if one does; it is used up."""
        return self._pop([armed.denials for armed in self._of(stream_name)])

    def body(self, stream_name: str) -> Fault | None:
        """The fault that strikes the body that begins now, if one does; it is used up."""
        return self._pop([armed.bodies for armed in self._of(stream_name)])

    def frozen_until_ms(self, stream_name: str) -> int:
        """Until when nothing is sent."""
        return max((armed.frozen_until_ms for armed in self._of(stream_name)), default=0)

    def _of(self, stream_name: str) -> list[_Armed]:
        return [self._armed[name] for name in (stream_name, EVERY_STREAM) if name in self._armed]

    @staticmethod
    def _pop(queues: list[deque[Fault]]) -> Fault | None:
        return next((queue.popleft() for queue in queues if queue), None)

"""Faults on demand: which requests are to fail, how, and how many of them. Pure."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MAX_FAULTS = 1_000
MAX_SECONDS = 600.0


class TooManyFaults(ValueError):
    """No more faults are kept."""


class Fault(BaseModel):
    """What happens to a request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["answer", "drop", "hang"] = "answer"
    """`answer`: with `status`. `drop`: the connection is cut without an answer. `hang`: no answer, ever."""
    status: int = Field(default=503, ge=200, le=599)
    retry_after: str | None = Field(default=None, pattern=r"^[ -~]{1,64}$")
    """The header's value: seconds, or a date."""
    location: str | None = Field(default=None, pattern=r"^[!-~]{1,2048}$")
    """Where a redirect leads."""
    delay_s: float = Field(default=0.0, ge=0, le=MAX_SECONDS)
    """Before the answer or the cut."""
    path: str | None = None
    """Of the requests that are meant, without query; None: all."""
    count: int | None = Field(default=None, ge=1)
    """How many requests; None: until cleared."""


class Faults:
    """The faults that wait for requests; the first that suits is taken."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def arm(self, fault: Fault) -> None:
        """Keeps a fault.

        Raises:
            TooManyFaults: `MAX_FAULTS` wait already.
        """
        if len(self._waiting) >= MAX_FAULTS:
            raise TooManyFaults(f"{MAX_FAULTS} faults are waiting already")
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forgets all."""
        self._waiting.clear()

    def take(self, path: str) -> Fault | None:
        """What is to happen to this request; uses a counted fault up."""
        for place, fault in enumerate(self._waiting):
            if fault.path not in {None, path}:
                continue
            if fault.count is not None:
                rest = fault.model_copy(update={"count": fault.count - 1})
                self._waiting[place : place + 1] = [rest] if rest.count else []
            return fault
        return None

"""The door to Deepgram, which all sessions of the process share."""

import asyncio
from random import random
from typing import Protocol

from contracts.metrics import DEEPGRAM_THROTTLED
from services.transcribe.admission import Admission
from telemetry.metrics import Metrics


class Guest(Protocol):
    """A session that wants a connection to Deepgram."""

    def admit(self) -> None:
        """May shake hands now."""
        ...

    def wait_in_line(self, ahead: int) -> None:
        """Has to wait for so many others."""
        ...


class Door:
    """Lets guests in as `Admission` says."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._admission: Admission[Guest] = Admission()
        self._timer: asyncio.TimerHandle | None = None

    def ask(self, guest: Guest) -> None:
        """`guest` is told to come in, or to wait, before this returns."""
        self._admission.ask(guest)
        if guest not in self._proceed():
            guest.wait_in_line(self._admission.ahead(guest))

    def refused(self, guest: Guest) -> None:
        """Deepgram had no room; `guest` is told to wait."""
        self._metrics.count(DEEPGRAM_THROTTLED)
        self._admission.refused(guest, _now(), random())  # noqa: S311 -- spreads the tries of processes
        guest.wait_in_line(self._admission.ahead(guest))
        self._proceed()

    def answered(self, guest: Guest, *, admitted: bool) -> None:
        """The handshake ended, in whatever other way."""
        self._admission.answered(guest, _now(), admitted=admitted)
        self._proceed()

    def left(self, guest: Guest) -> None:
        """`guest` has no connection any more, and does not wait for one."""
        self._admission.left(guest, _now())
        self._proceed()

    def _proceed(self) -> list[Guest]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        admitted = self._admission.take(_now())
        for guest in admitted:
            guest.admit()
        if (deadline := self._admission.deadline) is not None:
            self._timer = asyncio.get_running_loop().call_at(deadline, self._proceed)
        return admitted


def _now() -> float:
    return asyncio.get_running_loop().time()

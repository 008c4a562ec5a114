"""What a process knows of itself: whether it lives, whether it may be given work, and why not.

`GET /live` and `GET /ready` (`telemetry.health.server`) tell it; `python -m telemetry.health` asks. A process
that is not live should be replaced. One that is not ready goes on with what it has, and may be ready again.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

LATE_S = 0.5
"""An event loop that comes this late, time after time, has more to do than it can."""
BEATS = 10
"""How many times it must be late in a row."""
HUNG_S = 180.0
"""A loop of the process that did not go round for so long is hung; a few calls to AWS take less."""

type Condition = Callable[[], str | None]

_MEANINGS = {
    "ResourceNotFoundException": "not found",
    "AWS.SimpleQueueService.NonExistentQueue": "not found",
    "QueueDoesNotExist": "not found",
    "AccessDenied": "refuses access",
    "AccessDeniedException": "refuses access",
}


def why(error: BaseException | None) -> str:
    """What an error of AWS's SDK, or of ours that one caused, says in two words; never its message."""
    while error is not None:
        response = getattr(error, "response", None)
        if isinstance(response, dict):
            return meaning(str(response.get("Error", {}).get("Code", "")))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]  # JSON
        error = error.__cause__
    return meaning("")


def meaning(code: str) -> str:
    """What AWS's error code says; empty: there was no answer."""
    return _MEANINGS.get(code, f"answers {code[:60]}" if code else "unreachable")


class Health:
    """One process's.

    Args:
        steady: Seconds of a steady clock.
        wall: Epoch seconds.
    """

    def __init__(
        self, steady: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._steady = steady
        self._wall = wall
        self._conditions: list[Condition] = []
        self._troubles: dict[str, tuple[str, float]] = {}
        self._rounds: dict[str, float] = {}
        self._lateness: deque[float] = deque(maxlen=BEATS)

    def ready_unless(self, condition: Condition) -> None:
        """The process is not ready while `condition` gives a reason."""
        self._conditions.append(condition)

    def failing(self, peer: str, how: str) -> None:
        """`peer` (queue, table, bus) does not do its work: not ready until `works`."""
        _, since = self._troubles.get(peer, (how, self._wall()))
        self._troubles[peer] = (how, since)

    def works(self, peer: str) -> None:
        """`peer` does its work."""
        self._troubles.pop(peer, None)

    def goes_round(self, loop: str) -> None:
        """A loop of the process takes another turn; from the first one on it must do so again in `HUNG_S`."""
        self._rounds[loop] = self._steady()

    def over(self, loop: str) -> None:
        """The loop has ended as it should."""
        self._rounds.pop(loop, None)

    def late(self, lateness_s: float) -> None:
        """So much later than asked for the event loop came round, just now."""
        self._lateness.append(lateness_s)

    def not_live(self) -> list[str]:
        """Why the process should be replaced; empty: it lives."""
        return list(self._not_live())

    def not_ready(self) -> list[str]:
        """Why the process should be given no work; empty: it is ready."""
        return [*self._not_live(), *self._not_ready()]

    def _not_live(self) -> Iterator[str]:
        if len(self._lateness) == BEATS and min(self._lateness) > LATE_S:
            yield f"the event loop is late by {min(self._lateness):.1f} s and more"
        for loop, last_at in self._rounds.items():
            silent_s = self._steady() - last_at
            if silent_s > HUNG_S:
                yield f"{loop} hangs: it did nothing for {silent_s:.0f} s"

    def _not_ready(self) -> Iterator[str]:
        yield from filter(None, (condition() for condition in self._conditions))
        for peer, (how, since) in self._troubles.items():
            yield f"{peer} {how} since {datetime.fromtimestamp(since, UTC):%Y-%m-%dT%H:%M:%SZ}"

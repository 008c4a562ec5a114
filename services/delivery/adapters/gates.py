"""How many requests each endpoint has under way, and who waits for it: the breakers at work."""

import asyncio
import time
from collections import OrderedDict, deque

from services.delivery.breaker import Breaker, BreakerPolicy
from services.delivery.outcome import Outcome

WAIT_S = 5.0
"""For a place at one time; then the lane may know better what to do with the message."""
MAX_GATES = 10_000
"""Endpoints that are remembered; those without requests are forgotten first."""


class Gate:
    """One endpoint's."""

    def __init__(self, policy: BreakerPolicy, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self.breaker = Breaker(policy)
        self.learnt_at_s = 0.0
        """When it was last opened or closed (monotonic)."""
        self._under_way = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_idle(self) -> bool:
        """Whether it may be forgotten."""
        return not (self._under_way or self._waiting or self._is_paused or self.breaker.is_open)

    async def enter(self, *, is_probe: bool = False) -> bool:
        """Waits for a place, to be given back by `leave`.

        False: none came free in time, the endpoint is disabled or asked for time, or we stop.
        """
        if is_probe:
            self._under_way += 1
            return True
        until_s = time.monotonic() + self._wait_s
        while not (self.breaker.is_open or self._is_paused):
            if self._under_way < self.breaker.limit:
                self._under_way += 1
                return True
            if not await self._wait(until_s - time.monotonic()):
                return False
        return False

    def leave(self, outcome: Outcome) -> bool:
        """Gives the place back; True: the endpoint is to be disabled."""
        self._under_way -= 1
        failed = self.breaker.conclude(outcome, _now_ms())
        self._wake(len(self._waiting) if self._is_paused else self.breaker.limit - self._under_way)
        return failed

    def learn(self, *, is_open: bool) -> None:
        """Opens or closes the breaker."""
        self.breaker.learn(is_open=is_open)
        self.learnt_at_s = time.monotonic()
        self._wake(len(self._waiting) if is_open else self.breaker.limit - self._under_way)

    def give_up(self) -> None:
        """Nobody is to wait any more."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.cancel()

    @property
    def _is_paused(self) -> bool:
        return _now_ms() < self.breaker.paused_until_ms

    async def _wait(self, timeout_s: float) -> bool:
        """False: there is nothing to wait for any more."""
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        await asyncio.wait([place], timeout=timeout_s)
        if not place.done():
            self._waiting.remove(place)
        return place.done() and not place.cancelled()

    def _wake(self, places: int) -> None:
        for _ in range(min(places, len(self._waiting))):
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)


class Gates:
    """Of all endpoints."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._gates: OrderedDict[str, Gate] = OrderedDict()

    def of(self, endpoint: str) -> Gate:
        """The endpoint's gate."""
        gate = self._gates.get(endpoint)
        if gate is None:
            gate = self._gates[endpoint] = Gate(self._policy)
            while len(self._gates) > MAX_GATES and next(iter(self._gates.values())).is_idle:
                self._gates.popitem(last=False)
        else:
            self._gates.move_to_end(endpoint)
        return gate

    @property
    def open(self) -> list[str]:
        """Endpoints whose breaker is open."""
        return [endpoint for endpoint, gate in self._gates.items() if gate.breaker.is_open]

    def close(self) -> None:
        """The process stops: nobody is to wait."""
        for gate in self._gates.values():
            gate.give_up()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""What was received, in order, as far back as there is room; whoever waits for more is woken."""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal

MAX_REQUESTS = 20_000
MAX_BODY_BYTES = 1 << 20
MAX_KEPT_BYTES = 256 << 20

type Signature = Literal["valid", "invalid", "unchecked"]


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    number: int
    """1 for the first; grows by 1."""
    received_at_ms: int
    """Epoch ms, when its body was complete."""
    method: str
    """`TEXT`: a message over a websocket; the headers are those of its handshake."""
    path: str
    """With its query."""
    headers: dict[str, str] = field(repr=False)
    """Names in lower case."""
    body: str = field(repr=False)
    signature: Signature
    """`unchecked` when the receiver has no secret."""
    status: int | None
    """What it is answered; None: nothing."""
    peer_port: int
    """Of the connection that it came over."""


class Recorder:
    """Keeps requests."""

    def __init__(self) -> None:
        self._kept: deque[Received] = deque()
        self._kept_bytes = 0
        self._last = 0
        self._more = asyncio.Event()

    @property
    def count(self) -> int:
        """Of all that was ever received."""
        return self._last

    @property
    def received(self) -> tuple[Received, ...]:
        """All that is kept, oldest first."""
        return tuple(self._kept)

    def record(self, build: Callable[[int, int], Received]) -> None:
        """Keeps what `build(number, received_at_ms)` returns."""
        self._last += 1
        request = build(self._last, time.time_ns() // 1_000_000)
        self._kept.append(request)
        self._kept_bytes += len(request.body)
        while len(self._kept) > MAX_REQUESTS or self._kept_bytes > MAX_KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft().body)
        self._more.set()
        self._more = asyncio.Event()

    def clear(self) -> None:
        """Forgets all; numbers go on."""
        self._kept.clear()
        self._kept_bytes = 0

    def after(self, number: int, limit: int = MAX_REQUESTS) -> list[Received]:
        """What is kept of the requests after `number`, oldest first, at most `limit`."""
        first = self._kept[0].number if self._kept else 0
        start = max(0, number + 1 - first)
        return [self._kept[i] for i in range(start, min(len(self._kept), start + limit))]

    async def wait_after(self, number: int, wait_s: float, limit: int = MAX_REQUESTS) -> list[Received]:
        """As `after`, but waits up to `wait_s` for the first one."""
        try:
            async with asyncio.timeout(wait_s):
                while not (found := self.after(number, limit)):
                    await self._more.wait()
        except TimeoutError:
            return []
        return found

    async def watch(self, since: int = 0) -> AsyncIterator[Received]:
        """Every request after `since` as it arrives; never ends."""
        while True:
            while not (found := self.after(since)):
                await self._more.wait()
            for request in found:
                since = request.number
                yield request

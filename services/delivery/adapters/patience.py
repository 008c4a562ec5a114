"""Waiting for a call to AWS to succeed or for a time to come, until the process is told to stop."""

import asyncio
from collections.abc import Awaitable, Callable

from services.delivery.errors import Unavailable
from telemetry.log import logger

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
"""Between two tries; doubled each time."""


class Stopping(Exception):
    """The process was told to stop; what is in hand is to be released."""


class Patience:
    """Ends every wait when the process is told to stop."""

    def __init__(self) -> None:
        self._stop = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the process was told to stop."""
        return self._stop.is_set()

    def end(self) -> None:
        """The process is to stop."""
        self._stop.set()

    async def wait(self, delay_s: float) -> None:
        """Waits.

        Raises:
            Stopping: now or before the time has come.
        """
        try:
            async with asyncio.timeout(delay_s):
                await self._stop.wait()
        except TimeoutError:
            return
        raise Stopping

    async def insist[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` returns, once it succeeds.

        Raises:
            Stopping: before it did.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return await call()
            except Unavailable as error:
                logger().warning(
                    "delivery.aws_unavailable", cause=type(error).__name__, delay_s=pause_s, exc_info=error
                )
            await self.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

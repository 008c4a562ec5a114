"""Entries of many sessions, gathered into batches of ten."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from services.transcribe.ports import Answer, refused
from telemetry.log import logger

MAX_ENTRIES = 10
"""SQS and EventBridge: entries of one request."""
MAX_BYTES = 240_000
"""Of one request; SQS and EventBridge take 256 KB at least."""
WAIT_S = 0.02
"""How long the first entry waits for others, while a request is under way; else it goes at once."""
MAX_REQUESTS = 16
"""Requests under way at once."""


@dataclass(frozen=True, slots=True)
class _Entry[T]:
    body: T
    size: int
    done: Callable[[Answer], None]


class Batches[T]:
    """Hands batches to `send`; each entry's answer goes to its `done`.

    A session has at most one entry under way, so that what waits here is bounded by the sessions.
    """

    def __init__(self, name: str, send: Callable[[Sequence[T]], Awaitable[list[Answer]]]) -> None:
        self._name = name
        self._send = send
        self._waiting: deque[_Entry[T]] = deque()
        self._arrived = asyncio.Event()
        self._slots = asyncio.Semaphore(MAX_REQUESTS)
        self._under_way = 0

    def submit(self, body: T, size: int, done: Callable[[Answer], None]) -> None:
        """Adds an entry of `size` bytes."""
        self._waiting.append(_Entry(body, size, done))
        self._arrived.set()

    async def run(self) -> None:
        """Sends until it is cancelled."""
        async with asyncio.TaskGroup() as requests:
            while True:
                await self._arrived.wait()
                if self._under_way and len(self._waiting) < MAX_ENTRIES:
                    await asyncio.sleep(WAIT_S)
                await self._slots.acquire()
                self._under_way += 1
                requests.create_task(self._deliver(self._take()))
                if not self._waiting:
                    self._arrived.clear()

    def _take(self) -> list[_Entry[T]]:
        batch: list[_Entry[T]] = []
        size = 0
        while self._waiting and len(batch) < MAX_ENTRIES:
            if batch and size + self._waiting[0].size > MAX_BYTES:
                break
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        return batch

    async def _answers(self, bodies: Sequence[T]) -> list[Answer]:
        """Of a request that is refused for what it holds, each entry is sent alone: one is at fault."""
        answers = await self._send(bodies)
        if not answers[0].of_content:
            return answers
        if len(bodies) == 1:
            return [replace(answers[0], rejected=True)]
        return [answer for body in bodies for answer in await self._answers([body])]

    async def _deliver(self, batch: list[_Entry[T]]) -> None:
        try:
            answered = list(zip(batch, await self._answers([entry.body for entry in batch]), strict=True))
        except Exception as error:  # noqa: BLE001 -- one request must not take the process with it
            logger().error("transcribe.batch_broke", kind=self._name, exc_info=error)
            answered = [(entry, refused(error)) for entry in batch]
        finally:
            self._under_way -= 1
            self._slots.release()
        for entry, answer in answered:
            if not answer.accepted:
                logger().warning(
                    "transcribe.entry_not_accepted",
                    kind=self._name,
                    reason=answer.reason,
                    action="given_up" if answer.rejected else "retry",
                )
            entry.done(answer)

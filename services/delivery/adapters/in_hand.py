"""The messages in hand: invisible to other processes until they are deleted or let go."""

import asyncio
import time
from collections.abc import Iterable

from services.delivery.adapters.transcript_queue import BATCH, TranscriptQueue
from services.delivery.errors import QueueUnavailable
from telemetry.log import logger

EXTEND_BELOW = 7 / 12
"""Of the visibility: of 60 s longer than a request and a few calls to AWS may take."""
LOOK_EVERY = 1 / 12
"""Of the visibility."""
DELETERS = 4
"""Calls under way at once; under load each takes what has gathered, up to `BATCH`."""
DELETE_ATTEMPTS = 3
MAX_HELD = 10_000
"""Messages; a waiting session keeps up to `BATCH`. SQS allows 120,000 in flight per queue."""


class Lapsed(Exception):
    """The lock on a message was lost: another process may have its session."""


class InHand:
    """Holds messages by their receipts."""

    def __init__(self, queue: TranscriptQueue) -> None:
        self._queue = queue
        self._visibility_s = queue.visibility_s
        self._until_s: dict[str, float] = {}
        self._finished: asyncio.Queue[str] = asyncio.Queue()

    def hold(self, receipt: str, since_s: float) -> None:
        """Keeps a message in hand that was asked for at `since_s` (monotonic)."""
        self._until_s[receipt] = since_s + self._visibility_s

    def holds(self, receipt: str) -> bool:
        """Whether no other process can have the message: its lock still stands.

        A process that slept longer than its locks wakes up with messages that another has delivered since.
        """
        return self._until_s.get(receipt, 0.0) > time.monotonic()

    def must_hold(self, receipt: str) -> None:
        """Does nothing while `holds`.

        Raises:
            Lapsed: it does not.
        """
        if not self.holds(receipt):
            raise Lapsed

    def forget(self, receipt: str) -> None:
        """The receipt is of no use any more."""
        self._until_s.pop(receipt, None)

    def finish(self, receipt: str) -> None:
        """The message will be deleted soon."""
        self._finished.put_nowait(receipt)

    @property
    def has_room(self) -> bool:
        """Whether another batch may be taken in hand."""
        return len(self._until_s) <= MAX_HELD - BATCH

    async def release(self, receipts: Iterable[str], *, for_later: bool = False) -> None:
        """Lets messages go: another process has them at once, in order.

        With `for_later` after a third of the visibility: this process would only have them again.
        """
        after_s = max(1, self._visibility_s // 3) if for_later else 0
        for batch in _batches(receipts):
            for receipt in batch:
                self.forget(receipt)
            try:
                await self._queue.set_visibility(batch, after_s)
            except QueueUnavailable as error:
                logger().warning("delivery.release_failed", count=len(batch), exc_info=error)

    async def run(self) -> None:
        """Extends and deletes until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._extend())
            for _ in range(DELETERS):
                tasks.create_task(self._delete())

    async def drain(self) -> None:
        """Waits until all that is finished is deleted."""
        await self._finished.join()

    async def _extend(self) -> None:
        while True:
            await asyncio.sleep(self._visibility_s * LOOK_EVERY)
            now_s = time.monotonic()
            before_s = now_s + self._visibility_s * EXTEND_BELOW
            due = [receipt for receipt, until_s in self._until_s.items() if until_s < before_s]
            for batch in _batches(due):
                await self._extend_batch(batch)

    async def _extend_batch(self, receipts: list[str]) -> None:
        began_s = time.monotonic()
        try:
            lost = await self._queue.set_visibility(receipts, self._visibility_s)
        except QueueUnavailable as error:
            logger().warning("delivery.extend_failed", count=len(receipts), exc_info=error)
            return
        if lost:
            logger().warning("delivery.messages_lost", count=len(lost))
        for receipt in lost:
            if receipt in self._until_s:
                self._until_s[receipt] = 0.0  # and whoever works with it will know
        for receipt in set(receipts).difference(lost):
            if receipt in self._until_s:
                self.hold(receipt, began_s)

    async def _delete(self) -> None:
        while True:
            batch = [await self._finished.get()]
            while len(batch) < BATCH and not self._finished.empty():
                batch.append(self._finished.get_nowait())
            await self._delete_batch(batch)
            for receipt in batch:
                self.forget(receipt)
                self._finished.task_done()

    async def _delete_batch(self, receipts: list[str]) -> None:
        """What stays is received again, and dropped then: it is not above the mark."""
        for attempt in range(1, DELETE_ATTEMPTS + 1):
            try:
                stayed = await self._queue.delete(receipts)
            except QueueUnavailable as error:
                logger().warning(
                    "delivery.delete_failed", attempt=attempt, count=len(receipts), exc_info=error
                )
                continue
            if stayed:
                logger().warning("delivery.delete_failed", count=stayed)
            return


def _batches(receipts: Iterable[str]) -> list[list[str]]:
    every = list(receipts)
    return [every[i : i + BATCH] for i in range(0, len(every), BATCH)]

"""A session's reader: one body at a time, read while the session wants it."""

import asyncio
from collections.abc import Callable

from services.ingest.commands import Command
from services.ingest.errors import MediaFailure
from services.ingest.ports import MediaStreams
from services.ingest.session import Session
from telemetry.log import logger

type Step = Callable[[Callable[[float], list[Command]]], None]
"""Calls the core with the time, and performs what it says."""


class BodyReader:
    """Its tasks are of `tasks`; what an older body still brings is dropped."""

    def __init__(
        self, tasks: asyncio.TaskGroup, streams: MediaStreams, stream_arn: str, session: Session, step: Step
    ) -> None:
        self._tasks = tasks
        self._streams = streams
        self._stream_arn = stream_arn
        self._session = session
        self._step = step
        self._number = 0
        """Of the present body."""
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()

    def open(self, start_ms: int) -> None:
        """Another body in place of the present one."""
        before = self._task
        self.close()
        self._task = self._tasks.create_task(self._read(start_ms, self._number, before))

    def close(self) -> None:
        """No body."""
        self._number += 1
        if self._task is not None:
            self._task.cancel()

    def look(self) -> None:
        """The session may want more now, or nothing for a while."""
        if self._session.wants_media:
            self._wanted.set()
        else:
            self._wanted.clear()

    async def _read(self, start_ms: int, number: int, before: asyncio.Task[None] | None) -> None:
        """Reads body `number` once the one before is closed: a stream allows three connections at a time."""
        if before is not None:
            await asyncio.wait((before,))
        session = self._session
        try:
            async with self._streams.open(self._stream_arn, start_ms) as body:
                self._tell(number, session.media_opened)
                data = b""

                def hear(now: float) -> list[Command]:
                    return session.media(data, now)

                while True:
                    if not session.wants_media:
                        await self._wanted.wait()
                    data = await body.read() if number == self._number else b""
                    if not data:
                        break
                    self._tell(number, hear)
        except MediaFailure as failure:
            fault = failure.fault
            logger().debug("ingest.media_failed", reason=fault.value, exc_info=failure)
            self._tell(number, lambda now: session.media_failed(fault, now))
        else:
            self._tell(number, session.media_ended)

    def _tell(self, number: int, step: Callable[[float], list[Command]]) -> None:
        if number == self._number:
            self._step(step)

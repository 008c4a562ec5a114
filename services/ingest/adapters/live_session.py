"""A session's shell: performs the commands of its core, and brings it what the world says."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from contracts.audio import SAMPLE_RATE_HZ, SAMPLES_PER_MS, STEREO_SAMPLE_BYTES
from contracts.link import AudioChunk, FromTranscribe, Release
from contracts.metrics import INGEST_LAG
from services.ingest.adapters.body_reader import BodyReader
from services.ingest.commands import (
    CloseMedia,
    Command,
    Count,
    FindPeer,
    Finish,
    LeavePeer,
    Log,
    OpenMedia,
    Send,
    SendAudio,
)
from services.ingest.lease import Lease, Request
from services.ingest.limits import Limits
from services.ingest.ports import Link, Links, MediaStreams
from services.ingest.pulse import Pulse
from services.ingest.session import Session
from telemetry.log import logger
from telemetry.metrics import Metrics

LAG_EVERY_SAMPLES: Final = SAMPLE_RATE_HZ
"""One value of `IngestLag` per second of a call."""


class LiveSession:
    """Await `run`; meanwhile call `tick` at `deadline` and `release` when the process stops."""

    def __init__(
        self,
        request: Request,
        session: Session,
        streams: MediaStreams,
        links: Links,
        metrics: Metrics,
        *,
        limits: Limits,
        pulse: Pulse,
    ) -> None:
        detail = request.detail
        self._loop = asyncio.get_running_loop()
        self.request = request
        self._limits = limits
        self._pulse = pulse
        self._held_from = self._loop.time()
        """When the request was received, or given to the present peer; the later of both."""
        self.lease = Lease(self._held_from, limits)
        self._session = session
        self._links = links
        self._metrics = metrics
        self._log = logger(contact_id=detail.contact_id, session_id=detail.session_id)
        self._link: tuple[Link, int] | None = None
        self._tasks = asyncio.TaskGroup()
        self._body = BodyReader(self._tasks, streams, detail.media.stream_arn, session, self._step)
        self._finished: asyncio.Future[Finish] = self._loop.create_future()
        self._next_lag_at = 0
        self.deadline: float | None = None
        """When `tick` must be called, in the loop's time; None also once it is over."""
        self._perform = {
            SendAudio: self._send_audio,
            Send: self._send,
            Count: self._count,
            Log: self._write_log,
            FindPeer: self._find_peer,
            LeavePeer: self._leave_peer,
            OpenMedia: self._open_media,
            CloseMedia: self._close_media,
            Finish: self._finish,
        }

    @property
    def is_left(self) -> bool:
        """Whether it is over here, with its request in other hands."""
        over = self._finished.done() and self._finished.exception() is None
        return over and self._finished.result().disposition == "leave"

    async def run(self) -> Finish:
        """Serves the session to its end; says what becomes of its request.

        Raises:
            Exception: a fault of ours; the request shows itself to others when its visibility ends.
        """
        try:
            async with self._tasks:
                self._step(self._session.start)
                finish = await self._finished
                self._close_media()
        except BaseException:
            self._abandon()
            raise
        return finish

    def renew(self, request: Request) -> None:
        """The same message, received again: only its newest receipt handle is sure to work."""
        self.request = request
        self._session.renew(request)
        self._held_from = self._loop.time()
        self.lease = Lease(self._held_from, self._limits)

    def tick(self) -> None:
        """What became due."""
        self._step(self._session.tick)

    def release(self) -> None:
        """Gives the session up for a successor."""
        self._step(self._session.release)

    def receive(self, frame: FromTranscribe) -> None:
        """From the link."""
        self._step(lambda now: self._session.receive(frame, now))

    def link_lost(self, *, given_up: bool) -> None:
        """From the link."""
        self._link = None
        given_away = given_up and self._pulse.slept_since(self._held_from, self._loop.time())
        self._step(lambda now: self._session.link_lost(now, given_away=given_away))

    def _step(self, step: Callable[[float], list[Command]]) -> None:
        """One call of the core; a fault in it ends this session, and no other."""
        if self._finished.done():
            return
        try:
            for command in step(self._loop.time()):
                self._perform[type(command)](command)  # pyright: ignore[reportArgumentType]  # by its type
        except Exception as error:  # noqa: BLE001  # handed to `run`, which raises it
            if not self._finished.done():
                self._finished.set_exception(error)
        self.deadline = None if self._finished.done() else self._session.deadline
        self._body.look()

    # -- commands

    def _send_audio(self, command: SendAudio) -> None:
        if self._link is None:
            return
        link, handle = self._link
        link.send_audio(AudioChunk(handle, command.position, command.pcm))
        if command.position >= self._next_lag_at and self._session.t0_ms is not None:
            self._next_lag_at = command.position + LAG_EVERY_SAMPLES
            end = command.position + len(command.pcm) // STEREO_SAMPLE_BYTES
            spoken_at_ms = self._session.t0_ms + end / SAMPLES_PER_MS
            self._metrics.observe(INGEST_LAG, time.time() * 1000 - spoken_at_ms)

    def _send(self, command: Send) -> None:
        if self._link is not None:
            self._link[0].send(command.frame)

    def _count(self, command: Count) -> None:
        self._metrics.count(command.metric, command.amount)

    def _write_log(self, command: Log) -> None:
        getattr(self._log, command.level)(command.event, **command.keys)

    def _find_peer(self, _: FindPeer) -> None:
        self._leave_peer()
        self._link = self._links.assign(self)
        if self._link is None:
            self._step(self._session.no_peer)
        else:
            handle = self._link[1]
            self._held_from = self._loop.time()
            self._step(lambda now: self._session.assigned(handle, now))

    def _leave_peer(self, _: LeavePeer | None = None) -> None:
        if self._link is not None:
            link, handle = self._link
            link.leave(handle)
            self._link = None

    def _abandon(self) -> None:
        """The peer must not wait for what will not come."""
        if self._link is not None:
            link, handle = self._link
            link.send(Release(handle=handle))
        self._leave_peer()

    def _open_media(self, command: OpenMedia) -> None:
        self._body.open(command.start_ms)

    def _close_media(self, _: CloseMedia | None = None) -> None:
        self._body.close()

    def _finish(self, command: Finish) -> None:
        self._finished.set_result(command)

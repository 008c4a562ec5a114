"""The ingest process: requests in, sessions served, everything held by one TaskGroup."""

import asyncio
import random
import signal
import time
from contextlib import AbstractAsyncContextManager
from typing import Final

from aws.link_secrets import LinkSecrets, link_secrets
from contracts.metrics import SESSIONS_LIVE
from services.ingest.adapters.dial import tls_offers
from services.ingest.adapters.heap import give_back
from services.ingest.adapters.kinesis_video import KinesisVideo
from services.ingest.adapters.links import TranscribeLinks
from services.ingest.adapters.live_session import LiveSession
from services.ingest.adapters.pcm_decoder import PcmDecoder
from services.ingest.adapters.request_queue import RequestQueue
from services.ingest.adapters.shared_media import SharedMedia
from services.ingest.errors import QueueFailure
from services.ingest.lease import VISIBILITY_S, Extend, HandOver, Request
from services.ingest.limits import Limits
from services.ingest.ports import Links, MediaStreams, Requests
from services.ingest.pulse import Pulse
from services.ingest.session import Session
from services.ingest.settings import Settings, process_name
from telemetry.health import Health, why
from telemetry.health.server import listening
from telemetry.log import logger
from telemetry.metrics import Metrics

BEAT_S: Final = 0.02
"""How exactly deadlines are kept."""
LEASES_EVERY_S: Final = 1.0
ROOM_EVERY_S: Final = 0.2
"""A full process, or one without a link, looks for room this often."""
QUEUE_RETRY_S: Final = 2.0
STOP_WITHIN_S: Final = 15.0
"""For a long poll, and to release sessions; requests that AWS is not told of show themselves again."""
TIDY_EVERY: Final = 50
"""After so many new sessions the memory that their beginning took is given back (some milliseconds)."""


async def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT, then releases its sessions."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    streams = KinesisVideo(read_timeout_s=settings.media_read_timeout_s, max_bodies=settings.max_sessions)
    health = Health()
    metrics = Metrics("ingest", stack=settings.stack)
    async with (
        listening(health, settings.health_host, settings.health_port),
        streams,
        RequestQueue(settings.session_requests_queue_url) as queue,
        _link_secrets(settings, metrics, health) as shared,
    ):
        links = TranscribeLinks(settings.transcribe_endpoints, tls_offers(shared), process_name())
        shared_media = SharedMedia(streams)
        ingest = Ingest(settings, shared_media, queue, links, settings.limits, health=health, metrics=metrics)
        await ingest.run(stop)


def _link_secrets(
    settings: Settings, metrics: Metrics, health: Health
) -> AbstractAsyncContextManager[LinkSecrets]:
    static = settings.link_secret.get_secret_value() if settings.link_secret else None
    every_s = settings.link_secret_refresh_s
    return link_secrets(static, settings.link_secret_id, every_s, metrics=metrics, health=health)


class Ingest:
    """The sessions of one process."""

    def __init__(
        self,
        settings: Settings,
        streams: MediaStreams,
        queue: Requests,
        links: Links,
        limits: Limits,
        *,
        health: Health | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._health = health or Health()
        self._settings = settings
        self._limits = limits
        self._streams = streams
        self._queue = queue
        self._links = links
        self._metrics = metrics or Metrics("ingest", stack=settings.stack)
        self._live: dict[str, LiveSession] = {}
        """By message id."""
        self._emptied = asyncio.Event()
        self._begun = 0
        """Sessions since memory was given back."""
        self._pulse = Pulse(asyncio.get_running_loop().time())

    async def run(self, stop: asyncio.Event) -> None:
        """Serves until `stop` is set and the last session is over."""
        self._health.ready_unless(lambda: "draining" if stop.is_set() else self._no_room())
        try:
            async with asyncio.timeout(None) as limit:
                await self._work(stop, limit)
        except TimeoutError:
            logger().warning("ingest.stop_cut_short", sessions=len(self._live))
        self._metrics.flush(_now_ms())
        logger().info("ingest.stopped")

    async def _work(self, stop: asyncio.Event, limit: asyncio.Timeout) -> None:
        async with asyncio.TaskGroup() as tasks:
            supporting = [
                tasks.create_task(work)
                for work in (self._links.run(), self._beat(), self._keep_leases(), self._report())
            ]
            receiving = tasks.create_task(self._receive(stop, tasks))
            logger().info("ingest.ready", limit=self._settings.max_sessions)
            await stop.wait()
            limit.reschedule(asyncio.get_running_loop().time() + STOP_WITHIN_S)
            logger().info("ingest.stopping", sessions=len(self._live))
            self._release_all()
            await receiving
            while self._live:
                self._emptied.clear()
                await self._emptied.wait()
            for task in supporting:
                task.cancel()

    def _no_room(self) -> str | None:
        """Why no request is received now."""
        if len(self._live) >= self._settings.max_sessions:
            return f"full: {len(self._live)} of {self._settings.max_sessions} sessions"
        return None if self._links.ready else "no transcribe peer answers"

    async def _receive(self, stop: asyncio.Event, tasks: asyncio.TaskGroup) -> None:
        while not stop.is_set():
            self._health.goes_round("receiving requests")
            room = self._settings.max_sessions - len(self._live) if self._links.ready else 0
            if room <= 0:
                await _first_of(stop, ROOM_EVERY_S)
                continue
            try:
                requests = await self._queue.receive(room)
            except QueueFailure as failure:
                self._health.failing("queue", why(failure))
                logger().warning("ingest.queue_failed", exc_info=failure)
                await _first_of(stop, QUEUE_RETRY_S)
                continue
            self._health.works("queue")
            for request in requests:
                if stop.is_set():
                    await self._put_back(request)
                elif not self._is_served(request):
                    tasks.create_task(self._serve(self._live_session(request)))
        self._health.over("receiving requests")

    async def _put_back(self, request: Request) -> None:
        try:
            await self._queue.put_back(request, 0)
        except QueueFailure as failure:
            logger().warning("ingest.request_not_settled", message_id=request.message_id, exc_info=failure)

    def _is_served(self, request: Request) -> bool:
        """Whether it is the message of a session that lives here, come again after its visibility ended."""
        live = self._live.get(request.message_id)
        if live is None or live.is_left:
            return False
        live.renew(request)
        return True

    def _live_session(self, request: Request) -> LiveSession:
        session = Session(request, self._limits, PcmDecoder, random.random())  # noqa: S311  # spreads retries
        live = LiveSession(
            request,
            session,
            self._streams,
            self._links,
            self._metrics,
            limits=self._limits,
            pulse=self._pulse,
        )
        self._live[request.message_id] = live
        self._begun += 1
        return live

    async def _serve(self, live: LiveSession) -> None:
        request = live.request
        log = logger(session_id=request.detail.session_id, contact_id=request.detail.contact_id)
        log.info("ingest.session_requested", message_id=request.message_id)
        try:
            try:
                finish = await live.run()
            finally:  # from here on the message, received again, is a new session's
                if self._live[request.message_id] is live:
                    del self._live[request.message_id]
                self._emptied.set()
            match finish.disposition:
                case "delete":
                    await self._queue.delete(live.request)
                case "put_back":
                    await self._queue.put_back(live.request, finish.delay_s)
                case "leave":
                    pass
        except QueueFailure as failure:
            log.warning("ingest.request_not_settled", message_id=request.message_id, exc_info=failure)
        except Exception as error:  # one session's fault must not end the others
            # The request shows itself to a successor when its visibility ends.
            log.exception("ingest.session_crashed", message_id=request.message_id, exc_info=error)

    async def _beat(self) -> None:
        """Keeps the deadlines of all sessions; one timer per session would cost more."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(BEAT_S)
            now = loop.time()
            self._pulse.beat(now)
            for live in list(self._live.values()):
                deadline = live.deadline
                if deadline is not None and deadline <= now:
                    live.tick()

    async def _keep_leases(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LEASES_EVERY_S)
            due: list[LiveSession] = []
            for live in list(self._live.values()):
                match live.lease.decide(loop.time()):
                    case Extend():
                        due.append(live)
                    case HandOver():
                        live.release()
                    case None:
                        pass
            # One that ends while the others' are extended is settled already: it must not be hidden again.
            held = (live.request for live in due if self._live.get(live.request.message_id) is live)
            await self._queue.extend(held, VISIBILITY_S)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._settings.metrics_every_s)
            self._metrics.gauge(SESSIONS_LIVE, len(self._live))
            self._metrics.flush(_now_ms())
            if self._begun >= TIDY_EVERY:
                self._begun = 0
                give_back()

    def _release_all(self) -> None:
        for live in list(self._live.values()):
            live.release()


async def _first_of(stop: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await stop.wait()
    except TimeoutError:
        return


def _now_ms() -> int:
    return round(time.time() * 1000)

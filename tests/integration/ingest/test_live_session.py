"""A session's shell, between a link that keeps what it is given and streams that are never read."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

from contracts.link import AudioChunk, ClosedSession, FromIngest, Open
from services.ingest.adapters.live_session import LiveSession
from services.ingest.limits import Limits
from services.ingest.ports import Link, LinkUser, MediaBody
from services.ingest.session import Session
from telemetry.metrics import Metrics
from tests.unit.ingest.played import request
from tests.unit.ingest.test_call_audio import PlainDecoder


class Peer:
    """As `ports.Link` and `ports.Links`: the only peer there is."""

    ready = True

    def __init__(self) -> None:
        self.sent: list[FromIngest] = []
        self.opened = asyncio.Semaphore(0)

    async def run(self) -> None:
        """Needs nothing."""

    def assign(self, user: LinkUser) -> tuple[Link, int]:
        del user
        return self, 1

    def send(self, frame: FromIngest) -> None:
        self.sent.append(frame)
        if isinstance(frame, Open):
            self.opened.release()

    def send_audio(self, chunk: AudioChunk) -> None:
        raise AssertionError(chunk)

    def leave(self, handle: int) -> None:
        assert handle == 1


class NoStreams:
    """As `ports.MediaStreams`."""

    @asynccontextmanager
    async def open(self, stream_arn: str, start_ms: int) -> AsyncGenerator[MediaBody]:
        raise AssertionError((stream_arn, start_ms))
        yield


async def test_a_message_received_again_gives_the_next_peer_its_newest_receipt_handle() -> None:
    peer, limits = Peer(), Limits()
    session = Session(request(), limits, PlainDecoder, 0.0)
    metrics = Metrics("ingest", stack="test")
    live = LiveSession(request(), session, NoStreams(), peer, metrics, limits=limits)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run())
        await peer.opened.acquire()
        live.renew(replace(request(), receipt_handle="receipt-2"))
        live.link_lost()
        await peer.opened.acquire()
        live.receive(ClosedSession(handle=1, disposition="leave", reason="over"))
    assert [opened.receipt_handle for opened in peer.sent if isinstance(opened, Open)] == [
        "receipt-1",
        "receipt-2",
    ]
    assert running.result().reason == "over"

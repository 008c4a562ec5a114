"""A session's shell, between a link that keeps what it is given and streams that are never read."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from contracts.link import AudioChunk, ClosedSession, FromIngest, Open
from services.ingest.adapters.live_session import LiveSession
from services.ingest.commands import Finish
from services.ingest.limits import Limits
from services.ingest.ports import Link, LinkUser, MediaBody
from services.ingest.pulse import GIVEN_AWAY_AFTER_S, Pulse
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

    @property
    def receipts(self) -> list[str]:
        return [frame.receipt_handle for frame in self.sent if isinstance(frame, Open)]

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


@asynccontextmanager
async def living(pulse: Pulse, peer: Peer) -> AsyncGenerator[tuple[LiveSession, asyncio.Task[Finish]]]:
    """A session that was opened at the peer; it must be over at the end."""
    limits = Limits()
    session = Session(request(), limits, PlainDecoder, 0.0)
    metrics = Metrics("ingest", stack="test")
    live = LiveSession(request(), session, NoStreams(), peer, metrics, limits=limits, pulse=pulse)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run())
        await peer.opened.acquire()
        yield live, running


def awake() -> Pulse:
    return Pulse(asyncio.get_running_loop().time())


def slept(pulse: Pulse) -> None:
    """As of a process that fell asleep just now, and woke up when transcribe had given its requests away."""
    now = asyncio.get_running_loop().time()
    pulse.beat(now)
    pulse.beat(now + 1.1 * GIVEN_AWAY_AFTER_S)


async def test_a_message_received_again_gives_the_next_peer_its_newest_receipt_handle() -> None:
    peer = Peer()
    async with living(awake(), peer) as (live, running):
        live.renew(replace(request(), receipt_handle="receipt-2"))
        live.link_lost(given_up=False)
        await peer.opened.acquire()
        live.receive(ClosedSession(handle=1, disposition="leave", reason="over"))
    assert peer.receipts == ["receipt-1", "receipt-2"]
    assert running.result().reason == "over"


async def test_a_process_that_slept_leaves_its_sessions_to_those_who_have_them() -> None:
    pulse, peer = awake(), Peer()
    async with living(pulse, peer) as (live, running):
        slept(pulse)
        live.link_lost(given_up=True)
        assert live.is_left
    assert running.result() == Finish("leave", "slept")
    assert peer.receipts == ["receipt-1"]


@pytest.mark.parametrize("why", ["awake", "peer_died", "received_again"])
async def test_a_session_that_nobody_else_can_have_is_opened_again_at_once(why: str) -> None:
    pulse, peer = awake(), Peer()
    async with living(pulse, peer) as (live, _):
        if why != "awake":
            slept(pulse)
        if why == "received_again":
            live.renew(replace(request(), receipt_handle="receipt-2"))
        live.link_lost(given_up=why != "peer_died")
        await peer.opened.acquire()
        assert not live.is_left
        live.receive(ClosedSession(handle=1, disposition="leave", reason="over"))
    assert len(peer.receipts) == 2

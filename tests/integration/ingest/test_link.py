"""The link against a real websocket server: who is let in, what travels, what happens when it dies."""

import asyncio
import contextlib
import itertools
import ssl
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from websockets.frames import CloseCode

from contracts.events import SessionRequested
from contracts.link import (
    AudioChunk,
    Credit,
    Draining,
    End,
    FromTranscribe,
    Open,
    OpenedSession,
    Refusal,
    Refused,
    Started,
)
from services.ingest.adapters.dial import dial, tls_offers
from services.ingest.adapters.link import TranscribeLink
from services.ingest.adapters.links import Address, TranscribeLinks
from services.ingest.errors import LinkFailed
from services.ingest.settings import Endpoint
from tests.integration.ingest.transcribe_peer import SECRET, WAIT_S, TranscribePeer, transcribe_peer
from tests.unit.ingest.played import request

REQUEST: SessionRequested = request().detail


class User:
    """A session that only listens."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[FromTranscribe] = asyncio.Queue()
        self.lost = asyncio.Event()
        self.given_up: bool | None = None

    def receive(self, frame: FromTranscribe) -> None:
        self.frames.put_nowait(frame)

    def link_lost(self, *, given_up: bool) -> None:
        self.given_up = given_up
        self.lost.set()

    async def next(self) -> FromTranscribe:
        async with asyncio.timeout(WAIT_S):
            return await self.frames.get()


@contextlib.asynccontextmanager
async def linked(port: int, secret: str = SECRET) -> AsyncGenerator[TranscribeLink]:
    async with (
        dial("127.0.0.1", port, tls_offers(lambda: [secret])(0), "ingest-test") as link,
        asyncio.TaskGroup() as tasks,
    ):
        running = tasks.create_task(link.run())
        yield link
        running.cancel()


@contextlib.asynccontextmanager
async def all_links(*peers: TranscribePeer) -> AsyncGenerator[TranscribeLinks]:
    endpoints = [Endpoint("localhost", peer.port) for peer in peers]
    links = TranscribeLinks(endpoints, tls_offers(lambda: [SECRET]), "ingest-test")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(links.run())
        yield links
        running.cancel()


async def opened(links: TranscribeLinks, count: int = 1) -> None:
    async with asyncio.timeout(WAIT_S):
        await links.until_open(count)


def opening(handle: int) -> Open:
    return Open(handle=handle, request=REQUEST, message_id="m", receipt_handle="r")


async def test_a_session_is_opened_and_its_audio_arrives_in_order(peer: TranscribePeer) -> None:
    async with linked(peer.port) as link:
        user = User()
        handle = link.join(user)
        link.send(opening(handle))
        assert isinstance(await user.next(), OpenedSession)
        assert isinstance(await user.next(), Credit)
        link.send(Started(handle=handle, t0_ms=5))
        for number in range(20):
            link.send_audio(AudioChunk(handle, number * 800, bytes([number]) * 3200))
        link.send(End(handle=handle, position_samples=16_000, reason="idle"))
        await peer.until(lambda: peer.sessions and peer.sessions[0].of(End))
        [heard] = peer.sessions
        assert [type(frame) for frame in heard.frames] == [Started, *[AudioChunk] * 20, End]
        assert heard.pcm == b"".join(bytes([number]) * 3200 for number in range(20))
        assert heard.opened.request == REQUEST


async def test_audio_of_all_sessions_travels_in_one_message_per_tick(peer: TranscribePeer) -> None:
    async with linked(peer.port) as link:
        users = [User() for _ in range(50)]
        handles = [link.join(user) for user in users]
        for handle in handles:
            link.send(opening(handle))
        for user in users:
            await user.next()
        for handle in handles:
            link.send_audio(AudioChunk(handle, 0, bytes(3200)))
        await peer.until(lambda: all(heard.pcm for heard in peer.sessions))
        assert peer.messages == 1


async def test_a_frame_for_a_session_that_left_is_dropped(peer: TranscribePeer) -> None:
    async with linked(peer.port) as link:
        left, stays = User(), User()
        handle = link.join(left)
        link.leave(handle)
        link.send(opening(handle))
        link.send(opening(link.join(stays)))
        assert isinstance(await stays.next(), OpenedSession)
        assert left.frames.empty()


async def test_a_peer_with_another_secret_is_refused(peer: TranscribePeer) -> None:
    with pytest.raises(LinkFailed):
        async with linked(peer.port, "x" * 32):
            pass
    assert peer.connections == []


@pytest.fixture
def certified(tmp_path: Path) -> ssl.SSLContext:
    """A server's context with a certificate, and without our key."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_peer_with_a_certificate_in_place_of_the_key_is_refused(certified: ssl.SSLContext) -> None:
    async with transcribe_peer(context=certified) as rogue:
        with pytest.raises(LinkFailed):
            async with linked(rogue.port):
                pass
        assert rogue.connections == []


async def test_a_peer_without_a_common_version_is_refused(peer: TranscribePeer) -> None:
    peer.versions = (99,)
    with pytest.raises(LinkFailed, match="version"):
        async with linked(peer.port):
            pass


async def test_nobody_there_is_a_failed_link() -> None:
    async with transcribe_peer() as gone:
        port = gone.port
    with pytest.raises(LinkFailed):
        async with linked(port):
            pass


async def test_sessions_are_told_when_their_link_dies(peer: TranscribePeer) -> None:
    async with linked(peer.port) as link:
        user = User()
        link.join(user)
        await peer.until_linked()
        peer.connections[0].transport.abort()
        async with asyncio.timeout(WAIT_S):
            await user.lost.wait()
        assert user.given_up is False
        assert not link.takes_sessions(0)


async def test_sessions_are_told_that_their_peer_lives_and_took_us_for_dead(peer: TranscribePeer) -> None:
    async with linked(peer.port) as link:
        user = User()
        link.join(user)
        await peer.until_linked()
        await peer.connections[0].close(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")
        async with asyncio.timeout(WAIT_S):
            await user.lost.wait()
    assert user.given_up is True


async def test_a_silent_peer_is_dead_within_three_seconds(peer: TranscribePeer) -> None:
    async with linked(peer.port) as link:
        user = User()
        link.join(user)
        await peer.until_linked()
        peer.connections[0].transport.pause_reading()
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(WAIT_S):
            await user.lost.wait()
        assert 1.0 < asyncio.get_running_loop().time() - began < 3.0


@pytest.mark.parametrize("nonsense", ["{}", "nonsense", b"\x00" * 16])
async def test_a_peer_that_breaks_the_format_loses_the_link(
    peer: TranscribePeer, nonsense: str | bytes
) -> None:
    async with dial("127.0.0.1", peer.port, tls_offers(lambda: [SECRET])(0), "ingest-test") as link:
        user = User()
        link.join(user)
        await peer.until_linked()
        await peer.connections[0].send(nonsense)
        with pytest.raises(ExceptionGroup) as caught:
            await link.run()
    assert caught.group_contains(LinkFailed)
    assert user.lost.is_set()


async def test_sessions_go_to_the_peer_that_has_fewest(peer: TranscribePeer) -> None:
    async with transcribe_peer() as second, all_links(peer, second) as links:
        await opened(links, 2)
        ports: list[int] = []
        for _ in range(10):
            assigned = links.assign(User())
            assert assigned is not None
            ports.append(id(assigned[0]))
        assert sorted(ports.count(port) for port in set(ports)) == [5, 5]


async def test_a_full_peer_is_passed_over_until_it_has_room(peer: TranscribePeer) -> None:
    peer.answer = lambda frame: [
        Refused(handle=frame.handle, refusal=Refusal.FULL, explanation="", retry_after_s=60)
    ]
    async with all_links(peer) as links:
        await opened(links)
        user = User()
        assigned = links.assign(user)
        assert assigned is not None
        link, handle = assigned
        link.send(opening(handle))
        assert isinstance(await user.next(), Refused)
        assert links.assign(User()) is None
        assert not links.ready


async def test_a_draining_peer_gets_no_more_sessions(peer: TranscribePeer) -> None:
    async with all_links(peer) as links:
        await opened(links)
        user = User()
        assigned = links.assign(user)
        assert assigned is not None
        assigned[0].send(opening(assigned[1]))
        await peer.until(lambda: peer.sessions)
        await peer.send(Draining(), Credit(handle=assigned[1], until_samples=1))
        while not isinstance(frame := await user.next(), Credit) or frame.until_samples != 1:
            pass
        assert links.assign(User()) is None


async def test_a_lost_link_is_dialled_again(peer: TranscribePeer) -> None:
    async with all_links(peer) as links:
        await opened(links)
        user = User()
        assert links.assign(user) is not None
        peer.connections[0].transport.abort()
        async with asyncio.timeout(WAIT_S):
            await user.lost.wait()
        await peer.until_linked(2)
        await opened(links)
        assert links.ready


async def test_answers_of_the_name_service_are_added_up(peer: TranscribePeer) -> None:
    """Each names some of the processes only, as Cloud Map does."""
    async with transcribe_peer() as second, transcribe_peer() as third:
        answers = itertools.cycle([[peer], [], [second, third]])

        async def resolve(_host: str, _port: int) -> list[Address]:
            named = next(answers)
            if not named:
                raise OSError("no answer")
            return [Address("127.0.0.1", process.port) for process in named]

        links = TranscribeLinks(
            [Endpoint("transcribe", 1)],
            tls_offers(lambda: [SECRET]),
            "ingest-test",
            resolve=resolve,
            resolve_every_s=0.05,
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(links.run())
            await opened(links, 3)
            assert links.ready
            running.cancel()


async def test_a_normal_stop_closes_the_link_as_going_away_and_not_as_a_fault(peer: TranscribePeer) -> None:
    async with all_links(peer) as links:
        await opened(links)
    async with asyncio.timeout(WAIT_S):
        await peer.connections[0].wait_closed()
    assert peer.connections[0].close_code == 1001


async def test_a_peer_that_drains_refuses_and_another_is_tried(peer: TranscribePeer) -> None:
    peer.answer = lambda frame: [
        Refused(handle=frame.handle, refusal=Refusal.DRAINING, explanation="", retry_after_s=0)
    ]
    async with transcribe_peer() as second, all_links(peer, second) as links:
        await opened(links, 2)
        users = [User() for _ in range(4)]
        answers: list[FromTranscribe] = []
        for user in users:
            while True:
                assigned = links.assign(user)
                assert assigned is not None
                link, handle = assigned
                link.send(opening(handle))
                answers.append(await user.next())
                if isinstance(answers[-1], OpenedSession):
                    break
                link.leave(handle)
        assert [type(answer) for answer in answers].count(Refused) <= 1
        assert len(second.sessions) == 4

"""The leases of many sessions, between a queue and a link that keep what they are given."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from contracts.link import AudioChunk, ClosedSession, FromIngest, Open, Refusal, Refused
from services.ingest.lease import Request
from services.ingest.limits import Limits
from services.ingest.ports import Link, LinkUser
from services.ingest.service import Ingest
from services.ingest.settings import Endpoint, Settings
from tests.integration.ingest.test_live_session import NoStreams
from tests.integration.ingest.transcribe_peer import SECRET, WAIT_S
from tests.unit.ingest.played import request


class Peer:
    """As `ports.Link` and `ports.Links`: the only peer there is."""

    ready = True

    def __init__(self) -> None:
        self._users: list[LinkUser] = []
        self.opened: asyncio.Queue[Open] = asyncio.Queue()

    async def run(self) -> None:
        """Needs nothing."""

    def assign(self, user: LinkUser) -> tuple[Link, int]:
        self._users.append(user)
        return self, len(self._users) - 1

    def send(self, frame: FromIngest) -> None:
        if isinstance(frame, Open):
            self.opened.put_nowait(frame)

    def send_audio(self, chunk: AudioChunk) -> None:
        raise AssertionError(chunk)

    def leave(self, handle: int) -> None:
        assert self._users[handle]

    def say(self, frame: Refused | ClosedSession) -> None:
        self._users[frame.handle].receive(frame)


class Queue:
    """As `ports.Requests`; an extension takes the first request, and the others when one was put back."""

    def __init__(self) -> None:
        self.received: asyncio.Queue[list[Request]] = asyncio.Queue()
        self._put_back = asyncio.Event()
        self.extending: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
        self.extended: asyncio.Future[list[Request]] = asyncio.get_running_loop().create_future()

    async def receive(self, room: int) -> list[Request]:
        assert room
        return await self.received.get()

    async def extend(self, requests: Iterable[Request], visibility_s: int) -> None:
        assert visibility_s == 60
        turns = iter(requests)
        first = next(turns, None)
        if first is not None and not self.extending.done():
            self.extending.set_result(first)
            await self._put_back.wait()
            self.extended.set_result([first, *turns])

    async def delete(self, request: Request) -> None:
        raise AssertionError(request)

    async def put_back(self, request: Request, delay_s: int) -> None:
        assert request
        assert delay_s >= 0
        self._put_back.set()


@asynccontextmanager
async def serving(queue: Queue, peer: Peer, limits: Limits) -> AsyncGenerator[None]:
    """An ingest, which stops with the context."""
    settings = Settings.model_validate(
        {
            "session_requests_queue_url": "https://queue",
            "transcribe_endpoints": (Endpoint("127.0.0.1", 1),),
            "link_secret": SECRET,
        }
    )
    stop = asyncio.Event()
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(Ingest(settings, NoStreams(), queue, peer, limits).run(stop))
        yield
        stop.set()
        queue.received.put_nowait([])


async def test_a_session_that_was_put_back_meanwhile_is_not_hidden_again() -> None:
    queue, peer = Queue(), Peer()
    requests = [replace(request(), message_id=f"message-{number}") for number in range(3)]
    async with serving(queue, peer, Limits(extend_every_s=0, release_s=0)):
        queue.received.put_nowait(requests)
        handles = {frame.message_id: frame.handle for frame in [await peer.opened.get() for _ in requests]}
        first = await queue.extending
        over = next(each for each in requests if each != first)
        peer.say(Refused(handle=handles[over.message_id], refusal=Refusal.BUSY, explanation=""))
        extended = await queue.extended
    assert extended == [each for each in requests if each != over]


async def test_a_message_that_comes_again_while_its_session_is_left_begins_anew() -> None:
    queue, peer = Queue(), Peer()
    async with serving(queue, peer, Limits(release_s=0)):
        for number in range(2):
            queue.received.put_nowait([replace(request(), receipt_handle=f"receipt-{number}")])
            if number:
                peer.say(ClosedSession(handle=0, disposition="leave", reason="opened_again"))
            opened = await peer.opened.get()
            assert (opened.handle, opened.receipt_handle) == (number, f"receipt-{number}")

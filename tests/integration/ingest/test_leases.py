"""The leases of many sessions, between a queue and a link that keep what they are given."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

from contracts.link import AudioChunk, FromIngest, Open, Refusal, Refused
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
        self.opened: dict[str, tuple[LinkUser, int]] = {}
        """By message id."""

    async def run(self) -> None:
        """Needs nothing."""

    def assign(self, user: LinkUser) -> tuple[Link, int]:
        self._users.append(user)
        return self, len(self._users) - 1

    def send(self, frame: FromIngest) -> None:
        if isinstance(frame, Open):
            self.opened[frame.message_id] = self._users[frame.handle], frame.handle

    def send_audio(self, chunk: AudioChunk) -> None:
        raise AssertionError(chunk)

    def leave(self, handle: int) -> None:
        assert self._users[handle]

    def refuse(self, message_id: str) -> None:
        user, handle = self.opened[message_id]
        user.receive(Refused(handle=handle, refusal=Refusal.BUSY, explanation=""))


class Queue:
    """As `ports.Requests`; an extension takes the first request, and the others when one was put back."""

    def __init__(self, requests: list[Request], stop: asyncio.Event) -> None:
        self._requests = requests
        self._stop = stop
        self._put_back = asyncio.Event()
        self.extending: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
        self.extended: asyncio.Future[list[Request]] = asyncio.get_running_loop().create_future()

    async def receive(self, room: int) -> list[Request]:
        requests, self._requests = self._requests[:room], self._requests[room:]
        if not requests:
            await self._stop.wait()
        return requests

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


async def test_a_session_that_was_put_back_meanwhile_is_not_hidden_again() -> None:
    stop = asyncio.Event()
    requests = [replace(request(), message_id=f"message-{number}") for number in range(3)]
    queue, peer = Queue(requests, stop), Peer()
    settings = Settings.model_validate(
        {
            "session_requests_queue_url": "https://queue",
            "transcribe_endpoints": (Endpoint("127.0.0.1", 1),),
            "link_secret": SECRET,
        }
    )
    limits = Limits(extend_every_s=0, release_s=0)
    async with asyncio.timeout(WAIT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(Ingest(settings, NoStreams(), queue, peer, limits).run(stop))
        first = await queue.extending
        over = next(each for each in requests if each != first)
        peer.refuse(over.message_id)
        extended = await queue.extended
        stop.set()
    assert extended == [each for each in requests if each != over]

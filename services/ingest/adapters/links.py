"""The links to all transcribe processes that the endpoints' names resolve to."""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from services.ingest.adapters.dial import Offers, dial
from services.ingest.adapters.link import TranscribeLink
from services.ingest.errors import LinkFailed
from services.ingest.ports import LinkUser
from services.ingest.redial import redial_s
from services.ingest.settings import Endpoint
from telemetry.log import logger


@dataclass(frozen=True, slots=True)
class Address:
    """One transcribe process."""

    host: str
    port: int


RESOLVE_EVERY_S: Final = 5.0
"""Cloud Map gives at most 8 addresses per answer, others each time: answers are added up."""

type Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
"""The addresses that a name has now; OSError when nobody answers."""
FORGET_AFTER_S: Final = 60.0
"""An address that no answer names any more and that does not answer is given up."""
MAX_ADDRESSES: Final = 256


class TranscribeLinks:
    """Run `run`; it ends when it is cancelled."""

    def __init__(
        self,
        endpoints: Sequence[Endpoint],
        offers: Offers,
        name: str,
        *,
        resolve: Resolve | None = None,
        resolve_every_s: float = RESOLVE_EVERY_S,
    ) -> None:
        self._endpoints = endpoints
        self._resolved = resolve or resolved
        self._resolve_every_s = resolve_every_s
        self._offers = offers
        self._name = name
        self._seen: dict[Address, float] = {}
        """When an answer last named it."""
        self._open: dict[Address, TranscribeLink] = {}
        self._changed = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether any link may take a session now."""
        now = asyncio.get_running_loop().time()
        return any(link.takes_sessions(now) for link in self._open.values())

    async def until_open(self, count: int = 1) -> None:
        """Returns when so many links are open."""
        while len(self._open) < count:
            self._changed.clear()
            await self._changed.wait()

    def assign(self, user: LinkUser) -> tuple[TranscribeLink, int] | None:
        """The link that has fewest of our sessions, and a handle on it; None: there is none now."""
        now = asyncio.get_running_loop().time()
        links = [link for link in self._open.values() if link.takes_sessions(now)]
        if not links:
            return None
        link = min(links, key=lambda link: link.sessions)
        return link, link.join(user)

    async def run(self) -> None:
        """Keeps a link to every address."""
        async with asyncio.TaskGroup() as tasks:
            dialled: set[Address] = set()
            while True:
                for endpoint in self._endpoints:
                    await self._resolve(endpoint)
                for address in self._seen.keys() - dialled:
                    dialled.add(address)
                    task = tasks.create_task(self._keep(address))
                    task.add_done_callback(lambda _, address=address: dialled.discard(address))
                await asyncio.sleep(self._resolve_every_s)

    async def _resolve(self, endpoint: Endpoint) -> None:
        try:
            addresses = await self._resolved(endpoint.host, endpoint.port)
        except OSError as error:
            logger().warning("ingest.peers_unresolved", port=endpoint.port, exc_info=error)
            return
        now = asyncio.get_running_loop().time()
        for address in addresses:
            if address in self._seen or len(self._seen) < MAX_ADDRESSES:
                self._seen[address] = now

    async def _keep(self, address: Address) -> None:
        """Dials the address again and again, until it is gone from the answers, too."""
        attempt = 0
        loop = asyncio.get_running_loop()
        while loop.time() - self._seen[address] < FORGET_AFTER_S:
            try:
                async with dial(address.host, address.port, self._offers(attempt), self._name) as link:
                    attempt = 0
                    self._open[address] = link
                    self._changed.set()
                    logger().info("ingest.link_open", peer=link.peer, port=address.port)
                    try:
                        await link.run()
                    finally:
                        del self._open[address]
                        logger().info("ingest.link_closed", peer=link.peer, port=address.port)
            except* LinkFailed as error:
                tell = logger().debug if attempt else logger().warning  # the first of a streak is news
                tell("ingest.link_failed", port=address.port, attempt=attempt, exc_info=error)
            attempt += 1
            await asyncio.sleep(redial_s(attempt, random.random()))  # noqa: S311  # spreads dials
        del self._seen[address]


async def resolved(host: str, port: int) -> list[Address]:
    """By the system's resolver; IPv4 where there are both.

    Raises:
        OSError: no answer.
    """
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family = min((answer[0] for answer in answers), default=socket.AF_INET)
    return [Address(str(where[0]), int(where[1])) for found, _, _, _, where in answers if found == family]

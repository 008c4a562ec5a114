"""Asks the system for the addresses of callbacks' names, each question in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from aiohttp.abc import AbstractResolver, ResolveResult

QUESTIONS = 64
"""Under way at once. A name whose servers do not answer takes one of them for tens of seconds (5 s per server
and attempt, resolv.conf(5)); the loop's own threads are 4, half of them for names (libuv, `threadpool`), and
calls to AWS need them."""

type FoundAddress = tuple[int, int, int, str, tuple[object, ...]]
"""As `getaddrinfo` gives it: family, kind, protocol, canonical name, address."""
type LookUp = Callable[..., Sequence[FoundAddress]]
type _Question = tuple[str, int, socket.AddressFamily]
type _Found = Sequence[FoundAddress] | OSError | UnicodeError


class Resolver(AbstractResolver):
    """Names that nobody answers for hold up no others."""

    def __init__(self, look_up: LookUp = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._places = asyncio.Semaphore(QUESTIONS)
        self._under_way: dict[_Question, asyncio.Future[_Found]] = {}

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            OSError: there are none.
        """
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, protocol, _, address in await self._ask((host, port, family))
        ]

    async def close(self) -> None:
        """Nothing is kept; the process does not wait for threads that still ask."""

    async def _ask(self, question: _Question) -> Sequence[FoundAddress]:
        """However many ask for a name at once, it is one question."""
        if question not in self._under_way:
            await self._places.acquire()
            if question in self._under_way:
                self._places.release()
            else:
                self._under_way[question] = self._in_thread(question)
        found = await asyncio.shield(self._under_way[question])
        if isinstance(found, Exception):
            raise found
        return found

    def _in_thread(self, question: _Question) -> asyncio.Future[_Found]:
        host, port, family = question
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_Found] = loop.create_future()

        def settle(found: _Found) -> None:
            self._places.release()  # not before: who asked may have given up, the thread has not
            del self._under_way[question]
            answer.set_result(found)

        def run() -> None:
            found: _Found
            try:
                found = self._look_up(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
            except (OSError, UnicodeError) as error:
                found = error
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(settle, found)

        threading.Thread(target=run, name="name", daemon=True).start()
        return answer

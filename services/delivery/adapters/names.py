"""Asks the system for the addresses of callbacks' names, each question in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from aiohttp.abc import AbstractResolver, ResolveResult

QUESTIONS = 64
"""Under way at once. A name whose servers do not answer takes one of them for tens of seconds (5 s per server
and attempt, resolv.conf(5)); the loop's own threads are 4, half of them for names (libuv, `threadpool`), and
calls to AWS need them."""

type FoundAddress = tuple[int, int, int, str, tuple[object, ...]]
"""As `getaddrinfo` gives it: family, kind, protocol, canonical name, address."""
type LookUp = Callable[..., Sequence[FoundAddress]]


class Resolver(AbstractResolver):
    """Names that nobody answers for hold up no others."""

    def __init__(self, look_up: LookUp = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._places = asyncio.Semaphore(QUESTIONS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name.

        Raises:
            OSError: there are none.
        """
        ask = partial(self._look_up, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, protocol, _, address in await self._in_thread(ask)
        ]

    async def close(self) -> None:
        """Nothing is kept; the process does not wait for threads that still ask."""

    async def _in_thread(self, ask: Callable[[], Sequence[FoundAddress]]) -> Sequence[FoundAddress]:
        await self._places.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[FoundAddress]] = loop.create_future()

        def settle(found: Sequence[FoundAddress] | OSError | UnicodeError) -> None:
            self._places.release()  # not before: who asked may have given up, the thread has not
            if answer.done():
                return
            if isinstance(found, OSError | UnicodeError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def run() -> None:
            try:
                found = ask()
            except (OSError, UnicodeError) as error:
                found = error
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(settle, found)

        threading.Thread(target=run, name="name", daemon=True).start()
        return await answer

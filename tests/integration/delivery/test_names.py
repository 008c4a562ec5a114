"""Names of callbacks whose servers do not answer."""

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence

import pytest

from services.delivery.adapters.names import QUESTIONS, FoundAddress, Resolver

HANGING = QUESTIONS - 14
WITHIN_S = 5.0


class Servers:
    """Name servers that answer for `live.example` and, of all other names, only once they are let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked = threading.Semaphore(0)

    def look_up(self, host: str, *_: object, **__: object) -> Sequence[FoundAddress]:
        if host == "live.example":
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("203.0.113.9", 0))]
        self.asked.release()
        self.let.wait()
        raise socket.gaierror(socket.EAI_AGAIN, "nobody answers")


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.let.set()


async def test_fifty_names_that_nobody_answers_for_hold_up_no_other(servers: Servers) -> None:
    resolver = Resolver(servers.look_up)
    async with asyncio.TaskGroup() as tasks:
        dead = [tasks.create_task(outcome(resolver, f"dead-{at}.example")) for at in range(HANGING)]
        for _ in dead:
            assert await asyncio.to_thread(servers.asked.acquire, timeout=WITHIN_S)
        async with asyncio.timeout(WITHIN_S):
            [found] = await resolver.resolve("live.example", 443)
        assert (found["host"], found["port"]) == ("203.0.113.9", 443)
        assert not any(each.done() for each in dead)
        servers.let.set()
    assert {each.result() for each in dead} == {"gaierror"}


async def test_questions_are_bounded_and_one_that_was_given_up_keeps_its_place(servers: Servers) -> None:
    resolver = Resolver(servers.look_up)
    for at in range(QUESTIONS):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await resolver.resolve(f"dead-{at}.example")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await resolver.resolve("live.example")
    servers.let.set()
    async with asyncio.timeout(WITHIN_S):
        assert await resolver.resolve("live.example")


async def test_a_name_takes_one_place_however_many_ask_for_it(servers: Servers) -> None:
    resolver = Resolver(servers.look_up)
    async with asyncio.TaskGroup() as tasks:
        dead = [tasks.create_task(outcome(resolver, "dead.example")) for _ in range(2 * QUESTIONS)]
        assert await asyncio.to_thread(servers.asked.acquire, timeout=WITHIN_S)
        async with asyncio.timeout(WITHIN_S):
            assert await resolver.resolve("live.example")
        dead[0].cancel()
        servers.let.set()
    assert {each.result() for each in dead[1:]} == {"gaierror"}
    assert not servers.asked.acquire(blocking=False)


async def test_the_system_is_asked() -> None:
    assert {each["host"] for each in await Resolver().resolve("127.0.0.1", 80)} == {"127.0.0.1"}
    assert await outcome(Resolver(), "nobody.invalid") == "gaierror"
    assert await outcome(Resolver(), "a" * 70 + ".example") in {
        "UnicodeError",
        "UnicodeEncodeError",
        "gaierror",
    }


async def outcome(resolver: Resolver, name: str) -> str:
    try:
        await resolver.resolve(name)
    except (OSError, UnicodeError) as error:
        return type(error).__name__
    return "answered"

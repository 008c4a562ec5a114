"""Who waits for an endpoint, and who is let through."""

import asyncio

from services.delivery.adapters.gates import Gate, Gates
from services.delivery.breaker import BreakerPolicy
from services.delivery.outcome import Answered

POLICY = BreakerPolicy(first_limit=2, max_limit=3, failures_to_open=2, failing_for_s=0)
OK = Answered(200)


async def entered(gate: Gate) -> asyncio.Task[bool]:
    """A request that waits or has entered by now."""
    task = asyncio.ensure_future(gate.enter())
    for _ in range(5):
        await asyncio.sleep(0)
    return task


async def test_no_more_requests_than_the_limit_are_under_way() -> None:
    gate = Gate(POLICY)
    tasks = [await entered(gate) for _ in range(5)]
    assert [task.done() for task in tasks] == [True, True, False, False, False]
    gate.leave(OK)  # one place is free, and the limit is one more
    assert await asyncio.wait_for(tasks[2], 1)
    assert await asyncio.wait_for(tasks[3], 1)
    assert not tasks[4].done()
    gate.give_up()
    assert not await asyncio.wait_for(tasks[4], 1)


async def test_whoever_waits_for_an_endpoint_that_is_disabled_is_turned_away() -> None:
    gate = Gate(POLICY)
    tasks = [await entered(gate) for _ in range(4)]
    gate.learn(is_open=True)
    assert [await asyncio.wait_for(task, 1) for task in tasks] == [True, True, False, False]
    assert not await gate.enter()
    assert await gate.enter(is_probe=True)


async def test_nobody_passes_or_waits_while_the_endpoint_has_asked_for_time() -> None:
    gate = Gate(POLICY)
    tasks = [await entered(gate) for _ in range(4)]
    gate.leave(Answered(503, 900.0))
    assert [await asyncio.wait_for(task, 1) for task in tasks] == [True, True, False, False]
    assert not await asyncio.wait_for(gate.enter(), 1)
    assert await gate.enter(is_probe=True)


async def test_nobody_waits_for_long() -> None:
    gate = Gate(POLICY, wait_s=0.05)
    assert await gate.enter()
    assert await gate.enter()
    assert not await asyncio.wait_for(gate.enter(), 10)
    gate.leave(OK)
    assert await gate.enter()


async def test_an_endpoint_is_remembered_while_it_matters() -> None:
    gates = Gates(POLICY)
    gate = gates.of("https://hooks.example:443")
    assert gates.of("https://hooks.example:443") is gate
    assert not gates.open
    gate.learn(is_open=True)
    assert gates.open == ["https://hooks.example:443"]
    assert not gate.is_idle

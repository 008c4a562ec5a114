import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp
import pytest
import uvloop
from aiohttp import web

from emulators.relay.server import RunningRelays, Target, serve

HELD_S = 0.3


@asynccontextmanager
async def relayed() -> AsyncGenerator[tuple[RunningRelays, list[bytes]]]:
    """A relay `web` in front of a server that echoes; the bodies that reached the server."""
    reached: list[bytes] = []

    async def echo(request: web.Request) -> web.Response:
        reached.append(await request.read())
        return web.Response(body=reached[-1])

    app = web.Application(client_max_size=16 << 20)
    app.add_routes([web.post("/", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with serve({"web": Target("127.0.0.1", int(runner.addresses[0][1]))}) as relays:
            yield relays, reached
    finally:
        await runner.cleanup()


async def order(relays: RunningRelays, **fault: object) -> None:
    url = f"http://127.0.0.1:{relays.port}/_emulator/relays/web/faults"
    async with aiohttp.ClientSession() as session, session.post(url, json=fault) as answer:
        assert answer.status == 200, await answer.text()


async def post(session: aiohttp.ClientSession, relays: RunningRelays, body: bytes = b"words") -> bytes:
    url = f"http://127.0.0.1:{relays.relays['web'].port}/"
    async with session.post(url, data=body) as answer:
        answer.raise_for_status()
        return await answer.read()


async def test_what_is_sent_arrives_whole_in_both_directions() -> None:
    body = bytes(range(256)) * 3_500
    async with relayed() as (relays, _), aiohttp.ClientSession() as session:
        assert await post(session, relays, body) == body


async def test_a_held_relay_passes_nothing_and_then_all_of_it_late() -> None:
    async with relayed() as (relays, reached), aiohttp.ClientSession() as session:
        assert await post(session, relays, b"before") == b"before"
        await order(relays, kind="hold", seconds=HELD_S)
        begun_at = asyncio.get_running_loop().time()
        assert await post(session, relays) == b"words"
        assert asyncio.get_running_loop().time() - begun_at >= HELD_S - 0.05
        assert reached == [b"before", b"words"]


async def test_a_hold_may_end_in_a_cut() -> None:
    async with relayed() as (relays, reached), aiohttp.ClientSession() as session:
        await order(relays, kind="hold", seconds=HELD_S, then="cut")
        with pytest.raises(aiohttp.ClientConnectionError):
            await post(session, relays)
        assert reached == []


async def test_a_failed_request_never_reaches_the_server() -> None:
    async with relayed() as (relays, reached), aiohttp.ClientSession() as session:
        await order(relays, kind="fail", seconds=60, share=1)
        for _ in range(3):
            with pytest.raises(aiohttp.ClientResponseError) as refused:
                await post(session, relays)
            assert refused.value.status in {400, 500, 503}
        assert reached == []


async def test_a_lost_request_is_done_and_nobody_is_told() -> None:
    async with relayed() as (relays, reached), aiohttp.ClientSession() as session:
        await order(relays, kind="lose", seconds=60, share=1)
        with pytest.raises(aiohttp.ClientConnectionError):
            await post(session, relays)
        assert b"words" in reached


async def test_a_cut_ends_open_connections_and_new_ones_pass() -> None:
    async with relayed() as (relays, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", relays.relays["web"].port)
        writer.write(b"POST / HTTP/1.1\r\n")
        await writer.drain()
        async with aiohttp.ClientSession() as session:  # accepted later: so is the one before
            assert await post(session, relays) == b"words"
        await order(relays, kind="cut")
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
        async with aiohttp.ClientSession() as session:
            assert await post(session, relays) == b"words"


def test_what_comes_before_the_server_is_reached_is_kept_under_uvloop_too() -> None:
    async def scenario() -> None:
        async with relayed() as (relays, _), aiohttp.ClientSession() as session:
            bodies = [f"words {n}".encode() for n in range(20)]
            async with asyncio.timeout(10):
                assert await asyncio.gather(*(post(session, relays, body) for body in bodies)) == bodies
            await order(relays, kind="hold", seconds=HELD_S)
            begun_at = asyncio.get_running_loop().time()
            async with aiohttp.ClientSession() as other:
                assert await post(other, relays) == b"words"
            assert asyncio.get_running_loop().time() - begun_at >= HELD_S - 0.05

    uvloop.run(scenario())

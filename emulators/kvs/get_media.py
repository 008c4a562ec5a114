"""The body of a GetMedia response, sent as its stream grows."""

import asyncio
import contextlib
from dataclasses import dataclass

from aiohttp import web

from emulators.kvs import matroska
from emulators.kvs.account import Account, OpenBody, now_ms
from emulators.kvs.cursor import Cursor
from emulators.kvs.errors import IN_BAND
from emulators.kvs.faults import Fault
from emulators.kvs.stream import Stream


@dataclass(frozen=True, slots=True)
class Reading:
    """One reader of one stream."""

    account: Account
    stream: Stream
    cursor: Cursor
    body: OpenBody
    response: web.StreamResponse


async def send(reading: Reading, request: web.Request) -> None:
    """Send what the stream has and gets, until it idles, the time is up, or a fault ends it."""
    options = reading.account.options
    begun_at_ms = now_ms()
    limit_at_ms = begun_at_ms + round(options.body_limit_s * 1000)
    idle_ms = round(options.idle_s * 1000)
    while True:
        reading.body.wake.clear()
        at_ms = now_ms()
        thaw_at_ms = reading.account.faults.frozen_until_ms(reading.stream.name)
        if at_ms < thaw_at_ms:
            await _wait(reading.body, thaw_at_ms - at_ms)
            if reading.body.struck is None:
                continue
        fresh = reading.cursor.take(now_ms=at_ms, last=at_ms >= limit_at_ms)
        if fresh:
            await reading.response.write(fresh)
        if reading.body.struck is not None:
            await _fail(reading, reading.body.struck, request)
            return
        if at_ms >= limit_at_ms and reading.cursor.at_boundary:
            return
        if fresh:
            continue
        idle_at_ms = max(begun_at_ms, reading.stream.last_block_at_ms, thaw_at_ms) + idle_ms
        if at_ms >= idle_at_ms:
            return
        until_ms = idle_at_ms if at_ms >= limit_at_ms else min(idle_at_ms, limit_at_ms)
        await _wait(reading.body, until_ms - at_ms)


async def _wait(body: OpenBody, timeout_ms: int) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_ms / 1000):
            await body.wake.wait()


async def _fail(reading: Reading, fault: Fault, request: web.Request) -> None:
    match fault.kind:
        case "drop":
            if request.transport is not None:
                request.transport.abort()
        case "error":
            await write_error(reading.response, fault.code)
        case _:
            pass


async def write_error(response: web.StreamResponse, code: int) -> None:
    """Say in the body why it ends."""
    await response.write(matroska.error_fragment(code=code, error=IN_BAND[code]))

"""Sending a call's audio to the KVS emulator."""

import contextlib
from collections.abc import AsyncGenerator, Iterable

import aiohttp

from emulators.kvs import uplink as wire
from emulators.kvs.fragments import Block

OPEN_TIMEOUT_S = 10.0


class UplinkRefused(Exception):
    """The KVS emulator is not there, or takes no such contact; the message says why."""


class Uplink:
    """A contact's open stream; leaving its block ends the contact."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, opened: wire.Opened) -> None:
        self._websocket = websocket
        self.opened = opened

    async def send(self, blocks: Iterable[Block]) -> None:
        """Send blocks that are ready together.

        Raises:
            ConnectionError: the emulator is gone.
        """
        await self._websocket.send_bytes(wire.encode(blocks))


@contextlib.asynccontextmanager
async def open_uplink(
    session: aiohttp.ClientSession, kvs_url: str, wish: wire.Open
) -> AsyncGenerator[Uplink]:
    """Open a stream for a contact.

    Raises:
        UplinkRefused: see there.
    """
    try:
        websocket = await session.ws_connect(f"{kvs_url}{wire.PATH}", compress=0, autoping=True)
    except aiohttp.ClientError as error:
        raise UplinkRefused(f"no KVS emulator at {kvs_url}: {error}") from error
    async with websocket:
        await websocket.send_str(wish.model_dump_json())
        reply = await websocket.receive(timeout=OPEN_TIMEOUT_S)
        if reply.type is not aiohttp.WSMsgType.TEXT:
            raise UplinkRefused(str(reply.extra or f"the KVS emulator closed the uplink ({reply.data})"))
        yield Uplink(websocket, wire.Opened.model_validate_json(reply.data))

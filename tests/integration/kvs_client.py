"""Producers and readers of the KVS emulator for tests: its uplink, and aiobotocore's unchanged clients."""

import asyncio
import contextlib
import random
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from emulators.connect.uplink import Uplink, open_uplink
from emulators.kvs.fragments import Block, Lane
from emulators.kvs.server import RunningKvs
from emulators.kvs.uplink import Open

if TYPE_CHECKING:
    from types_aiobotocore_kinesis_video_media.client import KinesisVideoMediaClient
    from types_aiobotocore_kinesisvideo.client import KinesisVideoClient

START_MS = 1_790_000_000_000
BLOCK_MS = 64
FRAGMENT_MS = 17 * BLOCK_MS
READ_TIMEOUT_S = 20

CLIENT: dict[str, Any] = {
    "region_name": "eu-west-2",
    "aws_access_key_id": "test",
    "aws_secret_access_key": "test",
    "config": AioConfig(retries={"total_max_attempts": 1}, max_pool_connections=50),
}


@contextlib.asynccontextmanager
async def clients(kvs: RunningKvs) -> AsyncGenerator[tuple["KinesisVideoClient", "KinesisVideoMediaClient"]]:
    """Both of AWS's clients, on the emulator."""
    session = get_session()
    options: dict[str, Any] = {**CLIENT, "endpoint_url": kvs.base_url}
    async with (
        session.create_client("kinesisvideo", **options) as video,
        session.create_client("kinesis-video-media", **options) as media,
    ):
        yield video, media


@contextlib.asynccontextmanager
async def contact(kvs: RunningKvs, contact_id: str = "contact-1", **wish: Any) -> AsyncGenerator[Uplink]:
    """An open contact; `wish` are the other members of `Open`."""
    async with (
        aiohttp.ClientSession() as session,
        open_uplink(
            session, kvs.base_url, Open(contact_id=contact_id, instance_id="instance-1", **wish)
        ) as uplink,
    ):
        yield uplink


def blocks(count: int, *, first: int = 0, start_ms: int = START_MS) -> list[Block]:
    """`count` blocks for each side, from the block numbered `first`; noise, the same at every call."""
    return [
        Block(lane, start_ms + number * BLOCK_MS, random.Random(f"{lane} {number}").randbytes(1024))
        for number in range(first, first + count)
        for lane in Lane
    ]


def pcm(lane: Lane, sent: list[Block]) -> bytes:
    """One side of blocks."""
    return b"".join(block.pcm for block in sent if block.lane is lane)


async def send(kvs: RunningKvs, uplink: Uplink, sent: list[Block]) -> None:
    """Send blocks and wait until the emulator has them."""
    stream = kvs.account.streams.find(name=uplink.opened.stream_name, arn=None)
    wanted = stream.contacts[-1].blocks + len(sent)
    await uplink.send(sent)
    async with asyncio.timeout(READ_TIMEOUT_S), aiohttp.ClientSession() as session:
        while stream.contacts[-1].blocks < wanted:
            await session.get(f"{kvs.base_url}/_emulator/health")


class Body(Protocol):
    """A GetMedia body that is being read."""

    async def read(self, amt: int | None = None, /) -> bytes: ...


@contextlib.asynccontextmanager
async def reading(
    media: "KinesisVideoMediaClient", stream_arn: str, kind: str = "EARLIEST", **selector: Any
) -> AsyncGenerator[Body]:
    """A body; its connection is closed with the block."""
    start: Any = {"StartSelectorType": kind, **selector}
    reply = await media.get_media(StreamARN=stream_arn, StartSelector=start)
    body: Any = reply["Payload"]
    try:
        yield body
    finally:
        body.close()


async def read(
    media: "KinesisVideoMediaClient", stream_arn: str, kind: str = "EARLIEST", **selector: Any
) -> bytes:
    """A whole body."""
    async with reading(media, stream_arn, kind, **selector) as body:
        return await body.read()

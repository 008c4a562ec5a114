"""One link to a transcribe process: sessions multiplexed over a websocket, audio batched per tick."""

import asyncio
import itertools
from collections.abc import Iterator
from typing import Final

from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from contracts.link import (
    FROM_TRANSCRIBE,
    AudioChunk,
    Draining,
    FromIngest,
    FromTranscribe,
    Hello,
    Refusal,
    Refused,
    encode_audio,
)
from services.ingest.errors import LinkFailed
from services.ingest.ports import LinkUser
from telemetry.log import logger

TICK_S: Final = 0.002
"""Audio of all sessions that comes within it goes as one frame."""
FULL_FOR_S: Final = 1.0
"""A full peer is asked again after this, unless it says when."""


class TranscribeLink:
    """An open link; its sessions are told when it dies."""

    def __init__(self, connection: ClientConnection, peer: str) -> None:
        self._connection = connection
        self.peer = peer
        self.draining = False
        self.full_until = 0.0
        self._handles = itertools.count(1)
        self._users: dict[int, LinkUser] = {}
        self._waiting: list[AudioChunk | FromIngest] = []
        self._wake = asyncio.Event()
        self._closed = False

    @property
    def sessions(self) -> int:
        """How many are open, or being opened, here."""
        return len(self._users)

    def takes_sessions(self, now: float) -> bool:
        """Whether a new session may be tried here."""
        return not self.draining and not self._closed and now >= self.full_until

    def join(self, user: LinkUser) -> int:
        """A handle for one more session."""
        handle = next(self._handles)
        self._users[handle] = user
        return handle

    def leave(self, handle: int) -> None:
        """Nothing is delivered for this handle any more."""
        self._users.pop(handle, None)

    def send(self, frame: FromIngest) -> None:
        """Takes a control frame; it goes after everything taken before."""
        self._take(frame)

    def send_audio(self, chunk: AudioChunk) -> None:
        """Takes audio; it goes with the next tick's frame. Credit bounds what waits."""
        self._take(chunk)

    def _take(self, item: AudioChunk | FromIngest) -> None:
        if not self._closed:
            self._waiting.append(item)
            self._wake.set()

    async def run(self) -> None:
        """Serves the link until it dies, which the sessions then know.

        Raises:
            LinkFailed: the peer broke the frame format.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._write())
                try:
                    await self._read()
                finally:
                    writing.cancel()
        except* ConnectionClosed:
            pass  # as every link ends
        finally:
            self._closed = True
            users, self._users = self._users, {}
            given_up = self._connection.close_code == CloseCode.INTERNAL_ERROR  # as after a ping in vain
            for user in users.values():
                user.link_lost(given_up=given_up)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(TICK_S)
            self._wake.clear()
            items, self._waiting = self._waiting, []
            for frame in _frames(items):
                await self._connection.send(frame)

    async def _read(self) -> None:
        async for message in self._connection:
            self._deliver(parsed(message))

    def _deliver(self, frame: FromTranscribe) -> None:
        match frame:
            case Hello():
                return
            case Draining():
                self.draining = True
                logger().info("ingest.peer_draining", peer=self.peer)
                return
            case Refused(refusal=Refusal.DRAINING):
                self.draining = True
            case Refused(refusal=Refusal.FULL):
                now = asyncio.get_running_loop().time()
                self.full_until = now + (frame.retry_after_s or FULL_FOR_S)
            case _:
                pass
        user = self._users.get(frame.handle)
        if user is not None:  # else it left, and the frame crossed
            user.receive(frame)


def _frames(items: list[AudioChunk | FromIngest]) -> Iterator[bytes | str]:
    """Audio that follows one another is joined; control frames keep their place."""
    for is_audio, group in itertools.groupby(items, lambda item: isinstance(item, AudioChunk)):
        if is_audio:
            yield from encode_audio(item for item in group if isinstance(item, AudioChunk))
        else:
            for item in group:
                if not isinstance(item, AudioChunk):
                    yield item.model_dump_json()


def parsed(message: str | bytes) -> FromTranscribe:
    """A frame of the peer's.

    Raises:
        LinkFailed: it is none.
    """
    if isinstance(message, bytes):
        raise LinkFailed("a binary frame from transcribe")
    try:
        return FROM_TRANSCRIBE.validate_json(message)
    except ValidationError as error:
        raise LinkFailed("no control frame") from error

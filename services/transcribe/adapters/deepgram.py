"""One connection to Deepgram: what it says becomes inputs of its session."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from services.transcribe.inputs import (
    DeepgramClosed,
    DeepgramInput,
    DeepgramMessage,
    DeepgramOpened,
    DeepgramRefused,
)

OPEN_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 5.0
"""A peer that does not read blocks a send for ever otherwise."""
WATCH_S = 1.0
PING_S = 10.0
MAX_MESSAGE_BYTES = 1 << 20
MAX_REASON = 300
ABNORMAL = 1006


class DeepgramConnection:
    """Connection `number` of a session to `url`; `happened` is told what it does.

    `run` is its life; `send` may be called once it is open; `cut` ends it without a close handshake's wait.
    """

    def __init__(self, number: int, url: str, key: str, happened: Callable[[DeepgramInput], None]) -> None:
        self._number = number
        self._url = url
        self._key = key
        self._happened = happened
        self._outbox: deque[str | bytes] = deque()
        self._wake = asyncio.Event()
        self._sending_since: float | None = None

    def send(self, frame: str | bytes) -> None:
        """Queues a frame; pacing and the send time-out bound the queue."""
        self._outbox.append(frame)
        self._wake.set()

    async def run(self) -> None:
        """Connects, and serves until the connection is gone; cancel to cut it."""
        try:
            connection = await connect(
                self._url,
                ssl=_authorities() if self._url.startswith("wss:") else None,
                additional_headers={"Authorization": f"Token {self._key}"},
                compression=None,
                open_timeout=OPEN_TIMEOUT_S,
                ping_interval=PING_S,
                ping_timeout=PING_S,
                close_timeout=1.0,
                max_size=MAX_MESSAGE_BYTES,
                user_agent_header=None,
            )
        except InvalidStatus as refused:
            self._happened(self._refusal(refused))
            return
        except (InvalidHandshake, InvalidURI, OSError, TimeoutError, ssl.SSLError) as error:
            self._happened(DeepgramRefused(self._number, None, type(error).__name__))
            return
        self._happened(DeepgramOpened(self._number))
        await self._serve(connection)

    async def _serve(self, connection: ClientConnection) -> None:
        sender = asyncio.create_task(self._send_all(connection))
        watch = asyncio.create_task(self._watch(connection))
        try:
            async for message in connection:
                if isinstance(message, str):
                    self._happened(DeepgramMessage(self._number, message))
            code, reason = connection.close_code or ABNORMAL, connection.close_reason or ""
        except ConnectionClosed as closed:
            frame = closed.rcvd or closed.sent
            code, reason = (frame.code, frame.reason) if closed.rcvd and frame else (ABNORMAL, "broken")
        finally:
            sender.cancel()
            watch.cancel()
            await asyncio.gather(sender, watch, return_exceptions=True)
            connection.transport.abort()
        self._happened(DeepgramClosed(self._number, code, reason[:MAX_REASON]))

    async def _send_all(self, connection: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        with suppress(ConnectionClosed):  # the reader says how
            while True:
                while self._outbox:
                    self._sending_since = loop.time()
                    await connection.send(self._outbox.popleft())
                self._sending_since = None
                self._wake.clear()
                await self._wake.wait()

    async def _watch(self, connection: ClientConnection) -> None:
        """Cuts the connection when a send takes too long; one timer a second costs less than one a send."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_S)
            if self._sending_since is not None and loop.time() - self._sending_since >= SEND_TIMEOUT_S:
                break
        connection.transport.abort()  # the reader sees 1006

    def _refusal(self, refused: InvalidStatus) -> DeepgramRefused:
        response = refused.response
        reason = response.headers.get("dg-error") or ""
        with suppress(orjson.JSONDecodeError, AttributeError, TypeError):
            body = orjson.loads(response.body or b"")
            code, message = str(body.get("err_code", "")), str(body.get("err_msg", ""))
            reason = ": ".join(part for part in (code, message or reason) if part)
        return DeepgramRefused(self._number, response.status_code, reason[:MAX_REASON])


@cache
def _authorities() -> ssl.SSLContext:
    """The system's authorities, or those of SSL_CERT_FILE; 2 MB and 10 ms each time, so once for all."""
    return ssl.create_default_context()

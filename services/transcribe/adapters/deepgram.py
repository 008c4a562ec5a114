"""One connection to Deepgram: what it says becomes inputs of its session."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import override

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State

from services.transcribe.inputs import (
    DeepgramClosed,
    DeepgramInput,
    DeepgramMessage,
    DeepgramOpened,
    DeepgramRefused,
)

OPEN_TIMEOUT_S = 5.0
SEND_TIMEOUT_S = 5.0
"""A peer that does not read would be sent to for ever otherwise."""
PING_S = 10.0
MAX_MESSAGE_BYTES = 1 << 20
MAX_REASON = 300
ABNORMAL = 1006
_MESSAGE = frozenset({Opcode.TEXT, Opcode.BINARY, Opcode.CONT})


class _Direct(ClientConnection):
    """Tells each message as it comes, and sends without a task in between: a call has a dozen a second.

    A message in several frames, and all that follows it, takes the library's way, by `recv`.
    """

    tell: Callable[[str], None] | None = None
    _timer: asyncio.TimerHandle | None = None

    def send_now(self, frame: str | bytes) -> None:
        """Writes a frame, if the connection is open; pacing and the send time-out bound what waits."""
        if self.state is not State.OPEN:
            return
        if isinstance(frame, bytes):
            self.protocol.send_binary(frame)
        else:
            self.protocol.send_text(frame.encode())
        self.send_data()

    @override
    def process_event(self, event: Event) -> None:
        if self.tell is not None and isinstance(event, Frame) and event.opcode in _MESSAGE:
            if event.opcode is Opcode.TEXT and event.fin:
                with suppress(UnicodeDecodeError):  # the library closes for it
                    self.tell(bytes(event.data).decode())
                    return
            self.tell = None
        super().process_event(event)

    @override
    def pause_writing(self) -> None:
        """The peer does not read; it has `SEND_TIMEOUT_S` to go on."""
        super().pause_writing()
        self._timer = self.loop.call_later(SEND_TIMEOUT_S, self.transport.abort)  # the reader sees 1006

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_timer()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Connect(connect):
    """Follows no redirect: the call's audio goes where the operator said, and nowhere else."""

    @override
    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class DeepgramConnection:
    """Connection `number` of a session to `url`; `happened` is told what it does.

    `run` is its life; `send` may be called once it is open.
    """

    def __init__(self, number: int, url: str, key: str, happened: Callable[[DeepgramInput], None]) -> None:
        self._number = number
        self._url = url
        self._key = key
        self._happened = happened
        self._connection: _Direct | None = None

    def send(self, frame: str | bytes) -> None:
        """Sends a frame; nothing happens once the connection is gone."""
        if self._connection is not None:
            self._connection.send_now(frame)

    async def run(self) -> None:
        """Connects, and serves until the connection is gone; cancel to cut it."""
        try:
            connection = await _Connect(
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
                create_connection=_Direct,
            )
        except InvalidStatus as refused:
            self._happened(self._refusal(refused))
            return
        except (InvalidHandshake, InvalidURI, OSError, TimeoutError, ssl.SSLError) as error:
            self._happened(DeepgramRefused(self._number, None, type(error).__name__))
            return
        assert isinstance(connection, _Direct)  # noqa: S101 -- as it was asked for
        self._connection = connection
        connection.tell = self._hear
        self._happened(DeepgramOpened(self._number))
        await self._serve(connection)

    async def _serve(self, connection: ClientConnection) -> None:
        try:
            async for message in connection:
                if isinstance(message, str):
                    self._hear(message)
            code, reason = connection.close_code or ABNORMAL, connection.close_reason or ""
        except ConnectionClosed as closed:
            frame = closed.rcvd or closed.sent
            code, reason = (frame.code, frame.reason) if closed.rcvd and frame else (ABNORMAL, "broken")
        finally:
            self._connection = None
            connection.transport.abort()
        self._happened(DeepgramClosed(self._number, code, reason[:MAX_REASON]))

    def _hear(self, message: str) -> None:
        self._happened(DeepgramMessage(self._number, message))

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

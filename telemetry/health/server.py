"""`GET /live` and `GET /ready`: 200, or 503 with the reasons, as JSON."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from http import HTTPStatus

from telemetry.health import Health
from telemetry.log import logger

BEAT_S = 0.5
REQUEST_S = 2.0
MAX_HEAD_BYTES = 8_192
MAX_CONNECTIONS = 32
"""At once; further ones are closed without an answer."""


@asynccontextmanager
async def listening(health: Health, host: str, port: int) -> AsyncGenerator[int]:
    """Answers while the context lasts; yields the port.

    Raises:
        OSError: the port is taken.
    """
    answers = _Answers(health)
    try:
        server = await asyncio.start_server(answers.serve, host, port, limit=MAX_HEAD_BYTES)
    except OSError as error:
        logger().error("health.not_listening", port=port, exc_info=error)
        raise
    bound = int(server.sockets[0].getsockname()[1])
    logger().info("health.listening", port=bound)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(_watch(health))
        try:
            yield bound
        finally:
            watching.cancel()
            server.close()


async def _watch(health: Health) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due_at = loop.time() + BEAT_S
        await asyncio.sleep(BEAT_S)
        health.late(loop.time() - due_at)


class _Answers:
    def __init__(self, health: Health) -> None:
        self._health = health
        self._connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request per connection."""
        self._connections += 1
        try:
            if self._connections <= MAX_CONNECTIONS:
                async with asyncio.timeout(REQUEST_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(self._answer(head))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked so does not want an answer
        finally:
            self._connections -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        if method not in (b"GET", b"HEAD"):
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, {}, with_body=True)
        match path:
            case b"/live":
                reasons = self._health.not_live()
            case b"/ready":
                reasons = self._health.not_ready()
            case _:
                return _response(HTTPStatus.NOT_FOUND, {}, with_body=method == b"GET")
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return _response(status, {"ok": not reasons, "reasons": reasons}, with_body=method == b"GET")


def _response(status: HTTPStatus, document: dict[str, object], *, with_body: bool) -> bytes:
    body = json.dumps(document).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    ).encode()
    return head + body if with_body else head

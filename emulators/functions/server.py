"""Invoke on one side, the runtime API on the other (Lambda developer guide, "Lambda runtime API")."""

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

MAX_BODY_BYTES = 6 * 1_024 * 1_024
"""Lambda's own limit of a synchronous payload."""
MAX_WAITING = 1_000
TIMEOUT_S = 8.0
"""Of the function, as Terraform sets it."""
ARN = "arn:aws:lambda:us-east-1:000000000000:function:{name}"


@dataclass(frozen=True, slots=True)
class Invocation:
    """An event that a runtime works on or will."""

    name: str
    event: bytes
    deadline_ms: int
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answer: "asyncio.Future[Answer]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the function made of it."""

    body: bytes
    is_error: bool = False


class Functions:
    """Invocations between their callers and the runtimes."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Invocation] = asyncio.Queue(MAX_WAITING)
        self._under_way: dict[str, Invocation] = {}

    async def invoke(self, request: web.Request) -> web.Response:
        """The Invoke API; 429 when too many wait, as on AWS."""
        invocation = Invocation(
            request.match_info["name"], await request.read(), round((time.time() + TIMEOUT_S) * 1_000)
        )
        try:
            self._waiting.put_nowait(invocation)
        except asyncio.QueueFull:
            return web.json_response({"Type": "User", "message": "Rate exceeded"}, status=429)
        if request.headers.get("X-Amz-Invocation-Type") == "Event":
            return web.Response(status=202)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await invocation.answer
        except TimeoutError:
            answer = Answer(b'{"errorMessage": "Task timed out"}', is_error=True)
        headers = {"X-Amz-Function-Error": "Unhandled"} if answer.is_error else {}
        return web.Response(body=answer.body, content_type="application/json", headers=headers)

    async def next(self, _: web.Request) -> web.Response:
        """The next event for a runtime, however long it takes; what nobody waits for any more is left out."""
        while (invocation := await self._waiting.get()).deadline_ms < time.time() * 1_000:
            invocation.answer.cancel()
        self._under_way[invocation.request_id] = invocation
        while len(self._under_way) > MAX_WAITING:
            del self._under_way[next(iter(self._under_way))]
        return web.Response(
            body=invocation.event,
            content_type="application/json",
            headers={
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                "Lambda-Runtime-Invoked-Function-Arn": ARN.format(name=invocation.name),
            },
        )

    async def finish(self, request: web.Request) -> web.Response:
        """A runtime's response or error."""
        invocation = self._under_way.pop(request.match_info["id"], None)
        if invocation is None:
            return web.json_response({"errorType": "InvalidRequestID"}, status=400)
        body = await request.read()
        if not invocation.answer.done():
            invocation.answer.set_result(Answer(body, is_error=request.match_info["how"] == "error"))
        return web.json_response({"status": "OK"}, status=202)

    async def init_error(self, _: web.Request) -> web.Response:
        """The function could not be loaded; its own log says why."""
        return web.json_response({"status": "OK"}, status=202)


@asynccontextmanager
async def serve(host: str, port: int) -> AsyncGenerator[int]:
    """Serves until the block is left; yields the port."""
    functions = Functions()
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    runtime = "/2018-06-01/runtime"
    app.add_routes(
        [
            web.post("/2015-03-31/functions/{name}/invocations", functions.invoke),
            web.get(f"{runtime}/invocation/next", functions.next),
            web.post(f"{runtime}/invocation/{{id}}/{{how:response|error}}", functions.finish),
            web.post(f"{runtime}/init/error", functions.init_error),
        ]
    )
    # A runtime that goes away must not take an event with it.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()

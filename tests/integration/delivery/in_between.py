"""An AWS in between: passes everything on, and can hold one kind of request back."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from aiohttp import web


class InBetween:
    """What delivery takes for an AWS service."""

    def __init__(self) -> None:
        self.url = ""
        self.holding: bytes | None = None
        """Requests for `operation` that contain this are never passed on."""
        self.refusing: bytes | None = None
        """Requests for `operation` that contain this are answered by 500."""
        self.refused = 0
        """So many were."""
        self.operation = "PutItem"
        self.passed = 0
        """Requests that were passed on."""
        self.cuts = 0
        """So many requests are not answered: their connections are cut."""
        self.refusals = 0
        """So many are answered by 500."""
        self.left_out: set[bytes] = set()
        """A BatchGetItem that contains one of these is answered once without any item: DynamoDB may do so."""
        self.is_silent = False
        """Whether nothing is answered any more."""
        self.held = asyncio.Event()
        """One was."""
        self.nonsense: str | None = None
        """Every request is answered by 200 and this."""
        self.denied: str | None = None
        """Every request for this operation is refused, as by a policy."""
        self.fooled: set[str] = set()
        """Operations that were."""

    async def pass_on(self, client: aiohttp.ClientSession, url: str, request: web.Request) -> web.Response:
        body = await request.read()
        operation = request.headers.get("X-Amz-Target", "")
        if self.is_silent:
            await asyncio.Event().wait()
        if self.cuts and request.transport:
            self.cuts -= 1
            request.transport.abort()
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=500)
        if self.nonsense is not None:
            self.fooled.add(operation.partition(".")[2])
            await asyncio.sleep(0.01)  # or a long poll that is answered at once takes all of a processor
            return web.Response(text=self.nonsense)
        if self.denied is not None and operation.endswith(self.denied):
            return web.json_response({"__type": "com.amazon.coral#AccessDeniedException"}, status=400)
        is_meant = operation.endswith(self.operation)
        if self.refusing and self.refusing in body and is_meant:
            self.refused += 1
            return web.Response(status=500)
        if operation.endswith("BatchGetItem") and (found := {each for each in self.left_out if each in body}):
            self.left_out -= found
            keys = json.dumps(json.loads(body)["RequestItems"])
            return web.Response(text=f'{{"Responses": {{}}, "UnprocessedKeys": {keys}}}')
        if self.holding and self.holding in body and is_meant:
            self.held.set()
            await asyncio.Event().wait()
        self.passed += 1
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        async with client.post(url, data=body, headers=headers) as answer:
            return web.Response(
                body=await answer.read(), status=answer.status, content_type=answer.content_type
            )


@asynccontextmanager
async def in_between(url: str) -> AsyncGenerator[InBetween]:
    between = InBetween()
    async with aiohttp.ClientSession() as client:
        app = web.Application()
        app.add_routes([web.post("/{path:.*}", partial(between.pass_on, client, url))])
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            between.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield between
        finally:
            await runner.cleanup()

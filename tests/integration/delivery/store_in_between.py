"""A DynamoDB in between: passes everything on, and can hold one kind of write back."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import aiohttp
from aiohttp import web


class StoreInBetween:
    """What delivery takes for DynamoDB."""

    def __init__(self) -> None:
        self.url = ""
        self.holding: bytes | None = None
        """Writes whose request contains this are never passed on."""
        self.held = asyncio.Event()
        """One was."""

    async def pass_on(self, client: aiohttp.ClientSession, url: str, request: web.Request) -> web.Response:
        body = await request.read()
        operation = request.headers.get("X-Amz-Target", "")
        if self.holding and self.holding in body and operation.endswith("PutItem"):
            self.held.set()
            await asyncio.Event().wait()
        headers = {name: value for name, value in request.headers.items() if name != "Host"}
        async with client.post(url, data=body, headers=headers) as answer:
            return web.Response(
                body=await answer.read(), status=answer.status, content_type=answer.content_type
            )


@asynccontextmanager
async def in_between(url: str) -> AsyncGenerator[StoreInBetween]:
    store = StoreInBetween()
    async with aiohttp.ClientSession() as client:
        app = web.Application()
        app.add_routes([web.post("/{path:.*}", partial(store.pass_on, client, url))])
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            store.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield store
        finally:
            await runner.cleanup()

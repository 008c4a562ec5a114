"""The emulator as a server, in this process or on its own (`python -m emulators.kvs`)."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from aiohttp import web

from emulators.kvs import admin_api, aws_api
from emulators.kvs.account import Account, now_ms
from emulators.kvs.options import KvsOptions

EXPIRE_EVERY_S = 1.0
CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class RunningKvs:
    """A server that listens; `base_url` is the endpoint of both AWS services and of /_emulator."""

    base_url: str
    port: int
    account: Account


@contextlib.asynccontextmanager
async def serve(options: KvsOptions | None = None) -> AsyncGenerator[RunningKvs]:
    """Serve until the block is left; open bodies then end.

    Raises:
        OSError: the port is taken.
    """
    options = options or KvsOptions()
    account = Account(options)
    app = web.Application(client_max_size=aws_api.MAX_BODY_BYTES)
    app.add_routes(aws_api.routes(account))
    app.add_routes(admin_api.routes(account))
    # A reader that hangs up must free its connection at once: three are all there are.
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=CLOSE_TIMEOUT_S)
    await runner.setup()
    expiry = _Expiry(account)
    try:
        await web.TCPSite(runner, options.host, options.port).start()
        port = int(runner.addresses[0][1])
        expiry.start()
        yield RunningKvs(f"http://{options.host}:{port}", port, account)
    finally:
        expiry.stop()
        account.close()
        await runner.cleanup()


class _Expiry:
    """Keeps the account to its retention, also while nothing arrives; a timer needs no task."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EXPIRE_EVERY_S, self._expire)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        self._account.streams.expire(now_ms=now_ms())
        self.start()

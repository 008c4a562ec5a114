"""The relays, and the interface through which faults are ordered."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from pydantic import ValidationError

from emulators.relay.conversation import Fate
from emulators.relay.faults import EVERY_RELAY, Fault
from emulators.relay.pipe import Pipe

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a relay leads."""

    host: str
    port: int


class Relay:
    """One port; what connects to it is connected to the target."""

    def __init__(self, name: str, target: Target) -> None:
        self.name = name
        self.is_held = False
        self.seen = Counter[str]()
        self._target = target
        self._pipes: set[Pipe] = set()
        self._dials: set[asyncio.Task[None]] = set()
        self._spoil: Fault | None = None
        self._hold_ends: asyncio.TimerHandle | None = None
        self._spoil_ends: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None
        self.port = 0

    async def listen(self) -> None:
        """Takes connections from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, HOST, 0, backlog=1024)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Takes none, and ends those that are open."""
        for timer in (self._hold_ends, self._spoil_ends):
            if timer is not None:
                timer.cancel()
        if self._server is not None:
            self._server.close()
        self._cut()

    def befall(self, fault: Fault) -> None:
        """Lets a fault begin; one of the same kind that is under way is replaced."""
        loop = asyncio.get_running_loop()
        self.seen[fault.kind] += 1
        match fault.kind:
            case "cut":
                self._cut()
            case "hold":
                if self._hold_ends is not None:
                    self._hold_ends.cancel()
                self._hold(is_held=True)
                self._hold_ends = loop.call_later(fault.seconds, self._end_hold, fault)
            case "fail" | "lose":
                if self._spoil_ends is not None:
                    self._spoil_ends.cancel()
                self._spoil = fault
                self._spoil_ends = loop.call_later(fault.seconds, self._end_spoiling)

    def fate(self) -> Fate:
        """See `pipe.Terms`."""
        spoil = self._spoil
        if spoil is None or random.random() >= spoil.share:
            return Fate.PASS
        fate = Fate.FAIL if spoil.kind == "fail" else Fate.LOSE
        self.seen[f"{fate.value} requests"] += 1
        return fate

    def lost(self, pipe: Pipe) -> None:
        """See `pipe.Terms`."""
        self._pipes.discard(pipe)

    def _accept(self) -> asyncio.Protocol:
        pipe = Pipe(self)
        self._pipes.add(pipe)
        self.seen["connections"] += 1
        dial = asyncio.ensure_future(self._dial(pipe))
        self._dials.add(dial)
        dial.add_done_callback(self._dials.discard)
        return pipe.near

    async def _dial(self, pipe: Pipe) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: pipe.far, self._target.host, self._target.port)
        except OSError:
            pipe.close(reset=True)

    def _cut(self) -> None:
        for pipe in list(self._pipes):
            pipe.close(reset=True)

    def _hold(self, *, is_held: bool) -> None:
        self.is_held = is_held
        for pipe in self._pipes:
            pipe.flow()

    def _end_hold(self, fault: Fault) -> None:
        self._hold_ends = None
        if fault.then == "cut":
            self._cut()
        self._hold(is_held=False)

    def _end_spoiling(self) -> None:
        self._spoil = self._spoil_ends = None


@dataclass(frozen=True, slots=True)
class RunningRelays:
    """Listening."""

    port: int
    """Of the admin interface."""
    relays: Mapping[str, Relay]


@asynccontextmanager
async def serve(targets: Mapping[str, Target]) -> AsyncGenerator[RunningRelays]:
    """Relays to the targets until the context is left."""
    relays = {name: Relay(name, target) for name, target in targets.items()}
    app = web.Application()
    admin = _Admin(relays)
    app.add_routes(
        [
            web.get("/_emulator/relays", admin.relays),
            web.post("/_emulator/relays/{name}/faults", admin.befall),
        ]
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, 0).start()
        for relay in relays.values():
            await relay.listen()
        yield RunningRelays(int(runner.addresses[0][1]), relays)
    finally:
        for relay in relays.values():
            with contextlib.suppress(OSError):
                relay.close()
        await runner.cleanup()


class _Admin:
    def __init__(self, relays: Mapping[str, Relay]) -> None:
        self._relays = relays

    async def relays(self, _: web.Request) -> web.Response:
        return web.json_response(
            {relay.name: {"port": relay.port, **relay.seen} for relay in self._relays.values()}
        )

    async def befall(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        meant = [relay for relay in self._relays.values() if name in (relay.name, EVERY_RELAY)]
        if not meant:
            raise web.HTTPNotFound(text=f"there is no relay {name}")
        try:
            fault = Fault.model_validate_json(await request.read())
        except ValidationError as error:
            return web.json_response(
                {"error": error.errors(include_url=False, include_context=False)}, status=422
            )
        for relay in meant:
            relay.befall(fault)
        return web.json_response({"befallen": [relay.name for relay in meant]})

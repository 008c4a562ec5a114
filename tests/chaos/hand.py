"""The hand that disturbs: performs disturbances on a running system."""

import asyncio
import signal
from collections.abc import Callable, Sequence

import aiohttp

from embedded.process import Child
from embedded.system import System
from tests.chaos.disturbance import Disturbance, Kind

RESTART_S = 1.0
"""A scheduler needs a while to notice."""
REFUSALS = 10

_DEEPGRAM = {
    Kind.DEEPGRAM_DROP: ({"kind": "drop", "scope": "all"},),
    Kind.DEEPGRAM_CLOSE: ({"kind": "close", "code": "1011", "scope": "all"},),
    Kind.DEEPGRAM_STALL: ({"kind": "stall", "scope": "one"},),
    Kind.DEEPGRAM_REFUSE: (
        {"kind": "refuse", "status": "429", "scope": "next", "count": str(REFUSALS)},
        {"kind": "drop", "scope": "all"},
    ),
}


class Hand:
    """Performs disturbances at their time, several at once where they overlap."""

    def __init__(self, system: System, tell: Callable[[str], None]) -> None:
        self._system = system
        self._tell = tell

    async def disturb(self, disturbances: Sequence[Disturbance]) -> None:
        """Performs them all; afterwards every process runs."""
        begun_at = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for disturbance in disturbances:
                tasks.create_task(self._at_its_time(disturbance, begun_at))

    async def _at_its_time(self, disturbance: Disturbance, begun_at: float) -> None:
        await asyncio.sleep(begun_at + disturbance.at_s - asyncio.get_running_loop().time())
        self._tell(str(disturbance))
        match disturbance.kind:
            case Kind.KILL | Kind.TERMINATE:
                await self._restart(disturbance)
            case Kind.FREEZE:
                await _freeze(self._child(disturbance), disturbance.lasts_s)
            case Kind.AWS_PAUSE:
                await _freeze(self._system.emulators["aws"], disturbance.lasts_s)
            case Kind.KVS_DROP:
                await _post(f"{self._system.kvs_url}/_emulator/streams/*/faults", json={"kind": "drop"})
            case kind:
                for order in _DEEPGRAM[kind]:
                    await _post(f"{self._system.deepgram_emulator_url}/_emulator/faults", params=order)

    def _child(self, disturbance: Disturbance) -> Child:
        return self._system.services[disturbance.target or ""]

    async def _restart(self, disturbance: Disturbance) -> None:
        child = self._child(disturbance)
        if not child.is_running:
            return  # an earlier disturbance has it in hand
        child.signal(signal.SIGKILL if disturbance.kind is Kind.KILL else signal.SIGTERM)
        await asyncio.to_thread(child.wait)
        await asyncio.sleep(RESTART_S)
        started = self._system.services.start(child.program)
        await asyncio.to_thread(started.ready)


async def _freeze(child: Child, lasts_s: float) -> None:
    child.signal(signal.SIGSTOP)
    await asyncio.sleep(lasts_s)
    child.signal(signal.SIGCONT)


async def _post(url: str, *, params: dict[str, str] | None = None, json: object = None) -> None:
    async with aiohttp.ClientSession() as session, session.post(url, params=params, json=json) as answer:
        answer.raise_for_status()

"""The hand that disturbs: performs disturbances on a running system."""

import asyncio
import json
import random
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp

from embedded.process import Child
from embedded.system import System
from tests.chaos.disturbance import Disturbance, Kind

RESTART_S = 1.0
"""A scheduler needs a while to notice."""
REFUSALS = 10
THROTTLES = 20
TWICE = 3
"""Requests that come again at once."""
SHARE = 0.3
"""Of the requests to AWS that a fault befalls."""

_EVERY_STREAM = "/_emulator/streams/*/faults"
_DROP = {"kind": "drop", "scope": "all"}
_DEEPGRAM: Mapping[Kind, Sequence[dict[str, str]]] = {
    Kind.DEEPGRAM_DROP: (_DROP,),
    Kind.DEEPGRAM_1011: ({"kind": "close", "code": "1011", "scope": "all"},),
    Kind.DEEPGRAM_1012: ({"kind": "close", "code": "1012", "scope": "all"},),
    Kind.DEEPGRAM_STALL: ({"kind": "stall", "scope": "all"},),
    Kind.DEEPGRAM_REFUSE: (
        {"kind": "refuse", "status": "429", "scope": "next", "count": str(REFUSALS)},
        _DROP,
    ),
    Kind.DEEPGRAM_MUTE: ({"kind": "stall", "scope": "next", "count": str(REFUSALS)}, _DROP),
}
_KVS: Mapping[Kind, Sequence[dict[str, object]]] = {
    Kind.KVS_DROP: ({"kind": "drop"},),
    Kind.KVS_ERROR: ({"kind": "error", "code": 5000},),
    Kind.KVS_THROTTLE: (
        {"kind": "deny", "times": THROTTLES, "error": "ClientLimitExceededException"},
        {"kind": "drop"},
    ),
}
_RELAYS: Mapping[Kind, tuple[str, dict[str, object]]] = {
    Kind.LINK_HOLD: ("", {"kind": "hold"}),
    Kind.LINK_CUT: ("", {"kind": "hold", "then": "cut"}),
    Kind.DEEPGRAM_HOLD: ("deepgram", {"kind": "hold"}),
    Kind.AWS_ERRORS: ("aws", {"kind": "fail", "share": SHARE}),
    Kind.AWS_LOST_REPLIES: ("aws", {"kind": "lose", "share": SHARE}),
}

type Requests = Callable[[], Sequence[Mapping[str, Any]]]
"""The session requests of calls that run: EventBridge's envelopes."""


class Hand:
    """Performs disturbances at their time, several at once where they overlap."""

    def __init__(self, system: System, seed: int, requests: Requests, tell: Callable[[str], None]) -> None:
        self._system = system
        self._dice = random.Random(seed)
        self._requests = requests
        self._tell = tell
        self._starting: set[str] = set()
        """Processes that an earlier disturbance has in hand."""
        self._frozen: set[int] = set()
        """Their ids."""
        self.applied = Counter[Kind]()
        """Disturbances that befell something."""

    async def disturb(self, disturbances: Sequence[Disturbance]) -> None:
        """Performs them all; afterwards every process runs."""
        begun_at = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as tasks:
            for disturbance in disturbances:
                tasks.create_task(self._at_its_time(disturbance, begun_at))

    async def _at_its_time(self, disturbance: Disturbance, begun_at: float) -> None:
        await asyncio.sleep(begun_at + disturbance.at_s - asyncio.get_running_loop().time())
        befell = await self._perform(disturbance)
        self._tell(f"{disturbance}{'' if befell else ' (befell nothing, or was cut short)'}")
        self.applied[disturbance.kind] += befell

    async def _perform(self, disturbance: Disturbance) -> bool:
        match disturbance.kind:
            case Kind.KILL | Kind.TERMINATE:
                return await self._restart(disturbance)
            case Kind.FREEZE | Kind.LONG_FREEZE:
                if disturbance.target in self._starting:
                    return False
                return await self._freeze(self._child(disturbance), disturbance.lasts_s)
            case Kind.AWS_PAUSE:
                return await self._freeze(self._system.emulators["aws"], disturbance.lasts_s)
            case Kind.REQUEST_TWICE:
                return await self._request_again()
            case kind if kind in _KVS:
                answers = [
                    await _post(f"{self._system.kvs_url}{_EVERY_STREAM}", json=each) for each in _KVS[kind]
                ]
                return bool(answers[-1]["struck"])
            case kind if kind in _DEEPGRAM:
                url = f"{self._system.deepgram_emulator_url}/_emulator/faults"
                answers = [await _post(url, params=each) for each in _DEEPGRAM[kind]]
                return bool(answers[-1]["befallen"])
            case kind:
                name, fault = _RELAYS[kind]
                url = f"{self._system.relay_url}/_emulator/relays/{name or disturbance.target}/faults"
                await _post(url, json={**fault, "seconds": disturbance.lasts_s})
                await asyncio.sleep(disturbance.lasts_s)
                return True

    def _child(self, disturbance: Disturbance) -> Child:
        return self._system.services[disturbance.target or ""]

    async def _freeze(self, child: Child, lasts_s: float) -> bool:
        """False: it is frozen already, by one that may last longer; or it died before it could go on."""
        if not child.is_running or child.pid in self._frozen:
            return False
        self._frozen.add(child.pid)
        child.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(lasts_s)
        finally:
            child.signal(signal.SIGCONT)
            self._frozen.discard(child.pid)
        return child.is_running

    async def _restart(self, disturbance: Disturbance) -> bool:
        child = self._child(disturbance)
        if child.name in self._starting or not child.is_running:
            return False
        self._starting.add(child.name)
        try:
            child.signal(signal.SIGKILL if disturbance.kind is Kind.KILL else signal.SIGTERM)
            await asyncio.to_thread(child.wait)
            await asyncio.sleep(RESTART_S)
            started = self._system.services.start(child.program)
            await asyncio.to_thread(started.ready)
        finally:
            self._starting.discard(child.name)
        return True

    async def _request_again(self) -> bool:
        known = self._requests()
        chosen = self._dice.sample(known, min(TWICE, len(known)))
        sqs, url = self._system.aws.sqs(), self._system.resources.session_requests_url
        for envelope in chosen:
            await asyncio.to_thread(sqs.send_message, QueueUrl=url, MessageBody=json.dumps(envelope))
        return bool(chosen)


async def _post(url: str, *, params: dict[str, str] | None = None, json: object = None) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.post(url, params=params, json=json) as answer:
        answer.raise_for_status()
        return await answer.json()

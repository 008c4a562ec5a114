"""Deepgram's concurrency limit: calls wait in line, nothing is lost, and the bus is told."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator

import pytest

from contracts.events import AudioGap, DeepgramAdmitted, DeepgramThrottled, SessionEnded
from contracts.link import OpenedSession
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from emulators.deepgram.script import CallScript, encode_call
from emulators.deepgram.server import DeepgramEmulator, Options, serve
from emulators.deepgram.verdict import judge, received_words
from services.transcribe.service import serving
from services.transcribe.settings import Settings
from tests.integration.transcribe.conftest import KEY, SECRET
from tests.integration.transcribe.link_client import Caller, Peer, dial
from tests.integration.transcribe.outcome import events_of, messages_of, put_header, request

CALLS = "abcde"
PLACES = 2


@pytest.fixture
async def deepgram() -> AsyncGenerator[DeepgramEmulator]:
    async with serve(options=Options(key=KEY, keep_messages=True, max_connections=PLACES)) as emulator:
        yield emulator


class Throttled:
    """Calls under way, in the order in which they asked for Deepgram."""

    def __init__(self, peer: Peer, deepgram: DeepgramEmulator) -> None:
        self._peer = peer
        self._deepgram = deepgram
        self.callers: dict[str, Caller] = {}
        self.scripts: dict[str, CallScript] = {}

    async def begin(self, name: str) -> None:
        """Opens a session and has it ask for a connection, behind all that began before."""
        script = self.scripts[name] = encode_call(ord(name), 6)
        handle = ord(name)
        opened = await self._peer.open(handle, request(name), message_id=f"m-{name}")
        assert isinstance(opened, OpenedSession)
        caller = Caller(self._peer, opened, script.samples.tobytes(), int(time.time() * 1000))
        self.callers[name] = caller
        await caller.play(until=8_000)

    def admitted(self) -> list[str]:
        """Names of the calls that Deepgram took, in order."""
        return [dict(one.parameters)["tag"] for one in self._deepgram.observations]


async def until(told: list[str], deepgram: DeepgramEmulator, calls: Throttled) -> None:
    await deepgram.until(lambda _: calls.admitted() == told, timeout_s=30)


async def test_calls_beyond_the_limit_wait_first_come_first_served_and_lose_nothing(
    aws: AwsEndpoint, stack: Resources, settings: Settings, deepgram: DeepgramEmulator
) -> None:
    for name in CALLS:
        put_header(aws, stack, name, ("tag", name))
    async with serving(settings) as port, dial(port, SECRET) as peer:
        calls = Throttled(peer, deepgram)
        for name in CALLS:
            await calls.begin(name)
            if len(calls.callers) <= PLACES:
                await until(list(CALLS[: len(calls.callers)]), deepgram, calls)
        await events_until(aws, stack, DeepgramThrottled.detail_type, list(CALLS[PLACES:]))
        finishing = [asyncio.create_task(caller.finish()) for caller in calls.callers.values()]
        closed = await asyncio.gather(*finishing)
    assert [each.disposition for each in closed] == ["delete"] * len(CALLS)
    assert calls.admitted() == list(CALLS)
    messages = messages_of(aws, stack)
    for name in CALLS:
        finals = [
            json.loads(message.message or "")
            for message in messages
            if message.session_id == name and message.kind == "final"
        ]
        assert judge(calls.scripts[name].words, received_words(finals)).clean, name
    events = events_of(aws, stack)
    admitted = [detail for kind, detail in events if kind == DeepgramAdmitted.detail_type]
    assert [detail["session_id"] for detail in admitted] == list(CALLS[PLACES:])
    assert all(detail["waited_s"] > 0 for detail in admitted)
    kinds = [kind for kind, _ in events]
    assert (kinds.count(SessionEnded.detail_type), kinds.count(AudioGap.detail_type)) == (len(CALLS), 0)


async def events_until(aws: AwsEndpoint, stack: Resources, kind: str, sessions: list[str]) -> None:
    """Reads the bus until these sessions' events of this kind have come, in this order."""
    told: list[tuple[str, int]] = []
    async with asyncio.timeout(20):
        while len(told) < len(sessions):
            for found, detail in await asyncio.to_thread(events_of, aws, stack):
                told += [(detail["session_id"], detail["ahead"])] if found == kind else []
    assert told == [(name, place) for place, name in enumerate(sessions)]

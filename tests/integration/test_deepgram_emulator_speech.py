"""Real recognition of the sample calls, in worker processes, faster than real time."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import soundfile  # pyright: ignore[reportMissingTypeStubs]  it has annotations, no marker
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError

from demo.score import Score, score, total
from emulators.deepgram.ears import EarLostError
from emulators.deepgram.recogniser import Listening
from emulators.deepgram.server import DeepgramEmulator, Options, serve
from emulators.deepgram.sphinx.pool import SphinxEars, sphinx_ears

SAMPLES = Path(__file__).parents[2] / "demo" / "audio"
QUERY = (
    "?encoding=linear16&sample_rate=8000&channels=2&multichannel=true&interim_results=true&smart_format=true"
)
SIDES = ("customer", "agent")
CHUNK_BYTES = 3200
TIMEOUT_S = 90


@pytest_asyncio.fixture
async def ears() -> AsyncGenerator[SphinxEars]:
    async with sphinx_ears(workers=2) as found:
        assert isinstance(found, SphinxEars)
        yield found


@pytest_asyncio.fixture
async def server(ears: SphinxEars) -> AsyncGenerator[DeepgramEmulator]:
    async with serve(ears=ears, options=Options()) as emulator:
        yield emulator


async def transcribe(server: DeepgramEmulator, audio: bytes) -> list[dict[str, Any]]:
    async with (
        asyncio.timeout(TIMEOUT_S),
        connect(server.url + QUERY, additional_headers={"Authorization": "Token any"}) as websocket,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(_send(websocket, audio))
        return await _read(websocket)


async def _send(websocket: ClientConnection, audio: bytes) -> None:
    for at in range(0, len(audio), CHUNK_BYTES):
        await websocket.send(audio[at : at + CHUNK_BYTES])
    await websocket.send('{"type":"CloseStream"}')


async def _read(websocket: ClientConnection) -> list[dict[str, Any]]:
    return [json.loads(message) async for message in websocket]


def heard_by_channel(messages: list[dict[str, Any]]) -> list[str]:
    return [
        " ".join(
            message["channel"]["alternatives"][0]["transcript"]
            for message in messages
            if message.get("is_final") and message["channel_index"][0] == channel
        )
        for channel in range(2)
    ]


def said_by_channel(name: str) -> list[str]:
    turns = json.loads((SAMPLES / f"{name}.json").read_text())["turns"]
    return [" ".join(turn["text"] for turn in turns if turn["side"] == side) for side in SIDES]


async def test_both_sides_of_the_sample_calls_are_understood(server: DeepgramEmulator) -> None:
    names = ["late-delivery", "lost-card"]
    audio = [soundfile.read(SAMPLES / f"{name}.flac", dtype="int16")[0].tobytes() for name in names]
    heard = await asyncio.gather(*(transcribe(server, one) for one in audio))
    scores: list[Score] = []
    for name, messages in zip(names, heard, strict=True):
        pairs = zip(said_by_channel(name), heard_by_channel(messages), strict=True)
        scores += [score(said, text) for said, text in pairs]
    assert total(scores).words > 300
    assert total(scores).rate <= 0.10
    assert max(one.rate for one in scores) <= 0.20

    messages = heard[0]
    assert messages[0]["metadata"]["model_info"]["name"] == "demo-vocabulary"
    assert messages[-1]["type"] == "Metadata"
    guesses = [m for m in messages if m.get("is_final") is False and m["channel"]["alternatives"][0]["words"]]
    assert len(guesses) > 20
    finals = [m for m in messages if m.get("is_final")]
    for channel in range(2):
        ends = 0.0
        for final in (m for m in finals if m["channel_index"][0] == channel):
            assert final["start"] == pytest.approx(ends)
            ends = final["start"] + final["duration"]
            words = final["channel"]["alternatives"][0]["words"]
            assert all(final["start"] <= word["start"] <= word["end"] <= ends + 1e-6 for word in words)


async def test_a_lost_worker_closes_its_connection_and_is_replaced(
    ears: SphinxEars, server: DeepgramEmulator
) -> None:
    async with connect(server.url + QUERY, additional_headers={"Authorization": "Token any"}) as websocket:
        await websocket.send(bytes(CHUNK_BYTES))
        await server.until(lambda seen: any(one.samples for one in seen))
        for pid in ears.pids:
            os.kill(pid, signal.SIGKILL)
        await websocket.send(bytes(CHUNK_BYTES))
        with pytest.raises(ConnectionClosedError):
            await _read(websocket)
        assert websocket.close_code == 1011
    messages = await transcribe(server, bytes(32_000))
    assert messages[-1]["type"] == "Metadata"


async def test_a_worker_ends_with_its_input(ears: SphinxEars) -> None:
    ear = await ears.open(Listening(8000, False, 10, 0))
    await ear.accept(np.zeros(800, np.int16))
    pids = ears.pids
    await ears.stop()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(EarLostError):
        await ear.flush()

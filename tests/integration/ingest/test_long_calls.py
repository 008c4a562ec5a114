"""Calls of hours, hastened; shorter ones without `make soak`."""

import hashlib
import os
import random

import pytest

from contracts.audio import samples_of_ms
from contracts.link import AudioChunk, End
from contracts.model import ContactId
from embedded.aws import REGION
from emulators.kvs.fragments import Block, Lane
from emulators.kvs.options import KvsOptions
from emulators.kvs.server import RunningKvs
from services.ingest.adapters.pcm_decoder import PcmDecoder
from services.ingest.call_audio import CallAudio
from services.ingest.contact_gate import ContactGate
from services.ingest.laid import Chunk
from services.ingest.timeline import Timeline
from tests.integration.ingest.fuzzing import memory
from tests.integration.ingest.surroundings import CONTACT as CONTACT_1
from tests.integration.ingest.surroundings import Surroundings
from tests.integration.ingest.transcribe_peer import Heard
from tests.integration.kvs_client import START_MS, contact
from tests.unit.ingest.cases import Found, fragment, pair
from tests.unit.ingest.matroska_writer import CONTACT, SWAPPED, T0_MS
from tests.unit.ingest.stereo import expected_stereo

HOURS = float(os.environ.get("SOAK_HOURS", "0.8"))
"""Of the calls: three with `make soak`."""
PAIRS = 17
"""Of blocks, in a fragment of 1.088 s."""
FRAGMENTS = round(HOURS * 3_600_000) // (PAIRS * 64)
REOPENED_EVERY = 45 * 60 * 1000 // (PAIRS * 64)
REREAD = 3
"""Fragments that a new body begins with again."""
AUDIO = tuple([found for n in range(PAIRS) for found in pair(n, seed)] for seed in range(8))

BODY_S = 1.5 * HOURS / 3 + 0.5
"""Stands for the 45 minutes after which KVS ends a body."""
LONG_BLOCK_MS = 256
"""Blocks of the hastened call: the longest that make no lane late for the other."""


def _fragment_audio(number: int) -> list[Found]:
    """The blocks of fragment `number`; their audio comes again after eight fragments, their times do not."""
    ms = number * PAIRS * 64
    return [(channel, at_ms + ms, pcm) for channel, at_ms, pcm in AUDIO[number % 8]]


def test_a_long_call_keeps_its_position_and_its_memory() -> None:
    expected = [expected_stereo(_fragment_audio(number), T0_MS + number * PAIRS * 64) for number in range(8)]
    audio = CallAudio(ContactGate([ContactId(CONTACT)]), Timeline(samples_of_ms(100)), PcmDecoder)
    out, wanted = hashlib.blake2b(), hashlib.blake2b()
    settled = position = 0
    for number in range(FRAGMENTS):
        first = number
        if number and number % REOPENED_EVERY == 0:
            audio.end_body()
            audio.open_body()
            first = number - REREAD
        for again in range(first, number + 1):
            swapped = {"entries": SWAPPED} if again % 5 > 2 else {}
            for item in audio.feed(fragment(_fragment_audio(again), **swapped)):
                if isinstance(item, Chunk):
                    assert item.position == position
                    position = item.end
                    out.update(item.pcm)
        wanted.update(expected[number % 8])
        if number == FRAGMENTS // 10:
            settled = memory().resident
    grown = memory().resident - settled
    for item in audio.timeline.flush():
        assert isinstance(item, Chunk)
        position = item.end
        out.update(item.pcm)
    assert position == FRAGMENTS * PAIRS * 512
    assert audio.timeline.t0_ms == T0_MS
    assert out.digest() == wanted.digest()
    assert grown < 1 << 20, grown


class Compared:
    """Audio as it comes, against what was sent; neither is kept."""

    def __init__(self) -> None:
        self.end = 0
        self._sent = {lane: hashlib.blake2b() for lane in Lane}
        self._heard = {lane: hashlib.blake2b() for lane in Lane}

    def sent(self, block: Block) -> None:
        self._sent[block.lane].update(block.pcm)

    def hear(self, _: Heard, chunk: AudioChunk) -> None:
        assert chunk.position_samples == self.end
        samples = memoryview(chunk.pcm).cast("h")
        self.end += len(samples) // 2
        for lane in Lane:
            self._heard[lane].update(samples[lane::2].tobytes())

    @property
    def equal(self) -> bool:
        return all(self._sent[lane].digest() == self._heard[lane].digest() for lane in Lane)


@pytest.mark.parametrize(
    "kvs",
    [KvsOptions(idle_s=1.0, body_limit_s=BODY_S, retention_bytes=64 << 20, region=REGION)],
    indirect=True,
    ids=["45 minutes in seconds"],
)
async def test_a_call_over_three_ends_of_bodies_after_45_minutes_loses_no_sample(
    around: Surroundings, kvs: RunningKvs
) -> None:
    compared = Compared()
    around.peer.hear = compared.hear
    async with (
        around.ingest(idle_silent_s=3.0, idle_s=3.0),
        contact(kvs, CONTACT_1, blocks_per_track=16) as uplink,
    ):
        around.ask(uplink)
        ms = 0
        while ms < HOURS * 3_600_000 or around.bodies < 4:
            blocks = [
                Block(lane, START_MS + at_ms, random.Random(f"{lane} {at_ms}").randbytes(LONG_BLOCK_MS * 16))
                for at_ms in range(ms, ms + 64 * LONG_BLOCK_MS, LONG_BLOCK_MS)
                for lane in Lane
            ]
            for block in blocks:
                compared.sent(block)
            await uplink.send(blocks)
            ms += 64 * LONG_BLOCK_MS
            await around.peer.until(lambda ms=ms: compared.end >= samples_of_ms(ms) - 40 * 8_000)
        heard = await around.ended()
    [end] = heard.of(End)
    assert (compared.end, end.position_samples) == (samples_of_ms(ms), samples_of_ms(ms))
    assert compared.equal
    assert around.bodies > 3

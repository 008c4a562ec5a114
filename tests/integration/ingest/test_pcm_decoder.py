"""The decoder with the real PyAV."""

import random

import pytest

from contracts.audio import Channel, samples_of_ms
from contracts.model import ContactId
from services.ingest.adapters.pcm_decoder import PcmDecoder
from services.ingest.call_audio import CallAudio, Heard, Malformed
from services.ingest.contact_gate import ContactGate
from services.ingest.errors import UndecodableBlock
from services.ingest.laid import Chunk, Skipped
from services.ingest.timeline import Timeline
from tests.unit.ingest.cases import CASES, Case
from tests.unit.ingest.stereo import expected_call, joined

SIZES = (1024, 2, 192, 190, 4096, 65_000, 1024)


def noise(seed: object, size: int) -> bytes:
    return random.Random(str(seed)).randbytes(size)


def test_pcm_comes_out_as_it_went_in_block_by_block() -> None:
    decoder = PcmDecoder()
    for number, size in enumerate(SIZES * 3):
        for channel in Channel:
            pcm = noise((number, channel), size)
            assert decoder.decode(channel, pcm) == pcm


def test_a_lane_may_begin_late_or_never() -> None:
    decoder = PcmDecoder()
    for number in range(50):
        pcm = noise(number, 1024)
        assert decoder.decode(Channel.AGENT, pcm) == pcm
    assert decoder.decode(Channel.CUSTOMER, b"\1\2") == b"\1\2"


def test_half_a_sample_is_undecodable_and_the_next_decoder_goes_on() -> None:
    with pytest.raises(UndecodableBlock):
        PcmDecoder().decode(Channel.CUSTOMER, b"abc")
    assert PcmDecoder().decode(Channel.CUSTOMER, b"ab") == b"ab"


@pytest.mark.parametrize("size", [1, 7, 1448, 65_536])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_comes_out_as_stereo(case: Case, size: int) -> None:
    gate = ContactGate(ContactId(contact) for contact in case.contacts)
    audio = CallAudio(gate, Timeline(samples_of_ms(100)), PcmDecoder)
    heard: list[Heard] = []
    for at in range(0, len(case.body), size):
        heard += audio.feed(case.body[at : at + size])
        if any(isinstance(item, Malformed) for item in heard[-1:]):
            break
    heard += [*audio.end_body(), *audio.timeline.flush()]
    assert joined([item for item in heard if isinstance(item, Chunk | Skipped)]) == expected_call(case.found)
    assert any(isinstance(item, Malformed) for item in heard) is case.malformed

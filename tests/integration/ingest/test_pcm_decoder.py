"""The decoder with the real PyAV."""

import random

import pytest

from contracts.audio import Channel, samples_of_ms
from contracts.model import ContactId
from services.ingest.adapters.pcm_decoder import PcmDecoder
from services.ingest.call_audio import CallAudio
from services.ingest.contact_gate import ContactGate
from services.ingest.errors import UndecodableBlock
from services.ingest.laid import Chunk
from services.ingest.timeline import Timeline
from tests.unit.ingest.cases import CASES, Case
from tests.unit.ingest.stereo import expected_stereo, joined
from tests.unit.ingest.test_call_audio import fits

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


@pytest.mark.parametrize("size", [1448, 65_536])
@pytest.mark.parametrize("case", [case for case in CASES if fits(case)], ids=lambda case: case.name)
def test_every_case_comes_out_as_stereo(case: Case, size: int) -> None:
    gate = ContactGate(ContactId(contact) for contact in case.contacts)
    audio = CallAudio(gate, Timeline(samples_of_ms(100)), PcmDecoder)
    heard = [item for at in range(0, len(case.body), size) for item in audio.feed(case.body[at : at + size])]
    heard += audio.timeline.flush()
    out = joined([item for item in heard if isinstance(item, Chunk)])
    assert out == expected_stereo(case.found, min(at_ms for _, at_ms, _ in case.found))

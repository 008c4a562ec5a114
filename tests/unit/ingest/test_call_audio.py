"""From the bytes of bodies to chunks, with a decoder that hands PCM through, or fails when told."""

import pytest

from contracts.audio import Channel, samples_of_ms
from contracts.model import ContactId
from services.ingest.call_audio import CallAudio, Heard, InBandError, Malformed
from services.ingest.contact_gate import Confirmed, ContactGate, OtherContact, Withheld
from services.ingest.errors import UndecodableBlock
from services.ingest.laid import Chunk, Skipped
from services.ingest.scanned import BlockDropped, FragmentStarted
from services.ingest.timeline import Timeline
from tests.unit.ingest.cases import CASES, OTHER, Case, fragment, pairs, segment
from tests.unit.ingest.matroska_writer import CONTACT, T0_MS, tag
from tests.unit.ingest.stereo import expected_call, expected_stereo, joined

CHUNK = samples_of_ms(100)


class PlainDecoder:
    """Gives back what it gets; refuses blocks that begin with any of `refused`."""

    def __init__(self, *refused: bytes) -> None:
        self._refused = refused

    def decode(self, channel: Channel, payload: bytes) -> bytes:
        if payload[:4] in self._refused:
            raise UndecodableBlock(channel.speaker)
        return payload


def call_audio(*contacts: str, decoder: PlainDecoder | None = None) -> CallAudio:
    gate = ContactGate(ContactId(contact) for contact in contacts or (CONTACT,))
    return CallAudio(gate, Timeline(CHUNK), lambda: decoder or PlainDecoder())


def chunks(heard: list[Heard]) -> list[Chunk]:
    return [item for item in heard if isinstance(item, Chunk)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_comes_out_as_stereo(case: Case) -> None:
    audio = call_audio(*case.contacts)
    heard = [*audio.feed(case.body), *audio.end_body(), *audio.timeline.flush()]
    out = joined([item for item in heard if isinstance(item, Chunk | Skipped)])
    assert out == expected_call(case.found)
    assert any(isinstance(item, Malformed) for item in heard) is case.malformed


def test_the_timeline_goes_on_over_bodies_and_cuts_what_comes_twice() -> None:
    found = pairs(0, 40)
    audio = call_audio()
    heard = audio.feed(fragment(found[:34]) + fragment(found[34:60])[:20_000])
    heard += audio.end_body()
    audio.open_body()
    heard += audio.feed(fragment(found[:34]) + fragment(found[34:]))
    heard += audio.timeline.flush()
    assert joined(chunks(heard)) == expected_stereo(found, T0_MS)


def test_what_an_operator_wants_to_know_is_told() -> None:
    audio = call_audio()
    heard = audio.feed(fragment(pairs(0, 1)) + fragment(pairs(9, 1), uid=b"\xee" * 16, trailing=OTHER))
    heard += audio.end_body()
    told = [item for item in heard if not isinstance(item, Chunk)]
    at_ms = T0_MS + 9 * 64
    assert told == [
        FragmentStarted(),
        Confirmed(),
        FragmentStarted(),
        OtherContact(ContactId(OTHER["ContactId"]), at_ms),
        Withheld(2048),
    ]


def test_an_odd_byte_is_dropped_and_counted() -> None:
    found = [(Channel.CUSTOMER, T0_MS, b"\1\2\3"), (Channel.AGENT, T0_MS, b"\4")]
    audio = call_audio()
    heard = audio.feed(fragment(found))
    assert [item for item in heard if isinstance(item, BlockDropped)] == [BlockDropped("odd_byte", 1)] * 2
    assert joined(chunks([*audio.timeline.flush()])) == b"\1\2\0\0"


def test_a_decoder_that_fails_costs_one_block_at_most() -> None:
    found = pairs(0, 8)
    audio = call_audio(decoder=PlainDecoder(found[4][2][:4]))
    heard = [*audio.feed(fragment(found)), *audio.timeline.flush()]
    assert BlockDropped("undecodable", 1024) in heard
    assert joined(chunks(heard)) == expected_stereo(found[:4] + found[5:], T0_MS)


def test_an_error_of_kvs_is_told_with_its_code() -> None:
    heard = call_audio().feed(segment(tag("AWS_KINESISVIDEO_ERROR_ID", "4500")))
    assert InBandError("4500") in heard

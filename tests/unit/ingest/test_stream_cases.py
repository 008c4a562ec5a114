"""Scanner and gate on every shape of a stream, however its bytes are split."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.model import ContactId
from services.ingest.contact_gate import ContactGate
from services.ingest.errors import MalformedFragment
from services.ingest.fragment_scanner import FragmentScanner
from services.ingest.scanned import Block, Scanned
from tests.unit.ingest.cases import CASES, Case

SLOWLY = settings(deadline=None, max_examples=60)
"""A busy machine may take its time."""


def scanned(pieces: list[bytes]) -> tuple[list[Scanned], MalformedFragment | None]:
    """What a scanner says, and its error."""
    scanner = FragmentScanner()
    values: list[Scanned] = []
    try:
        for piece in pieces:
            values += scanner.feed(piece)
    except MalformedFragment as error:
        return [*values, *error.scanned], error
    return values + scanner.feed_eof(), None


def released(values: list[Scanned], contacts: tuple[str, ...]) -> list[Block]:
    gate = ContactGate(ContactId(contact) for contact in contacts)
    blocks: list[Block] = []
    for value in values:
        blocks += [passed for passed in gate.feed(value) if isinstance(passed, Block)]
        if blocks:
            gate.heard(blocks[0].at_ms, max(b.at_ms + len(b.payload) // 16 for b in blocks))
    return blocks


def split(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


@pytest.mark.parametrize("size", [7, 1448, 65536])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_block_of_the_contact_is_found_and_nothing_else(case: Case, size: int) -> None:
    values, error = scanned(split(case.body, size))
    assert [(b.channel, b.at_ms, b.payload) for b in released(values, case.contacts)] == list(case.found)
    assert (error is not None) is case.malformed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_byte_at_a_time_says_the_same(case: Case) -> None:
    body = case.body[:9_000]
    assert scanned(split(body, 1))[0] == scanned([body])[0]


@SLOWLY
@given(data=st.data())
def test_any_split_says_the_same(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(case.body)), max_size=20)))
    pieces = [case.body[start:end] for start, end in pairwise([0, *cuts, len(case.body)])]
    values, error = scanned(pieces)
    whole, whole_error = scanned([case.body])
    assert values == whole
    assert str(error) == str(whole_error)


@SLOWLY
@given(data=st.data())
def test_a_body_may_end_anywhere(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    end = data.draw(st.integers(0, len(case.body)))
    blocks = released(scanned([case.body[:end]])[0], case.contacts)
    assert [(b.channel, b.at_ms, b.payload) for b in blocks] == list(case.found)[: len(blocks)]


@SLOWLY
@given(data=st.data())
def test_changed_bytes_are_walked_or_refused_and_never_crash(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    body = bytearray(case.body)
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    size = data.draw(st.sampled_from([64, 1448, 65536]))
    released(scanned(split(bytes(body), size))[0], case.contacts)

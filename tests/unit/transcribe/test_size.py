"""Results that are too large to be kept whole."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.audio import Channel
from contracts.events import TranscriptSegment
from contracts.session import Final
from services.transcribe.bus_events import BusEvents
from services.transcribe.size import MAX_LOGGED_BYTES, MAX_TEXT_BYTES, bounded, fits
from tests.unit.transcribe.records import CONTACT, MS, SESSION, header, state

ITEM_BYTES = 400 * 1024
STATE_BYTES = 32 * 1024


def results(text: str, **more: object) -> str:
    words = [{"word": word, "start": 1.0, "end": 1.2, "confidence": 0.9} for word in text.split()]
    alternative = {"transcript": text, "confidence": 0.9, "words": words}
    message = {
        "type": "Results",
        "channel_index": [1, 2],
        "start": 1.0,
        "duration": 2.0,
        "is_final": True,
        "channel": {"alternatives": [alternative]},
        **more,
    }
    return json.dumps(message, ensure_ascii=False)


def logged(text: str, **more: object) -> Final:
    kept = bounded(results(text, **more), text)
    return Final(
        session_id=SESSION,
        n=2,
        written_at_ms=MS,
        state=state(),
        segment_id="s.1.8000",
        channel=Channel.AGENT,
        start_samples=8_000,
        end_samples=24_000,
        transcript=kept.transcript,
        message=kept.message,
        trimmed=kept.trimmed,
    )


def test_a_result_of_a_usual_size_is_kept_to_the_byte() -> None:
    record = logged("thank you for calling")
    assert (record.message, record.trimmed) == (results("thank you for calling"), False)


def test_of_a_huge_one_place_and_text_are_kept_with_a_mark() -> None:
    text = " ".join(["word"] * 5_000)
    record = logged(text)
    assert record.trimmed
    assert record.transcript == text
    kept = json.loads(record.message)
    assert (kept["channel_index"], kept["start"], kept["duration"], kept["is_final"]) == (
        [1, 2],
        1.0,
        2.0,
        True,
    )
    assert kept["channel"] == {"alternatives": [{"transcript": text}]}


def test_what_a_result_weighs_is_counted_in_bytes() -> None:
    record = logged("語" * (MAX_LOGGED_BYTES // 6))
    assert len(results(record.transcript)) < MAX_LOGGED_BYTES
    assert record.trimmed


def test_the_event_of_a_trimmed_result_has_its_text_and_says_by_what_is_missing_that_it_is_not_all() -> None:
    text = " ".join(["word"] * 5_000)
    known = header()
    event = BusEvents(SESSION, CONTACT, known.context).of_record(logged(text), None)
    assert isinstance(event, TranscriptSegment)
    assert (event.transcript, event.words, event.deepgram) == (text, (), None)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(['"', "\\", "ä", "🜚", "\n", "a b"]), st.integers(1, 60_000), st.integers(0, 200_000))
def test_whatever_deepgram_says_its_record_fits_an_item(letter: str, times: int, beside: int) -> None:
    record = logged(letter * times, something_new='"' * beside)
    assert len(record.model_dump_json().encode()) <= ITEM_BYTES - STATE_BYTES


def test_text_is_cut_between_letters() -> None:
    text = "ä" * MAX_LOGGED_BYTES
    record = logged(text)
    assert len(record.transcript.encode()) == MAX_TEXT_BYTES
    assert set(record.transcript) == {"ä"}


@pytest.mark.parametrize(
    ("message", "kept"),
    [(None, None), ("{}", "{}"), ("ä" * (MAX_LOGGED_BYTES // 2), "ä" * (MAX_LOGGED_BYTES // 2))],
)
def test_other_messages_are_kept_whole(message: str | None, kept: str | None) -> None:
    assert fits(message) == kept


def test_other_messages_that_are_huge_are_not_kept() -> None:
    assert fits("ä" * (MAX_LOGGED_BYTES // 2 + 1)) is None

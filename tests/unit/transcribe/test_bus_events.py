import json
from datetime import UTC, datetime

import orjson
import pytest

from contracts.audio import Channel
from contracts.events import (
    AudioGap,
    Event,
    SessionEnded,
    SessionFailed,
    SessionResumed,
    SessionStarted,
    TranscriptSegment,
)
from contracts.queue import webhook_id
from contracts.session import AnnouncedRecord, Gap, LogRecord, Outcome, SessionState, TimeMark
from services.transcribe import bus_events as module
from services.transcribe.bus_events import BusEvents, text_alone
from services.transcribe.segments import Segment
from tests.unit.transcribe.records import CONTACT, MS, SESSION, ended, final, header, opened, progress, state
from tests.unit.transcribe.results import results

EVENTS = BusEvents(SESSION, CONTACT, header().context)
AT = datetime.fromtimestamp(MS / 1000, UTC)


def of(record: LogRecord, before: SessionState | None = None) -> Event | None:
    event = EVENTS.of_record(record, before)
    if event is not None:
        assert (event.event_id, event.session_id, event.contact_id) == (
            webhook_id(SESSION, record.n),
            SESSION,
            CONTACT,
        )
        assert event.occurred_at == AT
    return event


def test_a_final_is_a_segment_with_its_words() -> None:
    event = of(final(4, results(1, 1.0, 1.0, ("Hello", 1.1, 1.5), ("there", 1.6, 1.9))))
    assert isinstance(event, TranscriptSegment)
    assert (event.n, event.is_final, event.speaker, event.confidence) == (4, True, "agent", 0.98)
    assert (event.start_s, event.end_s, event.transcript) == (1.0, 2.0, "Hello there")
    assert [(word.text, word.start_s, word.end_s) for word in event.words] == [
        ("Hello", 1.1, 1.5),
        ("there", 1.6, 1.9),
    ]
    assert event.deepgram is not None


def test_the_first_record_with_t0_tells_of_the_start() -> None:
    event = of(progress(2, t0_ms=MS - 60_000), opened(1).state)
    assert isinstance(event, SessionStarted)
    assert event.media_started_at.timestamp() * 1000 == MS - 60_000
    assert event.context.language == "en-US"
    assert of(progress(3, t0_ms=MS), progress(2, t0_ms=MS).state) is None


def test_a_take_over_is_a_resumption_and_a_first_claim_is_nothing() -> None:
    assert of(opened(1)) is None
    event = of(opened(9, epoch=2, covered_samples=(8_000, 16_000)))
    assert isinstance(event, SessionResumed)
    assert (event.epoch, event.cause, event.from_s) == (2, "taken_over", 1.0)


def mark(position: int) -> tuple[TimeMark, ...]:
    return (TimeMark(sent_samples=0, position_samples=position),)


def test_another_connection_is_a_resumption() -> None:
    before = state(t0_ms=MS, offsets=mark(0))
    event = of(progress(5, t0_ms=MS, offsets=mark(8_000)), before)
    assert isinstance(event, SessionResumed)
    assert (event.cause, event.from_s) == (module.RECONNECTED, 1.0)


def test_the_first_connection_of_an_epoch_is_none() -> None:
    assert of(progress(5, t0_ms=MS, offsets=mark(8_000)), state(t0_ms=MS)) is None


def test_a_gap_has_its_exact_range() -> None:
    gap = Gap(
        session_id=SESSION,
        n=3,
        written_at_ms=MS,
        state=state(),
        from_samples=1,
        to_samples=8_000,
        cause="lost",
    )
    event = of(gap)
    assert isinstance(event, AudioGap)
    assert (event.from_s, event.to_s, event.cause) == (0.000125, 1.0, "lost")


def test_an_end_and_a_failure() -> None:
    end = of(ended(7))
    assert isinstance(end, SessionEnded)
    assert (end.reason, end.duration_s, end.last_n) == ("idle", 10.0, 7)
    failure = of(ended(7, outcome=Outcome.FAILED))
    assert isinstance(failure, SessionFailed)
    assert (failure.reason, failure.explanation) == ("deepgram_rejected", "check the key")


def test_other_records_are_nobodys_business() -> None:
    assert of(AnnouncedRecord(session_id=SESSION, n=8, written_at_ms=MS, state=state())) is None


@pytest.mark.parametrize(
    "message",
    [
        "{}",
        '{"channel": 1}',
        '{"channel": {"alternatives": [{"words": 3}]}}',
        '{"channel": {"alternatives": [{"confidence": "high", "words": [{"word": "no times"}, 7]}]}}',
        '{"channel": {"alternatives": [{"words": [{"word": "hi", "start": "0", "end": true}]}]}}',
    ],
)
def test_a_message_of_unknown_shape_is_passed_on_without_words(message: str) -> None:
    event = of(final(4, message))
    assert isinstance(event, TranscriptSegment)
    assert event.words == ()
    assert event.deepgram is not None


@pytest.mark.parametrize("word", ["wörd", "😀" * 40], ids=["short", "long"])
@pytest.mark.parametrize("words", [1, 300, 500, 1_000, 2_000, 3_000, 10_000])
def test_an_entry_fits_the_bus_whatever_its_size(words: int, word: str) -> None:
    said = [(f"{word}{n}", 0.1, 0.2) for n in range(words)]
    message = orjson.dumps(json.loads(results(1, 0.0, 1.0, *said))).decode()
    text = " ".join(each for each, _, _ in said)
    segment = Segment("s.1.0", Channel.AGENT, False, 0, 1, text, message)
    event = EVENTS.of_interim(segment, 1, 1, MS)
    assert len(event.model_dump_json().encode()) < 256_000
    less = text_alone(event)
    if isinstance(less, TranscriptSegment):
        assert (less.words, less.deepgram, less.event_id) == ((), None, event.event_id)
        assert less.transcript == text[:50_000]
        assert text_alone(less) is None
    else:
        assert len(message.encode()) > 160_000


def test_only_a_segment_can_be_told_by_less() -> None:
    event = of(ended(7))
    assert event is not None
    assert text_alone(event) is None

import json
import tracemalloc
from dataclasses import replace

from contracts.audio import Channel
from contracts.events import SessionEnded, TranscriptSegment
from contracts.queue import webhook_id
from contracts.session import Announced
from services.transcribe.instants import Instant
from services.transcribe.journal import MAX_UNLOGGED, MAX_UNLOGGED_BYTES, Said, Say
from services.transcribe.publication import MAX_MESSAGE_BYTES, Publication, without_text
from services.transcribe.segments import Segment
from services.transcribe.way import BEHIND, RETRY_BASE_S, Outgoing, Way
from tests.unit.transcribe.records import MS, SESSION, ended, final, header, opened, progress
from tests.unit.transcribe.results import results

NOW = Instant(10.0, MS)
SQS_BYTES = 256 * 1_024
"""Of a message (SQS quotas)."""


def fresh(*, callback: bool = True, interims: bool = False, queue_n: int = 0, bus_n: int = 0) -> Publication:
    announced = Announced(queue_n=queue_n, bus_n=bus_n)
    return Publication(header(callback=callback), announced, bus_interims=interims)


def interim(n: int, k: int) -> Said:
    message = results(1, 1.0, 1.0, ("Hello", 1.1, 1.5), is_final=False)
    segment = Segment("s.1.8000", Channel.AGENT, False, 8_000, 16_000, "Hello", message)
    return Said(n, k, 1, Say("interim", message, MS, segment))


def test_a_final_goes_to_both_ways_and_the_marks_follow_each() -> None:
    publication = fresh()
    publication.record(opened(1), None, MS)
    publication.record(final(2), opened(1).state, MS)
    assert publication.announced == Announced(queue_n=1, bus_n=1)
    message = publication.queue.take(0.0)
    assert message is not None
    assert (message.n, message.k, message.kind, message.webhook_id) == (2, 0, "final", webhook_id(SESSION, 2))
    publication.queue.accepted()
    assert publication.announced == Announced(queue_n=2, bus_n=1)
    event = publication.take_event(0.0)
    assert isinstance(event, TranscriptSegment)
    publication.bus.accepted()
    assert publication.announced == Announced(queue_n=2, bus_n=2)
    assert publication.empty


def test_what_was_announced_already_is_not_announced_again() -> None:
    publication = fresh(queue_n=3, bus_n=2)
    for n in (2, 3, 4):
        publication.record(final(n), None, MS)
    assert publication.queue.waiting == 1
    assert publication.bus.waiting == 2


def test_one_entry_is_under_way_at_a_time() -> None:
    publication = fresh()
    publication.record(final(2), None, MS)
    publication.record(final(3), None, MS)
    assert publication.queue.take(0.0) is not None
    assert publication.queue.take(0.0) is None
    publication.queue.failed(0.0, jitter=0.5)
    assert publication.queue.take(0.0) is None
    assert publication.queue.deadline == 0.5 * RETRY_BASE_S
    again = publication.queue.take(0.5 * RETRY_BASE_S)
    assert again is not None
    assert again.n == 2


def test_without_a_callback_nothing_goes_to_the_queue() -> None:
    publication = fresh(callback=False)
    publication.record(final(2), None, MS)
    publication.place(interim(2, 1), NOW)
    assert publication.queue.empty
    assert publication.announced.queue_n == 2


def test_interims_go_to_the_queue_and_to_the_bus_only_if_wanted() -> None:
    publication = fresh()
    publication.place(interim(1, 1), NOW)
    message = publication.queue.take(0.0)
    assert message is not None
    assert (message.kind, message.webhook_id) == ("interim", webhook_id(SESSION, 1, 1))
    assert publication.bus.empty
    publication = fresh(interims=True)
    publication.place(interim(1, 2), NOW)
    event = publication.take_event(0.0)
    assert isinstance(event, TranscriptSegment)
    assert (event.is_final, event.segment_id, event.event_id) == (
        False,
        "s.1.8000",
        webhook_id(SESSION, 1, 2),
    )


def test_the_end_brings_metadata_to_the_queue_and_an_event_to_the_bus() -> None:
    publication = fresh()
    publication.record(ended(5), None, MS)
    message = publication.queue.take(0.0)
    assert message is not None
    assert (message.kind, message.n, message.message) == ("metadata", 5, "{}")
    assert isinstance(publication.take_event(0.0), SessionEnded)


def test_records_that_are_nobody_elses_business_move_the_marks_alone() -> None:
    publication = fresh()
    publication.record(opened(1), None, MS)
    publication.record(progress(2), opened(1).state, MS)
    assert publication.empty
    assert publication.announced == Announced(queue_n=2, bus_n=2)


def test_a_final_too_large_for_the_queue_is_left_to_be_fetched_from_the_log() -> None:
    publication = fresh()
    large = json.dumps({"type": "Results", "text": "ä" * (MAX_MESSAGE_BYTES // 2)}, ensure_ascii=False)
    publication.record(final(2, large), None, MS)
    message = publication.queue.take(0.0)
    assert message is not None
    assert message.message is None
    event = publication.take_event(0.0)
    assert isinstance(event, TranscriptSegment)
    assert (event.deepgram, event.transcript) == (None, "Hello there")
    assert len(event.model_dump_json()) < 1_000


def test_when_a_way_is_down_for_long_unlogged_entries_are_lost_and_no_record_is() -> None:
    way: Way[str] = Way(0)
    way.put(Outgoing(1, logged=False, body="first", received_at_ms=MS))
    assert way.take(0.0) == "first"
    for n in range(2, 5):
        way.put(Outgoing(n, logged=True, body=f"final {n}", received_at_ms=MS))
        for k in range(MAX_UNLOGGED):
            way.put(Outgoing(n, logged=False, body=f"{n}.{k}", received_at_ms=MS))
    way.accepted()
    bodies = list[str]()
    while (body := way.take(0.0)) is not None:
        bodies.append(body)
        way.accepted()
    assert [body for body in bodies if body.startswith("final")] == ["final 2", "final 3", "final 4"]
    assert len(bodies) <= 3 + MAX_UNLOGGED
    assert bodies[-1] == f"4.{MAX_UNLOGGED - 1}"


def test_while_a_way_is_behind_superseded_interims_are_left_out_and_no_final_is() -> None:
    publication = fresh()
    for k in range(200):
        publication.place(interim(1, k + 1), NOW)
    publication.record(final(2), None, MS)
    publication.place(interim(2, 1), NOW)
    places = list[tuple[int, int]]()
    while (message := publication.queue.take(0.0)) is not None:
        places.append((message.n, message.k))
        publication.queue.accepted()
    assert places == sorted(places)
    assert (2, 0) in places
    assert (1, 200) not in places
    assert len(places) <= BEHIND + 3


def texts(way: Way[str]) -> list[str]:
    found = list[str]()
    while (body := way.take(0.0)) is not None:
        found.append(body)
        way.accepted()
    return found


def test_what_is_in_no_log_is_bounded_by_number_and_by_bytes_and_what_is_lost_is_counted() -> None:
    way: Way[str] = Way(0)
    for k in range(5_000):
        way.put(Outgoing(1, logged=False, body=str(k), received_at_ms=MS, size=10))
    assert way.take_dropped() == 5_000 - MAX_UNLOGGED
    assert way.take_dropped() == 0
    kept = texts(way)
    assert len(kept) <= 1_000
    assert kept[-1] == "4999"
    assert way.waiting_bytes == 0
    for k in range(50):
        way.put(Outgoing(1, logged=False, body=str(k), received_at_ms=MS, size=100_000))
    assert way.waiting_bytes <= MAX_UNLOGGED_BYTES <= 1_000_000
    assert way.take_dropped() == 50 - len(texts(way))


def test_one_entry_that_is_larger_than_all_may_be_is_dropped_unless_it_is_under_way() -> None:
    way: Way[str] = Way(0)
    way.put(Outgoing(1, logged=False, body="small", received_at_ms=MS))
    assert way.take(0.0) == "small"
    way.put(Outgoing(1, logged=False, body="huge", received_at_ms=MS, size=MAX_UNLOGGED_BYTES + 1))
    assert way.accepted().body == "small"
    assert (texts(way), way.take_dropped(), way.waiting_bytes) == ([], 1, 0)


def test_superseded_interims_that_are_left_out_take_no_room_and_are_no_loss() -> None:
    publication = fresh()
    for k in range(200):
        publication.place(interim(1, k + 1), NOW)
    assert publication.take_dropped() == 0
    while publication.queue.take(0.0) is not None:
        publication.queue.accepted()
    assert publication.waiting_bytes == 0


def test_what_waits_for_the_bus_alone_counts() -> None:
    publication = fresh(callback=False)
    for n in (2, 3):
        publication.record(final(n, "x" * 1_000), None, MS)
    assert publication.waiting == 2
    assert 2_000 < publication.waiting_bytes < 4_000


def test_an_interim_too_large_for_the_queue_is_not_sent_and_counted() -> None:
    publication = fresh()
    said = interim(1, 1)
    large = replace(said, say=replace(said.say, message="ä" * (MAX_MESSAGE_BYTES // 2 + 1)))
    publication.place(large, NOW)
    assert publication.queue.take(0.0) is None
    assert (publication.take_dropped(), publication.take_dropped()) == (1, 0)


def test_a_message_of_the_greatest_size_fits_the_queue_however_it_is_escaped() -> None:
    publication = fresh()
    publication.record(final(2, '"' * MAX_MESSAGE_BYTES), None, MS)
    message = publication.queue.take(0.0)
    assert message is not None
    assert message.message is not None
    assert len(message.model_dump_json().encode()) <= SQS_BYTES
    less = without_text(message)
    assert less is not None
    assert (less.webhook_id, less.message) == (message.webhook_id, None)
    assert without_text(less) is None
    publication.place(interim(2, 1), NOW)
    publication.queue.accepted()
    unlogged = publication.queue.take(0.0)
    assert unlogged is not None
    assert without_text(unlogged) is None, "there is no record to fetch it from"


def test_a_final_that_waits_for_both_ways_takes_little_more_than_its_text() -> None:
    """An event with each word as an object took nine times as much."""
    words = [(f"Word{k}", k * 0.2, k * 0.2 + 0.15) for k in range(25)]
    finals = [final(n + 2, results(1, n * 4.0, 4.0, *words)) for n in range(300)]
    publication = fresh()
    tracemalloc.start()
    try:
        for record in finals:
            publication.record(record, None, MS)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < sum(len(record.message) for record in finals)

from collections.abc import Iterable

from contracts.session import Announced, Final, LogRecord, Progress
from services.transcribe import journal as module
from services.transcribe.instants import Instant
from services.transcribe.journal import Journal, Logged, Placed, Said, Say, Write
from tests.unit.transcribe.records import MS, final, opened

NOW = Instant(10.0, MS)
FINAL = {
    "segment_id": "s.0.0",
    "channel": 0,
    "start_samples": 0,
    "end_samples": 8_000,
    "transcript": "hi",
    "message": "{}",
}


def write_final(covered: int = 0) -> Write:
    return Write(Final, FINAL, {"covered_samples": (covered, 0)}, received_at_ms=MS - 5)


def say(text: str) -> Say:
    return Say("interim", text, MS)


def appended(journal: Journal) -> LogRecord:
    record = journal.append(NOW, {})
    assert record is not None
    return record


def places(placed: Iterable[Placed]) -> list[tuple[int, int, str]]:
    return [(said.n, said.k, said.say.message) for said in placed if isinstance(said, Said)]


def test_what_is_not_logged_never_overtakes_a_record_that_is_not_durable() -> None:
    journal = Journal(opened(1))
    journal.say(say("a"))
    journal.write(write_final())
    journal.say(say("b"))
    journal.say(say("c"))
    journal.write(write_final())
    journal.say(say("d"))
    assert places(journal.settle()) == [(1, 1, "a")]
    assert appended(journal).n == 2
    assert journal.append(NOW, {}) is None, "one at a time"
    assert places(journal.settle()) == []
    journal.appended()
    assert places(journal.settle()) == [(2, 1, "b"), (2, 2, "c")]
    assert appended(journal).n == 3
    journal.appended()
    assert places(journal.settle()) == [(3, 1, "d")]
    assert journal.idle


def test_a_durable_record_comes_with_the_state_before_and_when_its_message_came() -> None:
    journal = Journal(opened(1))
    journal.write(write_final(800))
    record = appended(journal)
    logged = journal.appended()
    assert isinstance(logged, Logged)
    assert logged == Logged(record, opened(1).state, MS - 5)
    assert journal.state.covered_samples == (800, 0)


def test_a_record_carries_the_marks_and_whatever_waited_for_a_record() -> None:
    journal = Journal(opened(1))
    journal.carry({"segment_uids": ("ab",)})
    journal.write(Write(Progress))
    record = journal.append(NOW, {"announced": Announced(queue_n=1, bus_n=1)})
    assert record is not None
    assert record.state.segment_uids == ("ab",)
    assert record.state.announced == Announced(queue_n=1, bus_n=1)


def test_progress_of_what_is_covered_ends_the_count_of_idle_claims() -> None:
    journal = Journal(opened(4, idle_claims=3))
    journal.write(Write(Progress))
    assert appended(journal).state.idle_claims == 3
    journal.appended()
    journal.write(write_final(800))
    assert appended(journal).state.idle_claims == 0


def test_after_a_failure_the_very_same_record_is_tried_again() -> None:
    journal = Journal(opened(1))
    journal.write(write_final())
    record = appended(journal)
    journal.unavailable(NOW, jitter=0.5)
    assert journal.deadline == NOW.s + 0.5 * module.RETRY_BASE_S
    assert journal.append(NOW, {}) is None
    later = Instant(NOW.s + module.RETRY_BASE_S, MS + 999)
    assert journal.append(later, {"announced": Announced(queue_n=1)}) == record


def test_waits_grow_up_to_a_limit() -> None:
    journal = Journal(opened(1))
    journal.write(write_final())
    now = NOW
    for _ in range(20):
        assert journal.append(now, {}) is not None
        journal.unavailable(now, jitter=0.999)
        assert journal.deadline is not None
        assert journal.deadline - now.s <= module.RETRY_CAP_S
        now = Instant(journal.deadline, now.epoch_ms)


def test_a_lost_answer_is_a_success() -> None:
    journal = Journal(opened(1))
    journal.write(write_final())
    record = appended(journal)
    journal.unavailable(NOW, jitter=0.0)
    assert journal.append(NOW, {}) == record
    logged = journal.found(record)
    assert logged is not None
    assert not journal.fenced
    assert logged.record.n == 2


def test_anothers_record_ends_it_for_good() -> None:
    journal = Journal(opened(1))
    journal.write(write_final())
    journal.write(write_final())
    appended(journal)
    assert journal.found(final(2)) is None
    assert journal.fenced
    assert journal.append(NOW, {}) is None


def test_while_the_store_is_away_the_oldest_unlogged_messages_are_lost_and_no_final_is() -> None:
    journal = Journal(opened(1))
    for n in range(3):
        journal.write(write_final())
        for k in range(module.MAX_UNLOGGED):
            journal.say(say(f"{n}.{k}"))
    assert journal.waiting == 3
    said = list[tuple[int, int, str]]()
    for _ in range(3):
        appended(journal)
        journal.appended()
        said += places(journal.settle())
    assert len(said) == module.MAX_UNLOGGED
    assert said[-1][2] == f"2.{module.MAX_UNLOGGED - 1}"


def test_messages_that_wait_for_records_are_bounded_and_what_is_lost_is_counted() -> None:
    journal = Journal(opened(1))
    journal.write(write_final())
    for k in range(5_000):
        journal.say(say(str(k)))
    dropped = journal.take_dropped()
    assert 4_000 <= dropped == 5_000 - module.MAX_UNLOGGED
    assert journal.take_dropped() == 0
    for _ in range(50):
        journal.say(say("ä" * 50_000))
    dropped = journal.take_dropped()
    appended(journal)
    journal.appended()
    said = places(journal.settle())
    assert sum(len(text.encode()) for _, _, text in said) <= module.MAX_UNLOGGED_BYTES <= 1_000_000
    assert dropped == module.MAX_UNLOGGED + 50 - len(said)


def test_it_knows_what_its_records_weigh_until_they_are_durable() -> None:
    journal = Journal(opened(1))
    for _ in range(2):
        journal.write(Write(Final, {**FINAL, "message": "ä" * 500}))
    assert journal.waiting_bytes == 2_000
    appended(journal)
    journal.appended()
    assert journal.waiting_bytes == 1_000
    journal.give_up()
    assert journal.waiting_bytes == 0


def test_a_success_begins_the_waits_and_the_time_of_a_refusal_anew() -> None:
    journal = Journal(opened(1))
    journal.write(write_final())
    journal.write(write_final())
    now = NOW
    for _ in range(5):
        assert journal.append(now, {}) is not None
        journal.unavailable(now, jitter=0.999)
        journal.refused(now.s)
        assert journal.deadline is not None
        now = Instant(journal.deadline, now.epoch_ms)
    assert journal.refused(now.s) > 0
    assert journal.append(now, {}) is not None
    journal.appended()
    assert journal.append(now, {}) is not None
    journal.unavailable(now, jitter=0.999)
    assert journal.deadline is not None
    assert journal.deadline - now.s <= module.RETRY_BASE_S
    assert journal.refused(now.s + 100) == 0

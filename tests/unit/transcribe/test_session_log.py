"""The log protocol: who may claim, and that two writers can never both go on."""

import itertools
from collections.abc import Mapping
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.link import DEAD_AFTER_S, Refusal
from contracts.model import SessionId
from contracts.session import (
    AnnouncedRecord,
    Ended,
    LogRecord,
    OpenCause,
    Opened,
    Outcome,
    Progress,
    SessionState,
    TimeMark,
)
from services.transcribe.instants import Instant
from services.transcribe.journal import Journal, Write
from services.transcribe.session_log import (
    FRESH_MS,
    MAX_IDLE_CLAIMS,
    SERVED_MS,
    Conclude,
    Refuse,
    Serve,
    Writer,
    decide_claim,
    is_own,
)

SESSION = SessionId("s")
MINE = Writer("me", "m1")
THEIRS = Writer("them", "m1")
OTHER_REQUEST = Writer("me", "m2")
NOW = 1_000_000
TAKEN_OVER_WITHIN_MS = 5_000


def state(writer: Writer | None = THEIRS, **change: object) -> SessionState:
    fields: dict[str, object] = {"writer": writer and str(writer), "epoch": 3, "t0_ms": 5}
    return SessionState.model_validate({**fields, "covered_samples": (80, 90), **change})


def progress(n: int = 7, *, age_ms: int = 0, writer: Writer | None = THEIRS, **change: object) -> LogRecord:
    return Progress(session_id=SESSION, n=n, written_at_ms=NOW - age_ms, state=state(writer, **change))


def ended(n: int = 7) -> LogRecord:
    return Ended(
        session_id=SESSION,
        n=n,
        written_at_ms=NOW,
        state=state(),
        outcome=Outcome.COMPLETED,
        reason="idle",
        explanation="",
        end_samples=90,
    )


def refusal(*tail: LogRecord, writer: Writer = MINE) -> Refusal:
    decision = decide_claim(SESSION, tail, writer, NOW)
    assert isinstance(decision, Refuse)
    return decision.refusal


def opened(*tail: LogRecord, writer: Writer = MINE) -> Opened:
    decision = decide_claim(SESSION, tail, writer, NOW)
    assert isinstance(decision, Serve)
    return decision.opened


def test_a_new_session_begins_at_one() -> None:
    record = opened()
    assert (record.n, record.cause, record.state.epoch) == (1, OpenCause.REQUESTED, 1)
    assert record.state.covered_samples == (0, 0)
    assert record.request_message_id == "m1"
    assert Writer.of(record.state) == MINE


def test_a_take_over_keeps_the_state_and_begins_an_epoch() -> None:
    offsets = (TimeMark(sent_samples=0, position_samples=80),)
    record = opened(progress(age_ms=FRESH_MS, segment_uids=("ab",), offsets=offsets))
    assert (record.n, record.cause, record.state.epoch) == (8, OpenCause.TAKEN_OVER, 4)
    assert record.state.segment_uids == ("ab",)
    assert record.state.covered_samples == (80, 90)
    assert record.state.offsets == ()


def test_a_released_session_is_claimed_at_once_by_any_request() -> None:
    assert opened(progress(writer=None)).cause is OpenCause.HANDED_OVER
    assert opened(progress(writer=None), writer=OTHER_REQUEST).state.epoch == 4


def test_a_writer_that_made_progress_just_now_is_left_alone() -> None:
    assert refusal(progress(age_ms=FRESH_MS - 1)) is Refusal.BUSY
    assert refusal(progress(age_ms=FRESH_MS - 1), writer=OTHER_REQUEST) is Refusal.ALREADY_SERVED


def test_a_writer_counts_as_dead_no_sooner_than_two_seconds_after_its_record_and_soon_after() -> None:
    """A record comes a second after the other, or a gap of two; a take-over may take five in all."""
    assert refusal(progress(age_ms=2_000)) is Refusal.BUSY
    assert opened(progress(age_ms=3_000)).cause is OpenCause.TAKEN_OVER


@pytest.mark.parametrize("ahead_ms", [FRESH_MS, 60_000, 3_600_000])
def test_a_dead_writer_whose_clock_was_ahead_is_taken_over_at_once(ahead_ms: int) -> None:
    assert opened(progress(age_ms=-ahead_ms)).cause is OpenCause.TAKEN_OVER
    assert refusal(progress(age_ms=1 - FRESH_MS)) is Refusal.BUSY


@pytest.mark.parametrize("asked_ms", range(0, int(DEAD_AFTER_S * 1_000) + 1, 100))
def test_a_session_is_taken_over_within_five_seconds_of_its_writers_death(asked_ms: int) -> None:
    """It dies right after a record; ingest knows at once or by the heartbeat, and asks again when told to."""
    now_ms = asked_ms
    while isinstance(decision := decide_claim(SESSION, [progress()], MINE, NOW + now_ms), Refuse):
        assert decision.refusal is Refusal.BUSY
        assert decision.retry_after_s > 0
        now_ms += decision.retry_after_s * 1_000
    assert isinstance(decision, Serve)
    assert now_ms <= TAKEN_OVER_WITHIN_MS


def test_a_second_request_never_takes_a_live_session_over_however_long_it_hears_nothing() -> None:
    for age_ms in (FRESH_MS, 5_000, 60_000, SERVED_MS - 1):
        assert refusal(progress(age_ms=age_ms), writer=OTHER_REQUEST) is Refusal.ALREADY_SERVED
        assert opened(progress(age_ms=age_ms)).cause is OpenCause.TAKEN_OVER
    assert opened(progress(age_ms=SERVED_MS), writer=OTHER_REQUEST).cause is OpenCause.TAKEN_OVER


def test_a_process_may_always_claim_its_own_session_again() -> None:
    assert opened(progress(writer=MINE)).state.epoch == 4


def test_a_session_that_is_over_and_announced_is_refused() -> None:
    announced = AnnouncedRecord(session_id=SESSION, n=8, written_at_ms=NOW, state=state())
    assert refusal(ended(), announced) is Refusal.ENDED


def test_a_session_that_is_over_is_announced_before_it_is_refused() -> None:
    decision = decide_claim(SESSION, [progress(6), ended()], MINE, NOW)
    assert isinstance(decision, Conclude)
    assert decision.ended is None
    assert decision.refuse.refusal is Refusal.ENDED


def test_claims_without_progress_are_counted_and_end_the_session() -> None:
    tail: list[LogRecord] = []
    for _ in range(MAX_IDLE_CLAIMS):
        tail = [opened(*tail)]
        tail = [tail[0].model_copy(update={"written_at_ms": NOW - FRESH_MS})]
    decision = decide_claim(SESSION, tail, MINE, NOW)
    assert isinstance(decision, Conclude)
    assert decision.ended is not None
    assert (decision.ended.outcome, decision.ended.reason) == (Outcome.FAILED, "no_progress")
    assert decision.refuse.refusal is Refusal.FAILED


@pytest.mark.parametrize(
    "change", [{"written_at_ms": NOW + 1}, {"state": state(Writer("them", "m2"))}, {"n": 8}]
)
def test_only_the_very_same_record_is_ones_own(change: Mapping[str, object]) -> None:
    record = progress()
    assert is_own(record, progress())
    assert not is_own(record, record.model_copy(update=change))
    assert not is_own(record, None)


FATES = st.sampled_from(["done", "answer lost", "not done", "late"])
"""Of an append: answered; written and the answer lost; never heard of; heard of after its time-out."""


class TwoWriters(RuleBasedStateMachine):
    """Writers over one log, whose claims are a look and an append.

    Appends fail, lose their answers, and land when their writer has long tried again or given up.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log: dict[int, LogRecord] = {}
        self.claims: list[Opened] = []
        """Claims that were decided by a look, and are to be appended."""
        self.writers: list[Journal] = []
        self.releasing: set[int] = set()
        """Writers that hand over; they write nothing more."""
        self.under_way: list[tuple[int, LogRecord]] = []
        """Appends that the store has not seen yet."""
        self.late: list[LogRecord] = []
        """Appends that timed out, and that the store may see yet."""
        self.written: list[tuple[int, LogRecord]] = []
        """Appends that succeeded as their writer sees it."""
        self.looks = 0
        self.now = 0

    def _tail(self) -> list[LogRecord]:
        return [self.log[n] for n in sorted(self.log)]

    def _put(self, record: LogRecord, fate: str) -> LogRecord | None:
        """The record that stands at its number, if its writer learns of it."""
        if fate in {"done", "answer lost"}:
            self.log.setdefault(record.n, record)
        if fate == "late":
            self.late.append(record)
        return self.log[record.n] if fate == "done" else None

    @initialize()
    def begin(self) -> None:
        self.look()
        self.claim(0, "done", again=False)

    @rule()
    @precondition(lambda self: self.looks < 8)
    def look(self) -> None:
        """However fresh the log is: a frozen clock must not matter for safety."""
        self.now += 100_000
        decision = decide_claim(SESSION, self._tail(), Writer(f"w{self.looks}", "m1"), self.now)
        assert isinstance(decision, Serve)
        assert decision.opened.n not in self.log
        self.looks += 1
        self.claims.append(decision.opened)

    @rule(which=st.integers(0, 7), fate=FATES, again=st.booleans())
    @precondition(lambda self: self.claims)
    def claim(self, which: int, fate: str, *, again: bool) -> None:
        """`again`: a claim of which nothing is known is tried once more; else ingest is told to come back."""
        record = self.claims.pop(which % len(self.claims))
        found = self._put(record, fate)
        if found is None:
            self.claims += [record] * again
        elif is_own(record, found):
            self.writers.append(Journal(record))
        else:
            assert record not in self.log.values()

    @rule(which=st.integers(0, 20))
    @precondition(lambda self: self.late)
    def land(self, which: int) -> None:
        record = self.late.pop(which % len(self.late))
        self.log.setdefault(record.n, record)

    @rule(which=st.integers(0, 7), moved=st.integers(0, 9))
    def write(self, which: int, moved: int) -> None:
        at = which % len(self.writers)
        if at in self.releasing:
            return
        journal = self.writers[at]
        covered = tuple(end + moved for end in journal.state.covered_samples)
        journal.write(Write(Progress, change={"covered_samples": covered}))
        self._ask(at)

    @rule(which=st.integers(0, 7))
    def hand_over(self, which: int) -> None:
        at = which % len(self.writers)
        if at in self.releasing:
            return
        self.releasing.add(at)
        self.writers[at].write(Write(Progress, change={"writer": None}))
        self._ask(at)

    def _ask(self, at: int) -> None:
        record = self.writers[at].append(Instant(self.now, self.now), {})
        if record is not None:
            self.under_way.append((at, record))

    @rule(which=st.integers(0, 20), fate=FATES)
    @precondition(lambda self: self.under_way)
    def store(self, which: int, fate: str) -> None:
        at, record = self.under_way.pop(which % len(self.under_way))
        self.now += 10_000
        journal = self.writers[at]
        free = record.n not in self.log
        found = self._put(record, fate)
        if found is None:
            journal.unavailable(Instant(self.now - 10_000, 0), 0.5)
        elif free:
            journal.appended()
            self.written.append((at, record))
        elif journal.found(found) is not None:
            self.written.append((at, record))
        self._ask(at)

    @invariant()
    def the_log_has_no_hole(self) -> None:
        assert sorted(self.log) == list(range(1, len(self.log) + 1))

    @invariant()
    def what_a_writer_believes_durable_is_in_the_log(self) -> None:
        for _, record in self.written:
            assert self.log[record.n] == record

    @invariant()
    def nobody_writes_in_an_epoch_that_is_over(self) -> None:
        epochs = [record.state.epoch for record in self._tail()]
        assert epochs == sorted(epochs)

    @invariant()
    def an_epoch_has_one_writer_and_begins_with_its_claim(self) -> None:
        for before, record in itertools.pairwise([None, *self._tail()]):
            assert record is not None
            begins = before is None or before.state.epoch != record.state.epoch
            assert isinstance(record, Opened) == begins
            if before is not None and not begins:
                assert record.state.writer in {before.state.writer, None}

    @invariant()
    def nobody_serves_by_a_claim_that_is_not_in_the_log(self) -> None:
        claimed = [record.state.epoch for record in self.log.values() if isinstance(record, Opened)]
        assert {journal.state.epoch for journal in self.writers} <= set(claimed)
        assert len({journal.state.epoch for journal in self.writers}) == len(self.writers)

    @invariant()
    def whoever_lost_the_session_knows_at_its_next_append(self) -> None:
        newest = self._tail()[-1].state.epoch
        for journal in self.writers:
            if journal.state.epoch == newest:
                assert not journal.fenced


TwoWriters.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestTwoWriters = TwoWriters.TestCase


@pytest.mark.parametrize("seed", range(40))
def test_every_interleaving_of_two_writers_leaves_one(seed: int) -> None:
    """Both claim from the same tail and append until one is fenced; the log is that of one of them."""
    dice = Random(seed)
    tail = [progress(1, age_ms=FRESH_MS)]
    log = {record.n: record for record in tail}
    claims = [opened(*tail, writer=Writer(name, "m1")) for name in "ab"]
    dice.shuffle(claims)
    log[claims[0].n] = claims[0]
    assert not is_own(claims[1], log[claims[1].n])
    second = opened(
        *[log[n] for n in sorted(log)][:-1], log[claims[0].n].model_copy(update={"written_at_ms": 0})
    )
    log[second.n] = second
    stale, fresh = Journal(claims[0]), Journal(second)
    for journal in (stale, fresh):
        for _ in range(3):
            journal.write(Write(Progress))
    while not (stale.fenced and fresh.idle):
        journal = dice.choice([stale, fresh])
        record = journal.append(Instant(0, NOW), {})
        if record is None:
            continue
        if record.n in log:
            journal.found(log[record.n])
        else:
            log[record.n] = record
            journal.appended()
    assert [log[n].state.epoch for n in sorted(log)] == [3, 4, 5, 5, 5, 5]

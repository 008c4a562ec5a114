"""Which sessions nobody holds, and how they end."""

import pytest

from contracts.model import SessionId
from contracts.session import AnnouncedRecord, Ended, LogRecord, Outcome
from services.transcribe.deepgram_session import Failure
from services.transcribe.session import ALIVE_S
from services.transcribe.session_log import SERVED_MS, Writer
from services.transcribe.sweep import (
    ABANDONED,
    DEAD_REQUEST,
    IN_VAIN_S,
    MAX_IN_VAIN,
    MAX_WATCHED,
    NO_REQUESTS_S,
    PATIENCE_MS,
    SILENT_S,
    Finish,
    Forget,
    InVain,
    Leave,
    Requests,
    Verdict,
    Watch,
    judge,
)
from tests.unit.transcribe.records import MS, SESSION, ended, final, opened, progress, state

ME = Writer("me", "sweep")


def announced(n: int) -> AnnouncedRecord:
    return AnnouncedRecord(session_id=SESSION, n=n, written_at_ms=MS, state=state())


def judged(
    *newest: LogRecord, silent: bool = True, after_ms: int = 0, dead: Failure | None = ABANDONED
) -> Verdict:
    return judge(SESSION, newest, ME, MS + after_ms, silent=silent, requested_at_ms=MS, dead=dead)


def test_a_session_that_is_served_is_left_alone() -> None:
    assert judged(opened(1), progress(2), silent=False) == Leave()


def test_a_live_owner_may_miss_most_of_its_signs_of_life_and_is_still_left_alone() -> None:
    assert SILENT_S >= 4 * ALIVE_S
    assert SILENT_S * 1_000 <= SERVED_MS


def test_a_silent_session_whose_request_may_still_come_is_left_alone() -> None:
    assert judged(opened(1), dead=None) == Leave()
    assert judged(opened(1), dead=None, after_ms=PATIENCE_MS - 1) == Leave()


def test_a_silent_session_without_a_request_fails_where_its_log_ends() -> None:
    verdict = judged(opened(1), final(2, covered_samples=(9_000, 16_000), epoch=2))
    assert isinstance(verdict, Finish)
    record = verdict.ended
    assert isinstance(record, Ended)
    assert (record.n, record.outcome, record.reason) == (3, Outcome.FAILED, "abandoned")
    assert (record.end_samples, record.state.epoch, record.state.writer) == (16_000, 2, "me#sweep")


def test_a_session_that_never_began_fails_when_its_request_is_old_and_gone() -> None:
    assert judged(silent=False) == Leave()
    verdict = judged(dead=DEAD_REQUEST)
    assert isinstance(verdict, Finish)
    assert verdict.ended is not None
    assert (verdict.ended.n, verdict.ended.reason) == (1, "request_dead")


def test_what_was_silent_for_hours_is_over_however_many_requests_wait() -> None:
    verdict = judged(opened(1), dead=None, after_ms=PATIENCE_MS)
    assert isinstance(verdict, Finish)
    assert verdict.ended is not None
    assert verdict.ended.reason == "abandoned"


@pytest.mark.parametrize("dead", [ABANDONED, None])
def test_an_end_that_nobody_announced_is_announced_and_not_written_again(dead: Failure | None) -> None:
    assert judged(opened(1), ended(2), dead=dead) == Finish(None)
    assert judged(opened(1), ended(2), dead=dead, silent=False) == Leave()


def test_a_session_that_is_over_and_announced_is_forgotten_at_once() -> None:
    assert judged(ended(2), announced(3), silent=False, dead=None) == Forget()


def test_requests_are_gone_when_none_was_seen_to_wait_for_long() -> None:
    requests = Requests()
    assert not requests.gone(1_000.0)
    requests.seen(0, 0.0)
    requests.seen(0, NO_REQUESTS_S - 1)
    assert not requests.gone(NO_REQUESTS_S - 1)
    requests.seen(0, NO_REQUESTS_S)
    assert requests.gone(NO_REQUESTS_S)


@pytest.mark.parametrize("waiting", [1, None])
def test_one_that_waits_or_a_count_that_fails_begins_the_wait_anew(waiting: int | None) -> None:
    requests = Requests()
    requests.seen(0, 0.0)
    requests.seen(waiting, NO_REQUESTS_S)
    assert not requests.gone(NO_REQUESTS_S)
    requests.seen(0, NO_REQUESTS_S + 1)
    assert not requests.gone(2 * NO_REQUESTS_S)
    assert requests.gone(2 * NO_REQUESTS_S + 1)


def test_a_session_that_is_looked_after_in_vain_is_left_to_others_for_a_while() -> None:
    in_vain = InVain()
    assert not in_vain.again(SESSION, 10.0)
    assert not in_vain.again(SESSION, 9.9 + IN_VAIN_S)
    assert in_vain.again(SESSION, 10.0 + IN_VAIN_S)
    in_vain.over(SESSION)
    assert not in_vain.again(SESSION, 10.0 + IN_VAIN_S)


def test_of_sessions_looked_after_in_vain_a_bounded_number_is_kept_in_mind() -> None:
    in_vain = InVain()
    for number in range(MAX_IN_VAIN + 1):
        in_vain.again(SessionId(f"s{number}"), 0.0)
    assert in_vain.again(SessionId("s1"), IN_VAIN_S)
    assert not in_vain.again(SessionId("s0"), IN_VAIN_S)


def test_a_session_is_silent_when_the_same_record_was_found_for_long_by_ones_own_clock() -> None:
    watch = Watch()
    assert not watch.silent(SESSION, 3, 100.0)
    assert not watch.silent(SESSION, 3, 99.9 + SILENT_S)
    assert watch.silent(SESSION, 3, 100.0 + SILENT_S)
    assert not watch.silent(SESSION, 4, 101.0 + SILENT_S)
    assert not watch.silent(SESSION, 4, 100.9 + 2 * SILENT_S)
    assert watch.silent(SESSION, 4, 101.0 + 2 * SILENT_S)


def test_a_session_that_never_began_is_watched_as_well() -> None:
    watch = Watch()
    assert not watch.silent(SESSION, 0, 0.0)
    assert watch.silent(SESSION, 0, SILENT_S)


def test_a_look_is_due_at_once_then_when_the_session_may_be_silent_and_again_while_it_is() -> None:
    watch = Watch()
    assert watch.due(SESSION, 0.0)
    watch.silent(SESSION, 3, 0.0)
    assert not watch.due(SESSION, SILENT_S - 1)
    assert watch.due(SESSION, SILENT_S)
    watch.silent(SESSION, 3, SILENT_S)
    assert watch.due(SESSION, SILENT_S + 1)
    watch.silent(SESSION, 4, SILENT_S + 1)
    assert not watch.due(SESSION, SILENT_S + 2)


def test_of_watched_sessions_a_bounded_number_is_kept_in_mind_the_newest_news_longest() -> None:
    watch = Watch()
    for number in range(MAX_WATCHED):
        watch.silent(SessionId(f"s{number}"), 1, 0.0)
    watch.silent(SessionId("s0"), 2, 1.0)
    watch.silent(SESSION, 1, 1.0)
    assert not watch.due(SessionId("s0"), 2.0)
    assert watch.due(SessionId("s1"), 2.0)
    assert not watch.due(SessionId("s2"), 2.0)

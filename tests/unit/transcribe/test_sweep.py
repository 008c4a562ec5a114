"""Which sessions nobody holds, and how they end."""

import pytest

from contracts.model import SessionId
from contracts.session import AnnouncedRecord, Ended, Outcome
from services.transcribe.session import ALIVE_S
from services.transcribe.session_log import SERVED_MS, Writer
from services.transcribe.sweep import (
    ABANDONED,
    DEAD_REQUEST,
    IN_VAIN_S,
    MAX_IN_VAIN,
    NO_REQUESTS_S,
    PATIENCE_MS,
    SILENT_MS,
    Finish,
    Forget,
    InVain,
    Leave,
    Requests,
    Verdict,
    judge,
)
from tests.unit.transcribe.records import MS, SESSION, ended, final, opened, progress, state

ME = Writer("me", "sweep")


def announced(n: int) -> AnnouncedRecord:
    return AnnouncedRecord(session_id=SESSION, n=n, written_at_ms=MS, state=state())


def judged(*tail: object, after_ms: int = SILENT_MS, dead: bool = True, **of: object) -> Verdict:
    cause = of.get("cause", ABANDONED) if dead else None
    return judge(SESSION, tail, ME, MS + after_ms, requested_at_ms=MS, dead=cause)  # pyright: ignore[reportArgumentType]  # records


def test_a_session_that_is_served_is_left_alone() -> None:
    assert judged(opened(1), progress(2), after_ms=SILENT_MS - 1) == Leave()


def test_a_live_owner_may_miss_most_of_its_signs_of_life_and_is_still_left_alone() -> None:
    assert SILENT_MS >= 4 * ALIVE_S * 1_000
    assert SILENT_MS <= SERVED_MS


def test_a_silent_session_whose_request_may_still_come_is_left_alone() -> None:
    assert judged(opened(1), dead=False) == Leave()
    assert judged(opened(1), dead=False, after_ms=PATIENCE_MS - 1) == Leave()


def test_a_silent_session_without_a_request_fails_where_its_log_ends() -> None:
    verdict = judged(opened(1), final(2, covered_samples=(9_000, 16_000), epoch=2))
    assert isinstance(verdict, Finish)
    record = verdict.ended
    assert isinstance(record, Ended)
    assert (record.n, record.outcome, record.reason) == (3, Outcome.FAILED, "abandoned")
    assert (record.end_samples, record.state.epoch, record.state.writer) == (16_000, 2, "me#sweep")


def test_a_session_that_never_began_fails_when_its_request_is_old_and_gone() -> None:
    assert judged(after_ms=SILENT_MS - 1) == Leave()
    verdict = judged(cause=DEAD_REQUEST)
    assert isinstance(verdict, Finish)
    assert verdict.ended is not None
    assert (verdict.ended.n, verdict.ended.reason) == (1, "request_dead")


def test_what_was_silent_for_hours_is_over_however_many_requests_wait() -> None:
    verdict = judged(opened(1), dead=False, after_ms=PATIENCE_MS)
    assert isinstance(verdict, Finish)
    assert verdict.ended is not None
    assert verdict.ended.reason == "abandoned"


@pytest.mark.parametrize("dead", [True, False])
def test_an_end_that_nobody_announced_is_announced_and_not_written_again(*, dead: bool) -> None:
    assert judged(opened(1), ended(2), dead=dead) == Finish(None)
    assert judged(opened(1), ended(2), dead=dead, after_ms=SILENT_MS - 1) == Leave()


def test_a_session_that_is_over_and_announced_is_forgotten_at_once() -> None:
    assert judged(ended(2), announced(3), after_ms=0, dead=False) == Forget()


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

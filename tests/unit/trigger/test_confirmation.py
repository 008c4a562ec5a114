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
)
from services.trigger.confirmation import is_confirmed

SESSION = SessionId("s")


def state(revision: int, writer: str | None = "transcribe#m") -> SessionState:
    return SessionState(writer=writer, epoch=1, t0_ms=None, covered_samples=(0, 0), intents_revision=revision)


def progress(revision: int, writer: str | None = "transcribe#m") -> Progress:
    return Progress(session_id=SESSION, n=2, written_at_ms=1, state=state(revision, writer))


OPENED = Opened(
    session_id=SESSION,
    n=1,
    written_at_ms=1,
    state=state(0),
    cause=OpenCause.REQUESTED,
    request_message_id="m",
)
ENDED = Ended(
    session_id=SESSION,
    n=3,
    written_at_ms=1,
    state=state(0),
    outcome=Outcome.COMPLETED,
    reason="idle",
    explanation="",
    end_samples=1,
)
ANNOUNCED = AnnouncedRecord(session_id=SESSION, n=4, written_at_ms=1, state=state(0))


def test_an_owner_confirms_by_the_revision_in_its_newest_record() -> None:
    cases: list[tuple[LogRecord, bool]] = [
        (OPENED, False),
        (progress(2), False),
        (progress(3), True),
        (progress(4), True),
    ]
    for newest, confirmed in cases:
        assert is_confirmed([newest, OPENED], 3) is confirmed


def test_a_session_that_nobody_serves_sends_nothing() -> None:
    assert is_confirmed([], 3)
    assert is_confirmed([progress(0, writer=None), OPENED], 3)


def test_a_session_that_is_over_sends_nothing() -> None:
    assert is_confirmed([ENDED, progress(0)], 3)
    assert is_confirmed([ANNOUNCED, ENDED], 3)

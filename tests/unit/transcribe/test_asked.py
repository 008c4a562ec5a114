"""What a session does about what the contact flow and Connect ask for."""

from contracts.events import TranscriptionPaused, TranscriptionResumed
from contracts.intents import ContactIntents
from contracts.link import (
    STREAM_QUIET,
    Accept,
    EndHint,
    Notice,
    OpenedSession,
    Started,
)
from contracts.model import ContactId
from contracts.session import Pause, Paused, Resumed
from services.transcribe.commands import (
    Append,
    Connect,
    PublishToBus,
    SendAudio,
    SendText,
)
from services.transcribe.deepgram_session import CLOSE_STREAM, FINALIZE
from services.transcribe.inputs import (
    Attached,
    DeepgramOpened,
    Detached,
    IntentsRead,
)
from services.transcribe.instants import Instant
from services.transcribe.session import Session
from tests.unit.transcribe.driven import ALWAYS, Driven, audio, frames, of
from tests.unit.transcribe.records import MS, header, opened


def intents(**asked: object) -> IntentsRead:
    return IntentsRead(ContactIntents.model_validate({"contact_id": "c", "revision": 1, **asked}), ALWAYS)


def test_nothing_is_sent_before_the_intents_are_known() -> None:
    session = Session(header(), [opened(1)])
    now = Instant(100.0, MS)
    for happened in (Attached(7, "r"), Started(handle=7, t0_ms=MS), audio(0)):
        assert not of(session.receive(happened, now, 0.5), Connect)
    assert of(session.receive(IntentsRead(None, ALWAYS), now, 0.5), Connect)


def test_a_pause_before_there_is_any_audio_is_confirmed_and_holds_from_the_first_sample() -> None:
    driven = Driven()
    [append] = of(driven.give(intents(pauses=[{"from_ms": MS - 1, "to_ms": None}])), Append)
    assert append.record.state.intents_revision == 1
    driven.serve()
    driven.give(Attached(7, "r"), Started(handle=7, t0_ms=MS), audio(0), DeepgramOpened(1))
    driven.serve()
    sent = of(driven.ever, SendAudio)
    assert sent
    assert not any(any(frame.pcm) for frame in sent)
    [paused] = [record for record in driven.log if isinstance(record, Paused)]
    assert paused.at_samples == 0


def test_a_pause_and_its_end_are_logged_once_and_told_on_the_bus() -> None:
    driven = Driven().streaming()
    begun = {"from_ms": MS + 1_000, "to_ms": None}
    driven.give(intents(pauses=[begun]), intents(pauses=[begun]))
    driven.serve()
    driven.give(intents(revision=2, pauses=[{**begun, "to_ms": MS + 9_000}]))
    driven.serve()
    pauses = [record for record in driven.log if isinstance(record, Paused | Resumed)]
    assert [(type(record), record.at_samples) for record in pauses] == [(Paused, 8_000), (Resumed, 72_000)]
    assert pauses[-1].state.pauses == (Pause(from_samples=8_000, to_samples=72_000),)
    assert pauses[-1].state.intents_revision == 2
    told = [command.event for command in of(driven.ever, PublishToBus)]
    assert [event.from_s for event in told if isinstance(event, TranscriptionPaused)] == [1.0]
    assert [(e.from_s, e.paused_s) for e in told if isinstance(e, TranscriptionResumed)] == [(9.0, 8.0)]


def test_a_pause_that_was_over_before_the_session_began_is_nobodys_business() -> None:
    driven = Driven().streaming()
    driven.give(intents(pauses=[{"from_ms": MS - 9_000, "to_ms": MS - 5_000}]))
    driven.serve()
    assert driven.log[-1].state.intents_revision == 1
    assert not [record for record in driven.log if isinstance(record, Paused | Resumed)]


def test_a_stop_ends_the_session_where_it_was_asked_for_and_nothing_after_it_is_heard() -> None:
    driven = Driven().streaming()
    driven.give(intents(stopped_at_ms=MS + 150))
    commands = driven.give(audio(800, 1_600)) + driven.wait(1)
    sent = b"".join(command.pcm for command in of(driven.ever, SendAudio))
    assert sent == b"\x01\x00" * 2 * 1_200 + bytes(len(sent) - 1_200 * 4)
    assert len(sent) > 1_200 * 4
    assert CLOSE_STREAM in [command.text for command in of(commands, SendText)]


def test_a_stop_of_an_older_session_is_none_of_ours() -> None:
    driven = Driven().streaming()
    driven.give(intents(stopped_at_ms=header().requested_at_ms - 1))
    assert not of(driven.give(audio(800, 1_600)), SendText)


def test_ingest_is_told_of_the_calls_end_and_of_transfers_also_when_it_comes_later() -> None:
    driven = Driven()
    asked = intents(accepted_contact_ids=["d"], disconnects=[{"contact_id": "c", "at_ms": 5}])
    assert frames(driven.give(asked)) == []
    opened_frame, accept, *_ = frames(driven.give(Attached(7, "r")))
    assert isinstance(opened_frame, OpenedSession)
    assert accept == Accept(handle=7, contact_ids=(ContactId("d"),))
    over = [{"contact_id": "c", "at_ms": 5}, {"contact_id": "d", "at_ms": 9}]
    asked = intents(revision=2, accepted_contact_ids=["d"], disconnects=over)
    assert frames(driven.give(asked)) == [EndHint(handle=7, disconnected_at_ms=9)]
    assert EndHint(handle=8, disconnected_at_ms=9) in frames(driven.give(Detached(), Attached(8, "r")))


def test_last_words_are_asked_for_once_when_the_stream_is_quiet() -> None:
    driven = Driven().streaming()
    quiet = Notice(handle=7, code=STREAM_QUIET, explanation="nothing new")
    assert [command.text for command in of(driven.give(quiet, quiet), SendText)] == [FINALIZE]
    assert FINALIZE not in [command.text for command in of(driven.give(audio(800)), SendText)]
    assert [command.text for command in of(driven.give(quiet), SendText)] == [FINALIZE]

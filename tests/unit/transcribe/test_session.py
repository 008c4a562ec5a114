"""What a session does about its link, its end, and its place in the log."""

import pytest

from contracts.events import AudioNotice
from contracts.link import (
    Abort,
    ClosedSession,
    Credit,
    End,
    Notice,
    OpenedSession,
    Refusal,
    Refused,
    Release,
    Rewind,
    Started,
)
from contracts.metrics import OUTPUT_DROPPED
from contracts.session import AnnouncedRecord, Ended, Outcome
from services.transcribe.commands import (
    Append,
    Count,
    Disconnect,
    Finish,
    FreeRequest,
    PublishToBus,
    PublishToQueue,
    Report,
    SendText,
    Unlist,
)
from services.transcribe.far_end import SILENT_LINK_S
from services.transcribe.inputs import (
    Appended,
    AppendFailed,
    Attached,
    DeepgramClosed,
    DeepgramMessage,
    DeepgramRefused,
    Detached,
    Draining,
    Found,
    Input,
)
from services.transcribe.inputs import Refusal as Refusal_
from services.transcribe.session import ALIVE_S, GRACE_S, REFUSED_S, Phase, Session
from services.transcribe.session_log import Refuse
from tests.unit.transcribe.driven import Driven, audio, frames, of, published
from tests.unit.transcribe.records import MS, ended, final, header, opened, progress
from tests.unit.transcribe.results import results


def test_it_is_opened_with_its_place_and_first_credit() -> None:
    tail = [opened(1), opened(2, epoch=2, t0_ms=MS, covered_samples=(900, 800), segment_uids=("ab",))]
    driven = Driven(Session(header(), tail))
    first, credit = frames(driven.give(Attached(7, "receipt")))
    assert first == OpenedSession(
        handle=7, epoch=2, t0_ms=MS, position_samples=800, segment_uids=("ab",), contact_ids=()
    )
    assert credit == Credit(handle=7, until_samples=800 + 40_000)


@pytest.mark.parametrize("callback", [True, False])
@pytest.mark.parametrize(
    ("finals", "size", "wanted"), [(300, 5_000, True), (1_000, 0, False), (40, 90_000, False)]
)
def test_while_much_waits_for_a_way_out_no_further_audio_is_asked_for(
    finals: int, size: int, wanted: bool, callback: bool
) -> None:
    """Ten minutes of both sides are no reason; `callback`: else the bus is the only way."""
    tail = [opened(1), *(final(n + 2, f'{{"x":"{"x" * size}"}}') for n in range(finals))]
    driven = Driven(Session(header(callback=callback), tail))
    told = frames(driven.give(Attached(7, "receipt")))
    assert any(isinstance(frame, Credit) for frame in told) == wanted


def test_what_is_left_out_is_counted() -> None:
    driven = Driven().streaming()
    driven.give(DeepgramMessage(1, results(0, 0.0, 0.1, ("hi", 0.0, 0.1))))
    for second in range(600):
        driven.give(DeepgramMessage(1, f'{{"type":"UtteranceEnd","channel":[0,2],"last_word_end":{second}}}'))
    assert sum(one.amount for one in of(driven.ever, Count) if one.metric == OUTPUT_DROPPED) >= 100


def test_a_final_is_announced_only_when_it_is_durable() -> None:
    driven = Driven().streaming()
    commands = driven.give(DeepgramMessage(1, results(0, 0.0, 0.1, ("hi", 0.0, 0.1))))
    assert len(of(commands, Append)) == 1
    assert of(commands, PublishToQueue) == of(commands, PublishToBus) == []
    commands = driven.give(Appended(1.0))
    assert [command.message.kind for command in of(commands, PublishToQueue)] == ["final"]
    assert len(of(commands, PublishToBus)) == 1


def test_an_append_that_failed_is_tried_again_at_its_deadline() -> None:
    driven = Driven().streaming()
    [append] = of(driven.give(DeepgramMessage(1, results(0, 0.0, 0.1, ("hi", 0.0, 0.1)))), Append)
    assert of(driven.give(AppendFailed("throttled")), Append) == []
    assert driven.session.deadline is not None
    assert of(driven.wait(driven.session.deadline - driven.time_s), Append) == [append]


def test_whoever_lost_the_session_touches_nothing_else() -> None:
    driven = Driven().streaming()
    driven.give(DeepgramMessage(1, results(0, 0.0, 0.1, ("hi", 0.0, 0.1))))
    commands = driven.give(Found(opened(3, epoch=2)))
    assert frames(commands) == [ClosedSession(handle=7, disposition="leave", reason="taken_over")]
    assert of(commands, Disconnect) == [Disconnect(1)]
    assert isinstance(commands[-1], Finish)
    kinds = (Append, PublishToQueue, PublishToBus, FreeRequest, SendText)
    assert not any(isinstance(command, kinds) for command in commands)
    assert driven.session.phase is Phase.OVER
    assert driven.give(audio(800)) == driven.wait(100.0) == []


@pytest.mark.parametrize("happened", [Release(handle=7), Draining()])
def test_it_is_handed_over_by_a_record_without_a_flush(happened: Input) -> None:
    driven = Driven().streaming()
    commands = driven.give(happened)
    assert of(commands, Disconnect) == [Disconnect(1)]
    assert of(commands, SendText) == []
    [append] = of(commands, Append)
    assert append.record.state.writer is None
    commands = driven.give(Appended(1.0))
    assert [f.disposition for f in frames(commands) if isinstance(f, ClosedSession)] == ["put_back"]
    assert isinstance(commands[-1], Finish)


def test_a_dead_link_is_waited_for_with_deepgrams_connection_as_it_is() -> None:
    driven = Driven().streaming()
    assert of(driven.give(Detached()), Disconnect) == []
    driven.wait(GRACE_S - 0.1)
    [first, credit] = frames(driven.give(Attached(9, "receipt-2")))
    assert isinstance(first, OpenedSession)
    assert (first.handle, first.epoch, first.position_samples) == (9, 1, 800)
    assert isinstance(credit, Credit)
    assert of(driven.wait(GRACE_S), Disconnect) == []


def test_a_link_that_stays_dead_frees_the_request() -> None:
    driven = Driven().streaming()
    driven.give(Detached())
    commands = driven.wait(GRACE_S)
    assert of(commands, Disconnect) == [Disconnect(1)]
    commands = driven.give(Appended(1.0))
    assert of(commands, FreeRequest) == [FreeRequest("receipt")]
    assert isinstance(commands[-1], Finish)


def test_the_end_is_logged_announced_marked_and_only_then_closed() -> None:
    driven = Driven()
    driven.give(Attached(7, "r"), End(handle=7, position_samples=0, reason="idle"))
    over = driven.serve()
    assert [type(record) for record in driven.log] == [Ended, AnnouncedRecord]
    assert driven.log[-1].state.announced.queue_n == driven.log[-1].state.announced.bus_n == 2
    assert frames(over) == [ClosedSession(handle=7, disposition="delete", reason="ended")]


def test_an_abort_is_a_failure_with_ingests_reason_after_what_was_heard_is_final() -> None:
    driven = Driven().streaming()
    commands = driven.give(Abort(handle=7, reason="stream_not_found", explanation="Look at the flow."))
    assert [command.text for command in of(commands, SendText)] == ['{"type":"CloseStream"}']
    driven.give(DeepgramMessage(1, '{"type":"Metadata"}'))
    driven.wait(1.0)
    driven.serve()
    record = driven.log[-2]
    assert isinstance(record, Ended)
    assert (record.outcome, record.reason) == (Outcome.FAILED, "stream_not_found")
    assert record.metadata_message == '{"type":"Metadata"}'


def test_a_refused_key_fails_the_session() -> None:
    driven = Driven()
    driven.give(Attached(7, "r"), Started(handle=7, t0_ms=MS), audio(0))
    driven.give(DeepgramRefused(1, 401, "Invalid credentials."))
    over = driven.serve()
    record = driven.log[0]
    assert isinstance(record, Ended)
    assert "Invalid credentials." in record.explanation
    assert [f.disposition for f in frames(over) if isinstance(f, ClosedSession)] == ["delete"]


def test_what_an_earlier_writer_could_not_announce_is_announced_first() -> None:
    before = opened(1, announced={"queue_n": 1, "bus_n": 1})
    tail = [before, final(2, announced={"queue_n": 1, "bus_n": 1})]
    tail.append(opened(3, epoch=2, announced={"queue_n": 1, "bus_n": 1}))  # pyright: ignore[reportArgumentType]
    driven = Driven(Session(header(), tail))
    driven.give(Attached(7, "r"))
    assert [command.message.n for command in of(driven.commands, PublishToQueue)] == [2]
    assert of(driven.commands, PublishToBus)[0].event.event_id.endswith("2")


def test_a_session_that_is_over_is_announced_and_then_refused() -> None:
    refuse = Refuse(Refusal.ENDED, "the session is over")
    driven = Driven(Session(header(), [progress(1), ended(2)], refuse=refuse))
    commands = driven.give(Attached(7, "r"))
    assert frames(commands) == []
    over = driven.serve()
    assert [type(record) for record in driven.log] == [AnnouncedRecord]
    assert frames(over) == [Refused(handle=7, refusal=Refusal.ENDED, explanation="the session is over")]


def test_a_notice_is_a_log_line_and_an_event() -> None:
    driven = Driven().streaming()
    commands = driven.give(Notice(handle=7, code="one_sided_audio", explanation="…"))
    [report] = of(commands, Report)
    assert report.keys["reason"] == "one_sided_audio"
    told = [one.event for one in of(commands, PublishToBus) if isinstance(one.event, AudioNotice)]
    assert [(event.code, event.explanation) for event in told] == [("one_sided_audio", "…")]


def test_audio_that_does_not_follow_is_a_rewind_with_credit() -> None:
    driven = Driven().streaming()
    rewind, credit = frames(driven.give(audio(80_000)))
    assert rewind == Rewind(handle=7, position_samples=800)
    assert credit == Credit(handle=7, until_samples=800 + 40_000)


def test_a_session_that_ingest_forgot_is_put_back() -> None:
    driven = Driven().streaming()
    for _ in range(10):
        driven.wait(60.0)
        driven.give(audio(0))
        driven.serve()
    driven.wait(SILENT_LINK_S - 1)
    driven.serve()
    assert driven.session.phase is Phase.LIVE
    assert driven.session.deadline is not None
    commands = driven.wait(1.0)
    assert [append.record.state.writer for append in of(commands, Append)] == [None]


def test_a_session_of_which_nothing_is_heard_shows_every_minute_that_it_lives() -> None:
    driven = Driven(Session(header(), [opened(1, idle_claims=3)])).streaming()
    driven.wait(ALIVE_S - 1)
    assert of(driven.commands, Append) == []
    for minute in range(1, 4):
        driven.wait(1.0)
        [append] = of(driven.commands, Append)
        assert (append.record.type, append.record.state.idle_claims) == ("progress", 3)
        driven.serve()
        assert len(driven.log) == minute + 1  # one was the first audio's
        assert driven.session.deadline is not None
        driven.wait(ALIVE_S - 1)
    assert all(event.detail_type == "Session Started" for event in published(driven))


def test_a_session_that_is_over_leaves_the_list_of_open_ones_when_all_is_announced() -> None:
    driven = Driven().streaming()
    driven.give(DeepgramClosed(1, 1008, "DATA-0000"))
    assert of(driven.commands, Unlist) == []
    driven.serve()
    assert of(driven.ever, Unlist) == [Unlist(header().session_id, header().requested_at_ms)]


def test_a_session_that_is_put_back_stays_on_the_list_of_open_ones() -> None:
    driven = Driven().streaming()
    driven.give(Release(handle=7))
    driven.serve()
    assert driven.session.phase is Phase.OVER
    assert of(driven.ever, Unlist) == []


def test_a_record_that_the_store_can_never_take_ends_the_session_in_the_log() -> None:
    driven = Driven().streaming()
    driven.give(DeepgramMessage(1, results(0, 0.0, 0.1, ("hi", 0.0, 0.1))))
    driven.commands.clear()
    driven.give(AppendFailed("ValidationException", Refusal_.RECORD))
    driven.serve()
    end = next(record for record in driven.log if isinstance(record, Ended))
    assert (end.outcome, end.reason) == (Outcome.FAILED, "log_refused")
    assert "ValidationException" in end.explanation
    assert [record.type for record in driven.log[-2:]] == ["ended", "announced"]
    assert [event.detail_type for event in published(driven)][-1] == "Session Failed"


def test_a_store_that_refuses_every_record_is_waited_for_and_then_the_session_fails_without_it() -> None:
    driven = Driven().streaming()
    driven.give(DeepgramMessage(1, results(0, 0.0, 0.1, ("hi", 0.0, 0.1))))
    for _ in range(int(REFUSED_S) // 5):
        driven.give(AppendFailed("AccessDeniedException", Refusal_.ALL))
        assert driven.session.phase is Phase.LIVE
        assert of(driven.wait(5.0), Append), "it is tried again"
    commands = driven.give(AppendFailed("AccessDeniedException", Refusal_.ALL))
    [put] = of(commands, PublishToBus)
    assert (put.event.detail_type, put.event.event_id) == ("Session Failed", "s.failed")
    [closed] = frames(commands)
    assert closed == ClosedSession(handle=7, disposition="delete", reason="log_refused")
    assert of(commands, Disconnect)
    assert commands[-1] == Finish()


def test_a_store_that_takes_records_again_in_time_costs_nothing() -> None:
    driven = Driven().streaming()
    for second in range(2):
        said = results(0, float(second), second + 0.1, ("hi", float(second), second + 0.1))
        driven.give(DeepgramMessage(1, said))
        driven.commands.clear()
        driven.give(AppendFailed("AccessDeniedException", Refusal_.ALL))
        driven.wait(REFUSED_S - 1)
        driven.serve()
        driven.give(audio(0))
    assert driven.session.phase is Phase.LIVE
    assert [record.type for record in driven.log].count("final") == 2

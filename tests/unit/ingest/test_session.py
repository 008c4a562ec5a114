"""A session's life: what it asks of its shell, given what happens."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from contracts.audio import samples_of_ms
from contracts.events import SessionRequested
from contracts.link import (
    STREAM_QUIET,
    Abort,
    Accept,
    ClosedSession,
    Credit,
    End,
    EndHint,
    FromIngest,
    Gate,
    Notice,
    Open,
    OpenedSession,
    Refusal,
    Refused,
    Release,
    Rewind,
    Skip,
    Started,
)
from contracts.metrics import MEDIA_REOPENED
from contracts.model import ContactId
from services.ingest.commands import (
    CloseMedia,
    Command,
    Count,
    FindPeer,
    Finish,
    LeavePeer,
    OpenMedia,
    Send,
    SendAudio,
)
from services.ingest.lease import Request
from services.ingest.limits import Limits
from services.ingest.media_faults import Fault
from services.ingest.session import Phase, Session
from tests.unit.ingest.cases import OTHER, Found, fragment, pairs, segment
from tests.unit.ingest.matroska_writer import CONTACT, IDENTITY, T0_MS, UID, tag
from tests.unit.ingest.stereo import expected_stereo
from tests.unit.ingest.test_call_audio import PlainDecoder

START_MS = T0_MS - 300
HANDLE = 7
EVERYTHING = 1 << 40
LIMITS = Limits()


def request(*, paced: bool = False) -> Request:
    detail = SessionRequested.model_validate({
        "event_id": "s.requested",
        "session_id": "s",
        "contact_id": CONTACT,
        "occurred_at": "2026-01-01T00:00:00Z",
        "media": {"stream_arn": "arn:x", "start_fragment_number": "1", "start_timestamp_ms": START_MS},
        "pace_realtime": paced,
    })  # fmt: skip
    return Request(detail, "message-1", "receipt-1")


class Played:
    """A session and everything it asked for; time moves by hand."""

    def __init__(self, limits: Limits = LIMITS, *, paced: bool = False, jitter: float = 0.0) -> None:
        self.session = Session(request(paced=paced), limits, PlainDecoder, jitter)
        self.now = 1000.0
        self.commands: list[Command] = []
        self.does(self.session.start)

    def does(self, step: Callable[[float], list[Command]]) -> list[Command]:
        commands = step(self.now)
        self.commands += commands
        return commands

    def hears(self, **frame: Any) -> list[Command]:
        """A frame from transcribe."""
        kind = frame.pop("kind")
        return self.does(lambda now: self.session.receive(kind(handle=HANDLE, **frame), now))

    def opened(self, *, credit: int = EVERYTHING, **claim: Any) -> "Played":
        self.does(lambda now: self.session.assigned(HANDLE, now))
        self.hears(kind=OpenedSession, **({"epoch": 1, "t0_ms": None, "position_samples": 0} | claim))
        self.hears(kind=Credit, until_samples=credit)
        self.does(self.session.media_opened)
        return self

    def plays(self, *fragments: bytes) -> list[Command]:
        return self.does(lambda now: self.session.media(b"".join(fragments), now))

    def passes(self, seconds: float) -> list[Command]:
        """Time passes; what becomes due in it happens at its time."""
        until = self.now + seconds
        happened: list[Command] = []
        while (at := self.session.deadline) is not None and at <= until:
            self.now = max(self.now, at)
            happened += self.does(self.session.tick)
        self.now = until
        return happened

    def sent(self, kind: type[FromIngest]) -> list[Any]:
        return [c.frame for c in self.commands if isinstance(c, Send) and isinstance(c.frame, kind)]

    @property
    def pcm(self) -> bytes:
        return b"".join(c.pcm for c in self.commands if isinstance(c, SendAudio))

    @property
    def finish(self) -> Finish | None:
        return next((c for c in self.commands if isinstance(c, Finish)), None)


def opens(commands: list[Command]) -> list[int]:
    return [c.start_ms for c in commands if isinstance(c, OpenMedia)]


def stereo(found: list[Found]) -> bytes:
    return expected_stereo(found, T0_MS)


# -- opening


def test_a_request_looks_for_a_peer_and_opens_with_its_lease() -> None:
    played = Played()
    assert played.commands == [FindPeer()]
    [command] = played.does(lambda now: played.session.assigned(HANDLE, now))
    frame = command.frame if isinstance(command, Send) else None
    assert isinstance(frame, Open)
    assert (frame.handle, frame.message_id, frame.receipt_handle) == (HANDLE, "message-1", "receipt-1")
    assert played.session.phase is Phase.OPENING


def test_without_a_peer_it_looks_again_and_at_last_puts_the_request_back() -> None:
    played = Played()
    played.does(played.session.no_peer)
    looks = 0
    while played.finish is None:
        looks += FindPeer() in played.passes(LIMITS.peer_retry_s)
        played.does(played.session.no_peer)
    assert looks > 100
    assert played.finish == Finish("put_back", "no_peer")
    assert played.session.deadline is None


@pytest.mark.parametrize(
    ("refusal", "finish"),
    [
        (Refusal.ALREADY_SERVED, Finish("delete", "already_served")),
        (Refusal.ENDED, Finish("delete", "ended")),
        (Refusal.FAILED, Finish("delete", "failed")),
        (Refusal.BUSY, Finish("put_back", "busy", 3)),
    ],
)
def test_a_refusal_says_what_becomes_of_the_request(refusal: Refusal, finish: Finish) -> None:
    played = Played()
    played.does(lambda now: played.session.assigned(HANDLE, now))
    played.hears(kind=Refused, refusal=refusal, explanation="")
    assert played.finish == finish


def test_a_busy_session_comes_back_when_its_writer_said() -> None:
    played = Played()
    played.does(lambda now: played.session.assigned(HANDLE, now))
    played.hears(kind=Refused, refusal=Refusal.BUSY, explanation="", retry_after_s=9)
    assert played.finish == Finish("put_back", "busy", 9)


@pytest.mark.parametrize("refusal", [Refusal.FULL, Refusal.DRAINING])
def test_a_full_or_draining_peer_makes_it_try_another(refusal: Refusal) -> None:
    played = Played()
    played.does(lambda now: played.session.assigned(HANDLE, now))
    commands = played.hears(kind=Refused, refusal=refusal, explanation="")
    assert [c for c in commands if isinstance(c, LeavePeer | FindPeer)] == [LeavePeer(), FindPeer()]
    assert played.finish is None


def test_a_peer_that_does_not_answer_is_released_and_the_request_put_back() -> None:
    played = Played()
    played.does(lambda now: played.session.assigned(HANDLE, now))
    played.passes(LIMITS.answer_s)
    assert played.sent(Release) == [Release(handle=HANDLE)]
    assert played.finish == Finish("put_back", "no_answer")


# -- reading


def test_a_new_session_is_read_from_connects_start_and_told_before_its_audio() -> None:
    played = Played().opened()
    assert opens(played.commands) == [START_MS]
    found = pairs(0, 34)
    played.plays(fragment(found))
    order = [
        c.frame if isinstance(c, Send) else c for c in played.commands if isinstance(c, Send | SendAudio)
    ]
    first_audio = next(i for i, item in enumerate(order) if isinstance(item, SendAudio))
    assert Started(handle=HANDLE, t0_ms=T0_MS) in order[:first_audio]
    assert played.pcm == stereo(found)[: len(played.pcm)]
    assert len(played.pcm) == samples_of_ms(2100) * 4
    assert played.sent(Gate) == [
        Gate(handle=HANDLE, segment_uids=(UID.hex(),), contact_ids=(ContactId(CONTACT),))
    ]


def test_a_successor_reads_from_the_position_on_and_does_not_begin_anew() -> None:
    position = samples_of_ms(1500)
    played = Played().opened(t0_ms=T0_MS, position_samples=position, segment_uids=(UID.hex(),))
    assert opens(played.commands) == [T0_MS + 500]
    found = pairs(0, 34)
    played.plays(fragment(found, trailing={}))
    assert played.sent(Started) == []
    assert played.pcm == stereo(found)[4 * position :][: len(played.pcm)]
    assert len(played.pcm) == samples_of_ms(600) * 4


def test_without_credit_nothing_is_sent_and_nothing_more_is_read() -> None:
    played = Played().opened(credit=samples_of_ms(1000))
    assert played.session.wants_media
    played.plays(fragment(pairs(0, 34)))
    assert len(played.pcm) == samples_of_ms(1000) * 4
    assert not played.session.wants_media
    assert played.passes(3600) == []
    played.hears(kind=Credit, until_samples=EVERYTHING)
    assert len(played.pcm) == samples_of_ms(2100) * 4
    assert played.session.wants_media


def test_paced_audio_is_not_faster_than_real_time() -> None:
    played = Played(paced=True).opened()
    played.plays(fragment(pairs(0, 34)))
    assert len(played.pcm) == samples_of_ms(100) * 4
    assert not played.session.wants_media
    played.passes(1.0)
    assert len(played.pcm) == samples_of_ms(1100) * 4
    played.passes(1.0)
    assert len(played.pcm) == samples_of_ms(2100) * 4
    assert played.session.wants_media


def test_a_hole_of_a_second_is_told_to_the_peer() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 4)), fragment(pairs(30, 4)))
    notices = played.sent(Notice)
    assert {notice.code for notice in notices} == {"audio_missing"}
    assert "1664 ms of the customer" in notices[0].explanation


def test_a_jump_becomes_a_skip() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 4)), fragment(pairs(1000, 17)))
    assert played.sent(Skip) == []
    played.plays(fragment(pairs(1017, 17)))
    [skip] = played.sent(Skip)
    assert skip.from_samples == samples_of_ms(256)
    following = [c.position for c in played.commands if isinstance(c, SendAudio)]
    assert skip.to_samples in following


def test_what_is_lost_while_nothing_was_read_is_a_skip_and_no_silence_without_a_word() -> None:
    again = Played().opened()
    again.plays(fragment(pairs(0, 17)))
    again.does(again.session.media_ended)
    again.does(again.session.media_opened)
    stalled = Played().opened()
    stalled.plays(fragment(pairs(0, 17)))
    stalled.now += 5
    for played in (again, stalled):
        played.plays(fragment(pairs(51, 17)))
        [skip] = played.sent(Skip)
        assert skip.from_samples == samples_of_ms(17 * 64)
        assert samples_of_ms(51 * 64 - 256 - 100) < skip.to_samples <= samples_of_ms(51 * 64 - 256)
        sent = played.pcm
        came = stereo([*pairs(0, 17), *pairs(51, 17)])
        assert sent == (came[: 4 * skip.from_samples] + came[4 * skip.to_samples :])[: len(sent)]


def test_one_fragment_with_a_wrong_time_moves_nothing_and_is_told() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)), fragment(pairs(1_000_000, 17)), fragment(pairs(34, 17)))
    played.passes(60)
    assert played.sent(Skip) == []
    assert played.pcm == stereo([*pairs(0, 17), *pairs(34, 17)])
    assert "clock_jumped" in [notice.code for notice in played.sent(Notice)]


def test_a_clock_that_goes_back_is_told_and_ends_the_call_if_it_stays_there() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 100)))
    for number in range(-5000, -4000, 17):
        played.plays(fragment(pairs(number, 17)))
        played.passes(1.088)
    assert [notice.code for notice in played.sent(Notice)] == ["clock_went_back"]
    assert played.pcm == stereo(pairs(0, 100))
    assert [end.reason for end in played.sent(End)] == ["misplaced_audio"]


def test_another_format_fails_the_session_with_its_reason() -> None:
    for identity in ({**IDENTITY, "MimeType": "audio/aac"}, {**IDENTITY, "MimeType": "audio/L16;rate=16000"}):
        for wish in ({"trailing": identity}, {"leading": identity}):
            played = Played().opened()
            played.plays(fragment(pairs(0, 34), **wish))
            assert [abort.reason for abort in played.sent(Abort)] == ["unsupported_audio_format"]
            assert played.pcm == b""


def test_another_contacts_format_says_nothing_of_this_call() -> None:
    played = Played().opened()
    theirs = {**OTHER, "MimeType": "audio/aac"}
    played.plays(fragment(pairs(-40, 17), uid=b"\xee" * 16, trailing=theirs), fragment(pairs(0, 34)))
    assert played.sent(Abort) == []
    assert played.pcm == stereo(pairs(0, 34))[: len(played.pcm)]


def test_a_one_sided_call_is_noticed_once() -> None:
    played = Played().opened()
    customer = [found for found in pairs(0, 200) if found[0] == 0]
    for at in range(0, len(customer), 17):
        played.plays(fragment(customer[at : at + 17]))
    [notice] = played.sent(Notice)
    assert notice.code == "one_sided_audio"
    assert "agent" in notice.explanation


# -- bodies


def test_the_end_of_a_body_is_not_the_end_of_the_call() -> None:
    played = Played().opened()
    found = pairs(0, 51)
    played.plays(fragment(found[:34]), fragment(found[34:68]))
    sent = len(played.pcm) // 4
    commands = played.does(played.session.media_ended)
    assert opens(commands) == [T0_MS + sent // 8 - 1000]
    assert Count(MEDIA_REOPENED) in played.does(played.session.media_opened)
    played.plays(fragment(found[34:68]), fragment(found[68:]))
    assert played.pcm == stereo(found)[: len(played.pcm)]
    assert len(played.pcm) == samples_of_ms(3200) * 4


def test_a_body_that_brings_nothing_new_is_followed_by_a_short_wait() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    played.does(played.session.media_ended)
    played.does(played.session.media_opened)
    played.plays(fragment(pairs(0, 17)))
    assert opens(played.does(played.session.media_ended)) == []
    assert len(opens(played.passes(1.0))) == 1


@pytest.mark.parametrize("fault", [Fault.BROKEN, Fault.SILENT, Fault.THROTTLED])
def test_a_passing_fault_is_tried_again_later_and_later(fault: Fault) -> None:
    played = Played().opened()
    waits: list[float] = []
    for _ in range(6):
        played.does(lambda now: played.session.media_failed(fault, now))
        began = played.now
        while not opens(played.does(played.session.tick)):
            played.now = played.session.deadline or played.now
        waits.append(played.now - began)
    assert waits == sorted(waits)
    assert waits[-1] <= 8
    assert played.finish is None


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.NOT_FOUND, "stream_not_found"),
        (Fault.DENIED, "stream_access_denied"),
        (Fault.KEY_UNUSABLE, "stream_key_unusable"),
        (Fault.REFUSED, "stream_request_refused"),
    ],
)
def test_what_trying_again_cannot_help_aborts_with_the_reason(fault: Fault, reason: str) -> None:
    played = Played().opened()
    played.does(lambda now: played.session.media_failed(fault, now))
    [abort] = played.sent(Abort)
    assert abort.reason == reason
    assert played.session.phase is Phase.ENDING
    played.hears(kind=ClosedSession, disposition="delete", reason="failed")
    assert played.finish == Finish("delete", "failed")


def test_an_error_inside_the_body_is_handled_by_its_code() -> None:
    played = Played().opened()
    commands = played.plays(segment(tag("AWS_KINESISVIDEO_ERROR_ID", "5000")))
    assert CloseMedia() in commands
    assert len(opens(played.passes(1.0))) == 1
    played.does(played.session.media_opened)
    played.plays(segment(tag("AWS_KINESISVIDEO_ERROR_ID", "4501")))
    assert [abort.reason for abort in played.sent(Abort)] == ["stream_key_unusable"]


def test_faults_without_an_end_are_given_up_after_a_long_while() -> None:
    played = Played().opened()
    while not played.sent(Abort):
        played.does(lambda now: played.session.media_failed(Fault.BROKEN, now))
        played.passes(5)
        played.does(played.session.media_opened)
    assert played.sent(Abort)[0].reason == "stream_unreadable"
    assert played.now - 1000 == pytest.approx(LIMITS.reading_patience_s, abs=20)


def test_a_scan_error_costs_a_re_open_and_what_came_before_is_kept() -> None:
    played = Played().opened()
    found = pairs(0, 34)
    played.plays(fragment(found[:34]) + b"\0garbage")
    assert len(played.pcm) == samples_of_ms(1000) * 4
    assert opens(played.passes(1.0)) == [T0_MS]
    played.does(played.session.media_opened)
    played.plays(fragment(found[:34]), fragment(found[34:]))
    assert played.pcm == stereo(found)[: len(played.pcm)]


def test_a_fragment_that_can_never_be_walked_is_stepped_over() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 34)))
    starts: list[int] = []
    for _ in range(4):
        played.plays(b"\0garbage")
        starts += opens(played.passes(8.0))
        played.does(played.session.media_opened)
    assert [start - starts[0] for start in starts] == [0, 1000, 2000, 3000]


# -- the end


def test_a_silent_call_ends_ten_seconds_after_its_last_audio() -> None:
    played = Played().opened()
    quiet = [(channel, at_ms, bytes(1024)) for channel, at_ms, _ in pairs(0, 34)]
    played.plays(fragment(quiet))
    played.passes(9.9)
    assert played.sent(End) == []
    played.passes(0.2)
    assert played.sent(End) == [End(handle=HANDLE, position_samples=samples_of_ms(34 * 64), reason="idle")]
    assert played.pcm == stereo(quiet)
    assert played.session.phase is Phase.ENDING


def test_a_call_that_breaks_off_in_speech_is_waited_for_a_minute() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 34)))
    played.passes(7.9)
    assert played.sent(Notice) == []
    played.passes(0.2)
    assert [notice.code for notice in played.sent(Notice)] == [STREAM_QUIET]
    assert played.pcm == stereo(pairs(0, 34))
    played.passes(51.8)
    assert played.sent(End) == []
    played.passes(0.2)
    assert [end.reason for end in played.sent(End)] == ["idle"]


def test_faults_are_not_quiet() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 34)))
    for _ in range(30):
        played.does(lambda now: played.session.media_failed(Fault.THROTTLED, now))
        played.passes(8)
    assert played.sent(End) == []


def test_a_call_without_any_audio_aborts_after_a_minute() -> None:
    played = Played().opened()
    played.passes(61)
    assert [abort.reason for abort in played.sent(Abort)] == ["no_audio"]


def test_another_contact_ends_the_call_after_a_moment() -> None:
    played = Played().opened()
    found = pairs(0, 17)
    commands = played.plays(fragment(found), fragment(pairs(40, 17), uid=b"\xee" * 16, trailing=OTHER))
    assert CloseMedia() in commands
    assert played.pcm == stereo(found)
    assert played.sent(End) == []
    played.passes(LIMITS.transfer_grace_s)
    assert [end.reason for end in played.sent(End)] == ["other_contact"]
    assert played.pcm == stereo(found)


def test_a_transfer_that_is_accepted_in_time_goes_on() -> None:
    played = Played().opened()
    found, transferred = pairs(0, 17), pairs(30, 17)
    both = fragment(found), fragment(transferred, uid=b"\xee" * 16, trailing=OTHER)
    played.plays(*both)
    played.now += 1
    commands = played.hears(kind=Accept, contact_ids=(OTHER["ContactId"],))
    assert len(opens(commands)) == 1
    played.does(played.session.media_opened)
    played.plays(*both)
    assert played.pcm == stereo([*found, *transferred])[: len(played.pcm)]
    assert len(played.pcm) == samples_of_ms(3000) * 4
    assert played.sent(End) == []


def test_the_previous_contact_of_a_stream_ends_nothing() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(-40, 17), uid=b"\xee" * 16, trailing=OTHER), fragment(pairs(0, 34)))
    played.passes(5)
    assert played.sent(End) == []
    assert played.pcm == stereo(pairs(0, 34))[: len(played.pcm)]


def test_after_an_end_hint_the_rest_is_drained_and_the_end_comes_at_once() -> None:
    played = Played().opened()
    found = pairs(0, 51)
    played.plays(fragment(found[:34]))
    played.hears(kind=EndHint, disconnected_at_ms=T0_MS + 51 * 64)
    played.passes(1)
    assert played.sent(End) == []
    played.plays(fragment(found[34:]))
    played.passes(LIMITS.drained_s)
    assert [end.reason for end in played.sent(End)] == ["disconnected"]
    assert played.pcm == stereo(found)


def test_after_an_end_hint_the_end_of_an_idle_body_is_the_end() -> None:
    played = Played().opened()
    found = pairs(0, 17)
    played.plays(fragment(found))
    played.hears(kind=EndHint, disconnected_at_ms=None)
    played.passes(3)
    played.does(played.session.media_ended)
    assert [end.reason for end in played.sent(End)] == ["disconnected"]
    assert played.pcm == stereo(found)


def test_after_an_end_hint_a_body_cut_in_full_flow_is_read_on() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    played.hears(kind=EndHint, disconnected_at_ms=None)
    played.plays(fragment(pairs(17, 17)))
    assert len(opens(played.does(played.session.media_ended))) == 1
    assert played.sent(End) == []


def test_an_end_hint_without_any_more_audio_ends_after_a_while() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    played.hears(kind=EndHint, disconnected_at_ms=T0_MS + 60_000)
    played.passes(LIMITS.drain_s + 0.1)
    assert [end.reason for end in played.sent(End)] == ["disconnected"]


def test_a_hint_does_not_end_what_still_waits_for_credit() -> None:
    played = Played().opened(credit=samples_of_ms(500))
    played.plays(fragment(pairs(0, 17)))
    played.hears(kind=EndHint, disconnected_at_ms=T0_MS + 17 * 64)
    played.passes(3600)
    assert played.sent(End) == []
    played.hears(kind=Credit, until_samples=EVERYTHING)
    played.passes(LIMITS.drained_s)
    assert [end.reason for end in played.sent(End)] == ["disconnected"]
    assert played.pcm == stereo(pairs(0, 17))


def test_the_end_waits_behind_audio_without_credit() -> None:
    played = Played().opened(credit=samples_of_ms(1000))
    played.plays(fragment(pairs(0, 17)))
    played.hears(kind=EndHint, disconnected_at_ms=None)
    played.passes(20)
    assert len(played.pcm) == samples_of_ms(1000) * 4
    assert [end.position_samples for end in played.sent(End)] == []
    played.hears(kind=Credit, until_samples=EVERYTHING)
    assert [end.position_samples for end in played.sent(End)] == [samples_of_ms(17 * 64)]
    assert played.pcm == stereo(pairs(0, 17))


def test_after_the_end_it_waits_for_the_peer_to_close() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    played.passes(60)
    assert played.finish is None
    played.hears(kind=ClosedSession, disposition="delete", reason="completed")
    assert played.finish == Finish("delete", "completed")
    assert played.session.phase is Phase.ENDED


def test_a_peer_that_never_closes_loses_the_session() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    played.passes(60 + LIMITS.closed_s)
    assert played.finish == Finish("put_back", "not_closed")


@pytest.mark.parametrize("disposition", ["delete", "put_back", "leave"])
def test_closed_ends_it_at_any_time_as_it_says(disposition: Any) -> None:
    played = Played().opened()
    played.hears(kind=ClosedSession, disposition=disposition, reason="why")
    assert played.finish == Finish(disposition, "why")
    assert played.plays(fragment(pairs(0, 17))) == []


# -- rewind, lost links, release


def test_a_rewind_sends_the_same_samples_again() -> None:
    played = Played().opened()
    found = pairs(0, 51)
    played.plays(fragment(found[:34]), fragment(found[34:68]))
    before = len(played.commands)
    position = samples_of_ms(700) + 13
    commands = played.hears(kind=Rewind, position_samples=position)
    assert opens(commands) == [T0_MS + 700 + 1 - 1000]
    played.does(played.session.media_opened)
    played.plays(fragment(found[:34]), fragment(found[34:68]), fragment(found[68:]))
    again = [c for c in played.commands[before:] if isinstance(c, SendAudio)]
    assert again[0].position == position
    assert b"".join(c.pcm for c in again) == stereo(found)[4 * position : samples_of_ms(3200) * 4]


def test_a_rewind_after_the_end_ends_again_at_the_same_place() -> None:
    played = Played().opened()
    found = pairs(0, 34)
    played.plays(fragment(found))
    played.passes(61)
    played.hears(kind=Rewind, position_samples=8000)
    assert played.session.phase is Phase.READING
    played.does(played.session.media_opened)
    played.plays(fragment(found))
    played.passes(LIMITS.drained_s)
    ends = played.sent(End)
    assert [end.position_samples for end in ends] == [samples_of_ms(34 * 64)] * 2
    assert played.pcm == stereo(found) + stereo(found)[4 * 8000 :]


def test_a_lost_link_is_replaced_and_the_successor_says_where_to_go_on() -> None:
    played = Played().opened()
    found = pairs(0, 34)
    played.plays(fragment(found))
    commands = played.does(played.session.link_lost)
    assert CloseMedia() in commands
    assert FindPeer() in commands
    played.opened(epoch=2, t0_ms=T0_MS, position_samples=8000, segment_uids=(UID.hex(),))
    before = len(played.pcm)
    played.plays(fragment(found))
    assert played.pcm[before:] == stereo(found)[4 * 8000 : samples_of_ms(2100) * 4]


def test_a_link_that_stays_lost_gives_the_request_back() -> None:
    played = Played().opened()
    played.does(played.session.link_lost)
    while played.finish is None:
        played.does(played.session.no_peer)
        played.passes(LIMITS.peer_retry_s)
    assert played.now - 1000 == pytest.approx(LIMITS.peer_patience_s, abs=1)
    assert played.finish == Finish("put_back", "no_peer")


def test_an_end_hint_outlives_the_link() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    played.hears(kind=EndHint, disconnected_at_ms=T0_MS + 17 * 64)
    played.does(played.session.link_lost)
    played.opened(epoch=2, t0_ms=T0_MS, position_samples=0, segment_uids=(UID.hex(),))
    played.plays(fragment(pairs(0, 17)))
    played.passes(LIMITS.drained_s)
    assert [end.reason for end in played.sent(End)] == ["disconnected"]


def test_a_release_waits_for_the_peer_and_then_puts_the_request_back() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    commands = played.does(played.session.release)
    assert [type(c) for c in commands] == [CloseMedia, Send]
    assert played.sent(Release) == [Release(handle=HANDLE)]
    assert played.finish is None
    played.hears(kind=ClosedSession, disposition="put_back", reason="released")
    assert played.finish == Finish("put_back", "released")


@pytest.mark.parametrize("answered", [True, False])
def test_a_release_is_not_waited_for_longer_than_the_process_has(answered: bool) -> None:
    played = Played(replace(LIMITS, release_s=2)).opened()
    played.does(played.session.release)
    if answered:
        played.does(played.session.link_lost)
    else:
        played.passes(2)
    assert played.finish is not None
    assert played.finish.disposition == "put_back"


def test_a_request_without_a_peer_is_released_at_once() -> None:
    played = Played()
    played.does(played.session.no_peer)
    played.does(played.session.release)
    assert played.finish == Finish("put_back", "released")


def test_nothing_moves_an_ended_session() -> None:
    played = Played().opened()
    played.hears(kind=ClosedSession, disposition="leave", reason="fenced")
    session = played.session
    for step in (session.link_lost, session.release, session.media_opened, session.media_ended, session.tick):
        assert played.does(step) == []
    assert played.hears(kind=Credit, until_samples=9) == []

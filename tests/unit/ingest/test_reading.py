"""One claim's way through the stream: bodies, faults, and what is told of the audio."""

import pytest

from contracts.audio import samples_of_ms
from contracts.link import (
    Abort,
    ClosedSession,
    Credit,
    End,
    Gate,
    Notice,
    Rewind,
    Skip,
    Started,
)
from contracts.metrics import MALFORMED_FRAGMENTS, MEDIA_REOPENED
from contracts.model import ContactId
from services.ingest.commands import (
    CloseMedia,
    Count,
    Finish,
    Send,
    SendAudio,
)
from services.ingest.media_faults import Fault
from services.ingest.session import Phase
from tests.unit.ingest.cases import OTHER, A, fragment, pairs, segment
from tests.unit.ingest.matroska_writer import (
    CONTACT,
    IDENTITY,
    T0_MS,
    UID,
    cluster,
    element,
    simple_block,
    tag,
    unknown_size,
)
from tests.unit.ingest.played import EVERYTHING, HANDLE, LIMITS, START_MS, Played, opens, stereo


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


def test_a_hole_of_both_sides_is_told_to_the_peer_with_its_range() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 4)), fragment(pairs(30, 4)))
    assert [(n.code, n.from_samples, n.to_samples) for n in played.sent(Notice)] == [
        ("audio_missing", samples_of_ms(4 * 64), samples_of_ms(30 * 64))
    ]


def test_a_hole_of_one_side_is_told_without_a_range() -> None:
    played = Played().opened()
    agent = [found for found in pairs(4, 26) if found[0] is A]
    played.plays(fragment(pairs(0, 4)), fragment(agent), fragment(pairs(30, 4)))
    [notice] = played.sent(Notice)
    assert (notice.code, notice.from_samples) == ("audio_missing", None)
    assert "1664 ms of the customer" in notice.explanation


def test_a_jump_becomes_a_skip() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 4)), fragment(pairs(1000, 17)))
    assert played.sent(Skip) == []
    played.plays(fragment(pairs(1017, 17)))
    [skip] = played.sent(Skip)
    told = [c.frame for c in played.commands if isinstance(c, Send) and isinstance(c.frame, Skip | Notice)]
    assert isinstance(told[0], Notice), "the exact range comes first"
    assert (told[0].from_samples, told[0].to_samples) == (skip.from_samples, samples_of_ms(64_000))
    assert skip.from_samples == samples_of_ms(256)
    following = [c.position for c in played.commands if isinstance(c, SendAudio)]
    assert skip.to_samples in following


def test_what_is_lost_while_nothing_was_read_is_told() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    played.does(played.session.media_ended)
    played.does(played.session.media_opened)
    played.plays(fragment(pairs(51, 17)))
    assert played.sent(Skip) == []
    assert {notice.code for notice in played.sent(Notice)} == {"audio_missing"}
    assert played.pcm == stereo([*pairs(0, 17), *pairs(51, 17)])[: len(played.pcm)]


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


def test_a_live_call_whose_clock_went_back_two_minutes_goes_on_when_it_has_caught_up() -> None:
    played = Played().opened()
    first, behind = 3000, 120_000 // 64
    played.plays(fragment(pairs(0, 17)), *(fragment(pairs(n, 17)) for n in range(17, first, 17)))
    last = list(range(17, first, 17))[-1] + 17
    for number in range(last - behind, last + 34, 17):
        played.passes(1.088)
        played.plays(fragment(pairs(number, 17)))
    assert played.sent(End) == []
    assert [notice.code for notice in played.sent(Notice)] == ["clock_went_back"]
    assert len(played.pcm) >= samples_of_ms((last + 30) * 64) * 4


def test_a_clock_that_went_back_in_a_stream_that_ends_is_no_call_that_goes_on() -> None:
    played = Played().opened()
    played.plays(*(fragment(pairs(n, 17)) for n in range(0, 3000, 17)), fragment(pairs(1000, 17)))
    played.passes(69)
    assert [end.reason for end in played.sent(End)] == ["misplaced_audio"]


def test_a_wrong_time_before_a_quiet_moves_nothing_when_the_call_goes_on() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)), fragment(pairs(100_000, 17)))
    played.passes(9)
    played.plays(fragment(pairs(140, 17)))
    assert played.sent(Skip) == []
    assert played.pcm == stereo([*pairs(0, 17), *pairs(140, 17)])[: len(played.pcm)]
    assert len(played.pcm) > samples_of_ms(150 * 64) * 4


@pytest.mark.parametrize("first_ms", [-5, 1 << 47, T0_MS + 3_600_000])
def test_a_first_fragment_of_a_wrong_time_costs_itself_alone(first_ms: int) -> None:
    played = Played().opened()
    body = cluster(max(0, first_ms), simple_block(1, min(0, first_ms), b"ab"), simple_block(2, 0, b"cd"))
    played.plays(segment(body), fragment(pairs(0, 17)))
    assert [started.t0_ms for started in played.sent(Started)] == [T0_MS]
    assert played.pcm == stereo(pairs(0, 17))[: len(played.pcm)]


@pytest.mark.parametrize("time", [bytes(8) + b"\1", bytes(2_000), b"\xff" * 8])
def test_a_time_that_is_none_is_malformed(time: bytes) -> None:
    played = Played().opened()
    played.plays(segment(unknown_size("1f43b675"), element("e7", time)))
    assert Count(MALFORMED_FRAGMENTS) in played.commands
    assert len(opens(played.passes(1))) == 1


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


def test_a_one_sided_call_is_noticed_once_after_ten_seconds() -> None:
    played = Played().opened()
    customer = [found for found in pairs(0, 300) if found[0] == 0]
    for number, block in enumerate(customer):
        played.plays(fragment([block]))
        told = len(played.pcm) >= samples_of_ms(10_000) * 4
        assert len(played.sent(Notice)) == told, number
    [notice] = played.sent(Notice)
    assert notice.code == "one_sided_audio"
    assert "agent" in notice.explanation


@pytest.mark.parametrize(("position_ms", "told"), [(9_900, 1), (10_000, 0)])
def test_a_one_sided_call_is_noticed_by_a_successor_of_its_first_seconds(position_ms: int, told: int) -> None:
    position = samples_of_ms(position_ms)
    played = Played().opened(t0_ms=T0_MS, position_samples=position, segment_uids=(UID.hex(),))
    customer = [found for found in pairs(130, 200) if found[0] == 0]
    for at in range(0, len(customer), 17):
        played.plays(fragment(customer[at : at + 17]))
        if len(played.pcm) < samples_of_ms(9_500) * 4:
            assert played.sent(Notice) == []
    assert [notice.code for notice in played.sent(Notice)] == ["one_sided_audio"] * told


def test_a_rewind_forgets_no_side_that_was_heard() -> None:
    played = Played().opened()
    found = pairs(0, 200)
    customer = [each for each in found if each[0] == 0]
    played.plays(fragment(found[:34]), fragment(found[34:68]))
    played.hears(kind=Rewind, position_samples=samples_of_ms(2_000))
    played.hears(kind=Credit, until_samples=EVERYTHING)
    played.does(played.session.media_opened)
    for at in range(30, len(customer), 17):
        played.plays(fragment(customer[at : at + 17]))
    assert "one_sided_audio" not in [notice.code for notice in played.sent(Notice)]


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

"""When a call counts as over, and what is still read then."""

from typing import Any

import pytest

from contracts.audio import samples_of_ms
from contracts.link import (
    STREAM_QUIET,
    Abort,
    Accept,
    ClosedSession,
    Credit,
    End,
    EndHint,
    Notice,
)
from services.ingest.commands import (
    CloseMedia,
    Finish,
)
from services.ingest.media_faults import Fault
from services.ingest.session import Phase
from tests.unit.ingest.cases import OTHER, fragment, pairs
from tests.unit.ingest.matroska_writer import T0_MS
from tests.unit.ingest.played import EVERYTHING, HANDLE, LIMITS, Played, opens, stereo


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


def test_a_call_whose_audio_all_has_a_time_that_cannot_be_aborts_too() -> None:
    played = Played().opened()
    played.plays(*(fragment(pairs(n, 17)) for n in range(1_000_000, 1_000_100, 17)))
    played.passes(61)
    assert [abort.reason for abort in played.sent(Abort)] == ["no_audio"]
    assert played.sent(End) == []


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


def test_after_an_end_hint_a_body_that_ends_before_the_calls_end_is_followed_by_another() -> None:
    played = Played().opened()
    found = pairs(0, 51)
    played.plays(fragment(found[:34]))
    played.hears(kind=EndHint, disconnected_at_ms=T0_MS + 51 * 64)
    played.passes(3)
    assert len(opens(played.does(played.session.media_ended))) == 1
    assert played.sent(End) == []
    played.does(played.session.media_opened)
    played.plays(fragment(found[34:]))
    played.now += LIMITS.drained_s
    played.does(played.session.media_ended)
    assert [end.reason for end in played.sent(End)] == ["disconnected"]
    assert played.pcm == stereo(found)


def test_after_an_end_hint_a_body_that_is_refused_at_once_says_nothing() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    played.hears(kind=EndHint, disconnected_at_ms=T0_MS + 60_000)
    played.passes(3)
    played.does(played.session.media_ended)
    played.does(played.session.media_opened)
    played.does(played.session.media_ended)
    assert played.sent(End) == []


def test_after_an_end_hint_a_body_that_brings_nothing_new_is_the_end() -> None:
    played = Played().opened()
    found = pairs(0, 17)
    played.plays(fragment(found))
    played.hears(kind=EndHint, disconnected_at_ms=T0_MS + 60_000)
    played.does(played.session.media_ended)
    played.does(played.session.media_opened)
    played.plays(fragment(found))
    assert played.sent(End) == []
    played.passes(3)
    played.does(played.session.media_ended)
    assert [end.reason for end in played.sent(End)] == ["disconnected"]


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

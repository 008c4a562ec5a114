"""A session's life: claim, lost links, release; what it asks of its shell, given what happens."""

from dataclasses import replace

import pytest

from contracts.audio import samples_of_ms
from contracts.link import (
    ClosedSession,
    Credit,
    End,
    EndHint,
    Open,
    Refusal,
    Refused,
    Release,
    Rewind,
)
from services.ingest.commands import (
    CloseMedia,
    FindPeer,
    Finish,
    LeavePeer,
    Send,
    SendAudio,
)
from services.ingest.session import Phase
from tests.unit.ingest.cases import fragment, pairs
from tests.unit.ingest.matroska_writer import T0_MS, UID
from tests.unit.ingest.played import HANDLE, LIMITS, Played, opens, request, stereo


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


def test_a_claim_that_is_under_way_when_patience_ends_is_released() -> None:
    played = Played()
    played.does(played.session.no_peer)
    played.passes(LIMITS.peer_patience_s - 1)
    played.does(lambda now: played.session.assigned(HANDLE, now))
    played.passes(1)
    assert played.sent(Release) == [Release(handle=HANDLE)]
    assert played.finish == Finish("put_back", "no_peer")


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
    assert not [c for c in played.commands[before:] if isinstance(c, SendAudio)], "credit is given anew"
    played.hears(kind=Credit, until_samples=1 << 40)
    again = [c for c in played.commands[before:] if isinstance(c, SendAudio)]
    assert again[0].position == position
    assert b"".join(c.pcm for c in again) == stereo(found)[4 * position : samples_of_ms(3200) * 4]


def test_a_rewind_after_the_end_ends_again_at_the_same_place() -> None:
    played = Played().opened()
    found = pairs(0, 34)
    played.plays(fragment(found))
    played.passes(61)
    played.hears(kind=Rewind, position_samples=8000)
    played.hears(kind=Credit, until_samples=1 << 40)
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


def test_a_session_that_was_given_away_is_left_to_whoever_has_it() -> None:
    played = Played().opened()
    played.plays(fragment(pairs(0, 17)))
    commands = played.does(lambda now: played.session.link_lost(now, given_away=True))
    assert CloseMedia() in commands
    assert FindPeer() not in commands
    assert played.finish == Finish("leave", "slept")


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


@pytest.mark.parametrize(
    ("refusal", "finish"),
    [
        (Refusal.FULL, Finish("put_back", "released")),
        (Refusal.DRAINING, Finish("put_back", "released")),
        (Refusal.BUSY, Finish("put_back", "released")),
        (Refusal.ENDED, Finish("delete", "ended")),
    ],
)
def test_a_refusal_that_crosses_a_release_is_its_answer(refusal: Refusal, finish: Finish) -> None:
    played = Played()
    played.does(lambda now: played.session.assigned(HANDLE, now))
    played.does(played.session.release)
    played.hears(kind=Refused, refusal=refusal, explanation="")
    assert played.finish == finish


def test_a_message_that_was_received_again_opens_with_its_newest_receipt_handle() -> None:
    played = Played().opened()
    played.session.renew(replace(request(), receipt_handle="receipt-2"))
    played.does(played.session.link_lost)
    played.opened(epoch=2)
    assert [opened.receipt_handle for opened in played.sent(Open)] == ["receipt-1", "receipt-2"]


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

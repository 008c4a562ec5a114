"""Alarms, outbox, lease, quota, and the schedules of retries."""

import pytest

from contracts.link import End, Skip, Started
from services.ingest.alarms import Alarms
from services.ingest.commands import Send, SendAudio
from services.ingest.laid import Chunk
from services.ingest.lease import Extend, HandOver, Lease
from services.ingest.limits import Limits
from services.ingest.media_faults import FATAL, IN_BAND, Fault, delay_s
from services.ingest.outbox import Outbox
from services.ingest.pulse import GIVEN_AWAY_AFTER_S, Pulse
from services.ingest.quota import Quota
from services.ingest.redial import redial_s


def chunk(position: int, samples: int = 800) -> Chunk:
    return Chunk(position, bytes(4 * samples))


def audio(*positions: int) -> list[SendAudio]:
    return [SendAudio(position, bytes(3200)) for position in positions]


# -- alarms


def test_alarms_ring_once_earliest_first() -> None:
    alarms: Alarms[str] = Alarms()
    alarms.set("b", 2.0)
    alarms.set("a", 1.0)
    alarms.set("c", 9.0)
    assert alarms.deadline == 1.0
    assert alarms.due(5.0) == ["a", "b"]
    assert alarms.due(5.0) == []
    alarms.clear("c")
    assert alarms.deadline is None


def test_an_alarm_that_was_put_off_rings_at_its_new_time_alone() -> None:
    alarms: Alarms[str] = Alarms()
    alarms.set("a", 1.0)
    alarms.set("a", 3.0)
    assert alarms.due(1.0) == []
    assert alarms.deadline == 3.0
    assert alarms.due(3.0) == ["a"]


# -- outbox


def test_audio_waits_for_credit() -> None:
    outbox = Outbox(paced=False)
    outbox.add(chunk(0))
    outbox.add(chunk(800))
    assert outbox.take(0) == []
    outbox.allow(1599)
    assert outbox.take(0) == audio(0)
    outbox.allow(1600)
    outbox.allow(900)
    assert outbox.take(0) == audio(800)


def test_control_frames_keep_their_place_among_the_audio() -> None:
    outbox = Outbox(paced=False)
    started = Started(handle=1, t0_ms=5)
    skip = Skip(handle=1, from_samples=800, to_samples=9600, cause="audio_missing")
    end = End(handle=1, position_samples=10_400, reason="idle")
    for item in (started, chunk(0), skip, chunk(9600), end):
        outbox.add(item)
    assert outbox.take(0) == [Send(started)]
    outbox.allow(800)
    assert outbox.take(0) == [*audio(0), Send(skip)]
    outbox.allow(20_000)
    assert outbox.take(0) == [*audio(9600), Send(end)]
    assert not outbox


def test_paced_audio_goes_when_it_is_due() -> None:
    outbox = Outbox(paced=True)
    outbox.allow(1 << 40)
    for position in (0, 800, 1600):
        outbox.add(chunk(position))
    assert outbox.take(10.0) == audio(0)
    assert outbox.deadline == pytest.approx(10.1)
    assert outbox.take(10.15) == audio(800)
    assert outbox.deadline == pytest.approx(10.2)


def test_a_cleared_outbox_paces_from_its_next_chunk() -> None:
    outbox = Outbox(paced=True)
    outbox.allow(1 << 40)
    outbox.add(chunk(0))
    outbox.take(0)
    outbox.clear()
    outbox.allow(1 << 40)
    outbox.add(chunk(80_000))
    assert outbox.take(1.0) == audio(80_000)


def test_without_credit_there_is_nothing_to_wait_for() -> None:
    outbox = Outbox(paced=True)
    outbox.add(chunk(0))
    assert outbox.take(1.0) == []
    assert outbox.deadline is None


# -- lease


def test_a_lease_is_extended_three_times_within_its_visibility() -> None:
    lease = Lease(100.0, Limits())
    assert lease.decide(119.9) is None
    assert lease.decide(120.0) == Extend(60)
    assert lease.decide(121.0) is None
    assert lease.decide(140.0) == Extend(60)


def test_a_lease_is_handed_over_once_before_sqs_ends_it() -> None:
    hand_over_s = Limits().hand_over_s
    lease = Lease(0.0, Limits())
    assert lease.decide(hand_over_s) == HandOver()
    assert lease.decide(hand_over_s + 1) == Extend(60)
    assert hand_over_s < 12 * 3600


# -- pulse


def test_a_sleep_is_noticed_by_whoever_asks_first_after_it() -> None:
    pulse = Pulse(100.0)
    pulse.beat(101.0)
    assert pulse.slept_since(100.5, 106.0)
    pulse.beat(106.1)
    assert pulse.slept_since(101.0, 107.0)
    assert not pulse.slept_since(101.1, 107.0), "what came to be held since then is not given away"


def test_a_sleep_that_a_peer_forgives_is_none() -> None:
    pulse = Pulse(100.0)
    assert not pulse.slept_since(0.0, 100.0 + GIVEN_AWAY_AFTER_S)


# -- quota and schedules


def test_no_second_holds_more_calls_than_the_quota() -> None:
    quota = Quota(5)
    turns = [now + quota.take(now) for now in (0.0, 0.0, 0.1, 0.1, 0.2, 0.2, 0.2, 0.3)]
    assert turns == pytest.approx([0.0, 0.0, 0.1, 0.1, 0.2, 1.0, 1.0, 1.1])
    assert not quota.idle(2.0)
    assert quota.idle(2.2)


def test_delays_grow_to_a_limit_and_jitter_takes_a_half_at_most() -> None:
    assert [delay_s(Fault.THROTTLED, attempt, 0.0) for attempt in (1, 2, 3, 4, 5, 99)] == [1, 2, 4, 8, 8, 8]
    assert delay_s(Fault.THROTTLED, 1, 0.999) > 0.5
    assert delay_s(Fault.BROKEN, 1, 0.0) == 0.1


def test_every_fault_of_the_operators_making_ends_the_session() -> None:
    assert set(FATAL) == {Fault.NOT_FOUND, Fault.DENIED, Fault.KEY_UNUSABLE, Fault.REFUSED}
    assert len({fatal.reason for fatal in FATAL.values()}) == len(FATAL)


def test_every_in_band_error_of_get_media_has_a_meaning() -> None:
    assert set(IN_BAND) == {"3002", "4000", "5000", *(str(code) for code in range(4500, 4507))}


def test_a_link_is_redialled_at_once_and_then_every_two_seconds_at_most() -> None:
    assert redial_s(1, 0.0) == 0.05
    assert redial_s(50, 0.0) == 2.0
    assert redial_s(50, 0.999) > 1.0

"""What a courier makes of its callback's answers, for the session and for others of the endpoint."""

import uuid

import pytest

from contracts.delivery import ParkCause
from contracts.queue import ReplayCause
from services.delivery.outcome import Answered
from services.delivery.retry import Schedules
from tests.integration.delivery.desk import URL, desk
from tests.integration.delivery.surroundings import Surroundings, become
from tests.unit.delivery.messages import message

DOWN = Answered(503)


async def test_a_session_that_alone_fails_waits_alone(alone: Surroundings, session: str) -> None:
    bad, good = f"{session}-bad", f"{session}-good"
    for each in (bad, good):
        alone.add_session(each, URL)
    async with desk(alone, schedules=Schedules(logged=(900,), park_from_s=1e-6), answers=[DOWN]) as its:
        alone.say(bad, 1, 2)
        await its.serve(2)
        parked = alone.parked(bad)
        assert parked
        assert (parked.cause, parked.attempts, parked.last_status) == (ParkCause.FAILING, 1, 503)
        alone.say(good, 1)
        await its.serve()
        assert alone.mark(good) == (1, 0)
        alone.ask_for_replay(bad, ReplayCause.DUE)
        await its.serve()
        assert its.callback.ids == ["1", "1", "1", "2"]
        assert alone.mark(bad) == (2, 0)
        assert alone.parked(bad) is None
        assert alone.waiting() == 0


async def test_an_endpoint_that_asks_for_time_gets_it_and_its_sessions_wait_in_the_store(
    alone: Surroundings, session: str
) -> None:
    sessions = [f"{session}-{i}" for i in range(3)]
    async with desk(alone, answers=[Answered(429, 900.0)]) as its:
        for each in sessions:
            alone.add_session(each, URL)
            alone.say(each, 1, 2)
            await its.serve(2)
            parked = alone.parked(each)
            assert parked
            assert parked.cause is ParkCause.FAILING
            assert parked.wake_at_ms - its.gate.breaker.paused_until_ms in range(2)
        assert its.callback.ids == ["1"]
        assert alone.waiting() == 0
        alone.ask_for_replay(sessions[1], ReplayCause.DUE)  # too early: it is parked anew
        await its.serve()
        assert its.callback.ids == ["1"]
    async with desk(alone) as later:
        for each in sessions:
            alone.ask_for_replay(each, ReplayCause.DUE)
            await later.serve()
            assert alone.mark(each) == (2, 0)
            assert alone.parked(each) is None
        assert later.callback.ids == ["1", "2"] * 3


async def test_after_gone_in_a_replay_nothing_more_is_posted_and_all_the_rest_is_told(
    alone: Surroundings, session: str
) -> None:
    alone.add_session(session, URL)
    async with desk(alone, answers=[Answered(503, 900.0)]) as its:
        alone.say(session, 1, 2)
        await its.serve(2)
    async with desk(alone, answers=[Answered(410)]) as later:
        alone.ask_for_replay(session, ReplayCause.DUE)
        await later.serve()
        alone.say(session, 3)
        await later.serve()
        assert later.callback.ids == ["1"]
        assert alone.undelivered(session) == [1, 2, 3]
        assert alone.mark(session) == (3, 0)
        await become(lambda: alone.dead_letters(session), ["gone"] * 3)
        await become(lambda: len(alone.failures(session)), 3)


async def test_a_gone_endpoint_that_is_gone_still_when_it_is_redriven_is_left_alone(
    alone: Surroundings, session: str
) -> None:
    alone.add_session(session, URL)
    async with desk(alone, answers=[Answered(410), Answered(410)]) as its:
        alone.say(session, 1, 2)
        await its.serve(2)
        alone.ask_for_replay(session, ReplayCause.REDRIVE)
        await its.serve()
        alone.say(session, 3)
        await its.serve()
        assert its.callback.ids == ["1", "1"]
        assert alone.undelivered(session) == [1, 2, 3]


async def test_a_redrive_ends_at_the_first_failure(alone: Surroundings, session: str) -> None:
    alone.add_session(session, URL)
    async with desk(alone, answers=[Answered(410), Answered(200), DOWN]) as its:
        alone.say(session, 1, 2, 3)
        await its.serve(3)
        alone.ask_for_replay(session, ReplayCause.REDRIVE)
        await its.serve()
        assert its.callback.ids == ["1", "1", "2"]
        assert alone.undelivered(session) == [2, 3]


@pytest.mark.parametrize("answer", [Answered(200), Answered(400)])
async def test_what_a_stale_writer_still_says_is_not_posted_after_its_successor_by_whoever_has_it(
    alone: Surroundings, session: str, answer: Answered
) -> None:
    alone.add_session(session, URL)
    async with desk(alone) as one, desk(alone, answers=[answer, answer]) as other:
        alone.say(session, 1)
        await one.serve()
        alone.send(message(1, 1, session=session))
        await one.serve()
        alone.send(message(2, 1, session=session))  # its record opens the successor's epoch
        await other.serve()
        alone.send(message(1, 2, session=session))
        await one.serve()
        assert one.callback.ids == ["1", "1.1"]
        assert set(other.callback.ids) == {"2.1"}
        assert alone.waiting() == 0


async def test_what_is_sent_again_when_the_queue_has_forgotten_its_id_reaches_the_callback_once(
    alone: Surroundings, session: str
) -> None:
    """SQS swallows a repeat for five minutes; another id stands for an outage that lasts longer."""
    alone.add_session(session, URL)
    sent = [alone.log(session, n) for n in (1, 2)]
    async with desk(alone) as its:
        alone.send(*sent)
        await its.serve(2)
        alone.send(sent[1])
        assert alone.waiting() == 0, "it is swallowed"
        alone.send_text(sent[1].model_dump_json(), session, uuid.uuid4().hex)
        assert alone.waiting() == 1
        await its.serve()
    async with desk(alone) as later:
        alone.send_text(sent[1].model_dump_json(), session, uuid.uuid4().hex)
        alone.say(session, 3)
        await later.serve(2)
    assert [its.callback.ids, later.callback.ids] == [["1", "2"], ["3"]]
    assert alone.mark(session) == (3, 0)
    assert alone.waiting() == 0

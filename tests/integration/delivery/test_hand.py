"""What a courier does when the lock on a session's messages lapses under its hands."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from contracts.delivery import ParkCause, ParkedSession, parked_key
from contracts.model import SessionId
from contracts.queue import ReplayCause
from services.delivery.outcome import Answered
from tests.integration.delivery.desk import ENDPOINT, URL, desk
from tests.integration.delivery.in_between import InBetween, in_between
from tests.integration.delivery.surroundings import WITHIN_S, Surroundings, become
from tests.unit.delivery.messages import CONTACT


@pytest.fixture
async def table(alone: Surroundings) -> AsyncGenerator[InBetween]:
    """No mark is written for now."""
    async with in_between(alone.aws.url) as between:
        between.refusing = b'"delivery"'
        yield between


def parked(session: str) -> ParkedSession:
    return ParkedSession(
        session_id=SessionId(session),
        contact_id=CONTACT,
        endpoint=ENDPOINT,
        cause=ParkCause.FAILING,
        parked_at_ms=1,
        wake_at_ms=1,
        failing_since_ms=None,
        attempts=0,
    )


@pytest.mark.parametrize("cause", [None, ReplayCause.DUE])
async def test_what_lapsed_at_the_gate_of_its_endpoint_is_not_posted(
    alone: Surroundings, session: str, cause: ReplayCause | None
) -> None:
    alone.add_session(session, URL)
    async with desk(alone, visibility_s=1) as its:
        if cause is None:
            alone.say(session, 1, 2)
            taken = await its.take(2)
        else:
            alone.log(session, 1)
            alone.put(parked_key(SessionId(session)), parked(session))
            alone.ask_for_replay(session, cause)
            taken = await its.take(1)
        assert await its.gate.enter()
        serving = asyncio.create_task(its.courier.serve(taken))
        await become(lambda: its.holds(taken), False)
        its.gate.leave(Answered(200))
        await asyncio.wait_for(serving, WITHIN_S)
        assert its.callback.ids == []
        assert not taken.receipts
        assert its.gate.is_idle
        assert alone.mark(session) is None


async def test_a_session_goes_on_when_its_mark_is_written(
    alone: Surroundings, table: InBetween, session: str
) -> None:
    alone.add_session(session, URL)
    alone.say(session, 1, 2)
    async with desk(alone, aws_url=table.url) as its:
        serving = asyncio.create_task(its.courier.serve(await its.take(2)))
        await become(lambda: table.refused >= 2, True)
        assert its.callback.ids == ["1"]
        table.refusing = None
        await asyncio.wait_for(serving, WITHIN_S)
        assert its.callback.ids == ["1", "2"]
        assert alone.mark(session) == (2, 0)


async def test_a_session_whose_lock_lapses_before_its_mark_is_written_is_let_go(
    alone: Surroundings, table: InBetween, session: str
) -> None:
    alone.add_session(session, URL)
    alone.say(session, 1, 2)
    async with desk(alone, aws_url=table.url, visibility_s=4) as its:
        taken = await its.take(2)
        serving = asyncio.create_task(its.courier.serve(taken))
        await become(lambda: table.refused >= 1, True)
        for receipt in taken.receipts:
            its.in_hand.forget(receipt)
        await asyncio.wait_for(serving, WITHIN_S)
        assert its.callback.ids == ["1"]
        assert not taken.receipts
        table.refusing = None
        await asyncio.wait_for(its.courier.serve(await its.take(2)), WITHIN_S)
        assert its.callback.ids == ["1", "1", "2"]


async def test_what_was_taken_is_deleted_without_its_mark_when_the_process_stops(
    alone: Surroundings, table: InBetween, session: str
) -> None:
    alone.add_session(session, URL)
    alone.say(session, 1, 2)
    async with desk(alone, aws_url=table.url) as its:
        serving = asyncio.create_task(its.courier.serve(await its.take(2)))
        await become(lambda: table.refused >= 1, True)
        its.patience.end()
        await asyncio.wait_for(serving, WITHIN_S)
        await its.delete()
        assert alone.waiting() == 1
        [left] = await its.queue.receive()
        assert '"n":2' in left.body


async def test_a_session_whose_lock_lapses_stays_parked(alone: Surroundings, session: str) -> None:
    alone.add_session(session, URL)
    alone.put(parked_key(SessionId(session)), parked(session))
    alone.ask_for_replay(session, ReplayCause.DUE)
    async with in_between(alone.aws.url) as between, desk(alone, aws_url=between.url) as its:
        between.operation, between.refusing = "DeleteItem", b"parked"
        taken = await its.take(1)
        serving = asyncio.create_task(its.courier.serve(taken))
        await become(lambda: between.refused >= 1, True)
        for receipt in taken.receipts:
            its.in_hand.forget(receipt)
        between.refusing = None
        await asyncio.wait_for(serving, WITHIN_S)
        assert alone.parked(session) is not None

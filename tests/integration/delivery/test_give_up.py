"""A message is given up by several writes: a process may die between any two of them."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from contracts.queue import ReplayCause
from services.delivery.outcome import Answered
from services.delivery.retry import Schedules
from tests.integration.delivery.desk import URL, Desk, desk
from tests.integration.delivery.in_between import InBetween, in_between
from tests.integration.delivery.surroundings import WITHIN_S, Surroundings, become

GONE = Answered(410)
BEFORE_IT_IS_KEPT = [("PutItem", b'"undelivered"'), ("PutItem", b'"undelivered#')]
AFTERWARDS = [("SendMessage", b"MessageBody"), ("PutEvents", b"Delivery Failed"), ("PutItem", b'"delivery"')]


@pytest.fixture
async def between(alone: Surroundings) -> AsyncGenerator[InBetween]:
    async with in_between(alone.aws.url) as made:
        yield made


async def die(its: Desk, between: InBetween, operation: str, content: bytes) -> None:
    """Begins to work, and ends for good when it would write this."""
    between.operation, between.refusing = operation, content
    serving = asyncio.create_task(its.courier.serve(await its.take(1)))
    await become(lambda: between.refused >= 1, True)
    its.patience.end()
    await asyncio.wait_for(serving, WITHIN_S)
    between.refusing = None


@pytest.mark.parametrize(("operation", "content"), BEFORE_IT_IS_KEPT)
async def test_what_was_not_kept_is_tried_again(
    alone: Surroundings, between: InBetween, session: str, operation: str, content: bytes
) -> None:
    alone.add_session(session, URL)
    alone.say(session, 1)
    async with desk(alone, aws_url=between.url, answers=[GONE]) as its:
        await die(its, between, operation, content)
    assert alone.undelivered(session) == []
    async with desk(alone) as later:
        await later.serve()
        assert later.callback.ids == ["1"]
    assert alone.mark(session) == (1, 0)
    assert alone.undelivered(session) == []


@pytest.mark.parametrize(("operation", "content"), AFTERWARDS)
@pytest.mark.parametrize("replayed", [False, True])
async def test_what_was_kept_is_given_up_to_the_end_and_not_posted_again(
    alone: Surroundings, between: InBetween, session: str, operation: str, content: bytes, *, replayed: bool
) -> None:
    alone.add_session(session, URL)
    alone.say(session, 1)
    if replayed:
        async with desk(alone, schedules=Schedules(park_from_s=1e-6), answers=[Answered(503)]) as before:
            await before.serve()
        alone.ask_for_replay(session, ReplayCause.DUE)
    async with desk(alone, aws_url=between.url, answers=[GONE]) as its:
        await die(its, between, operation, content)
    assert alone.undelivered(session) == [1]
    assert alone.mark(session) is None
    alone.say(session, 2)
    async with desk(alone) as later:
        await later.serve(2)
        assert later.callback.ids == ["2"]
    assert alone.mark(session) == (2, 0)
    assert alone.undelivered(session) == [1]
    await become(lambda: alone.dead_letters(session), ["gone"])
    await become(lambda: {failed.reason for failed in alone.failures(session)}, {"gone"})
    async with desk(alone) as at_last:
        alone.ask_for_replay(session, ReplayCause.REDRIVE)
        await at_last.serve()
        assert at_last.callback.ids == ["1"]
    assert alone.undelivered(session) == []

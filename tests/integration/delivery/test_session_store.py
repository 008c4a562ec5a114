"""What delivery believes of a session is what the store has, whatever the store answers."""

from contracts.model import SessionId
from contracts.session import DeliveryMark, delivery_mark_key
from tests.integration.delivery.desk import URL, desk
from tests.integration.delivery.in_between import in_between
from tests.integration.delivery.surroundings import Surroundings


async def test_items_that_the_store_did_not_look_for_are_not_taken_for_absent(
    alone: Surroundings, session: str
) -> None:
    alone.add_session(session, URL)
    mark = DeliveryMark(session_id=SessionId(session), n=5, k=0)
    alone.put(delivery_mark_key(mark.session_id), mark, place=5_000_000)
    alone.say(session, 5, 6)
    async with in_between(alone.aws.url) as between, desk(alone, aws_url=between.url) as its:
        between.left_out = {b'"header"', b'"delivery"'}
        await its.serve(2)
        assert between.left_out == set()
        assert its.callback.ids == ["6"]
        assert alone.undelivered(session) == []


async def test_a_mark_only_grows(alone: Surroundings, session: str) -> None:
    async with desk(alone) as its:
        for n, k, expected in (
            (5, 0, (5, 0)),
            (4, 9, (5, 0)),
            (5, 0, (5, 0)),
            (5, 1, (5, 1)),
            (6, 0, (6, 0)),
        ):
            await its.store.put_mark(DeliveryMark(session_id=SessionId(session), n=n, k=k), None)
            assert alone.mark(session) == expected

"""Works through the lane of one session: learns where its messages go, posts them, moves its mark."""

import time

from contracts.delivery import ParkedSession, UndeliveredMessage
from services.delivery.adapters.in_hand import InHand, Lapsed
from services.delivery.adapters.patience import Patience, Stopping
from services.delivery.adapters.poster import Ports, Poster, Session
from services.delivery.adapters.replay import Replays
from services.delivery.destination import Ports as AllowedPorts
from services.delivery.destination import read_destination
from services.delivery.errors import UnreadableItem
from services.delivery.retry import Schedules
from services.delivery.session_lane import (
    Abandon,
    Forget,
    HeldReplay,
    Park,
    Post,
    Replay,
    SessionLane,
    Step,
    Wait,
)
from telemetry.log import logger
from telemetry.metrics import Metrics


class Courier:
    """Serves sessions, each in a task of its own."""

    def __init__(
        self,
        ports: Ports,
        in_hand: InHand,
        *,
        patience: Patience,
        schedules: Schedules,
        allowed_ports: AllowedPorts,
        metrics: Metrics,
    ) -> None:
        self._ports = ports
        self._in_hand = in_hand
        self._patience = patience
        self._allowed_ports = allowed_ports
        self._schedules = schedules
        self._poster = Poster(ports, in_hand, patience, metrics)
        self._replays = Replays(ports, self._poster, patience, schedules)

    async def serve(self, session: Session) -> None:
        """Returns when the lane is empty, or has been released because the process stops."""
        try:
            await self._learn(session)
            while len(session.lane):
                try:
                    await self._go_on(session)
                except Lapsed:
                    await self._let_go(session)
        except UnreadableItem as error:
            logger(session_id=session.id, contact_id=session.contact_id).error(
                "delivery.item_unreadable", exc_info=error
            )
            while session.receipts:
                await self._let_go(session, for_later=True)
        except Stopping:
            while session.receipts:
                session.lane.clear()
                released, session.receipts = session.receipts, set()
                await self._in_hand.release(released)
        finally:
            session.is_served = False

    async def _go_on(self, session: Session) -> None:
        """Takes one step.

        Raises:
            Lapsed: another process may have the session.
        """
        if session.has_lapsed:
            await self._learn(session)
        session.hand = session.lane.held[0].receipt_handle or ""
        self._poster.must_hold(session)
        step = self._poster.next(session, session.lane)
        if step is not None:
            await self._take(session, step)

    async def _let_go(self, session: Session, *, for_later: bool = False) -> None:
        """Leaves the session to whoever has it now; what nobody has comes again, under new receipts.

        The lane is a new one: what this process thinks of the session may be wrong by now.
        """
        session.has_lapsed = True
        session.lane = SessionLane(self._schedules)
        receipts, session.receipts = session.receipts, set()
        held = [receipt for receipt in receipts if self._in_hand.holds(receipt)]
        for receipt in receipts.difference(held):
            self._in_hand.forget(receipt)
        logger(session_id=session.id, contact_id=session.contact_id).warning(
            "delivery.session_lapsed", count=len(receipts)
        )
        await self._in_hand.release(held, for_later=for_later)

    async def _learn(self, session: Session) -> ParkedSession | None:
        """Reads the header once, and how far delivery got.

        Another process may have moved the mark or parked the session. The queue has locked the session to
        this one, and both are written before messages are deleted, so what is read now stays true until the
        lane is empty.
        """
        if session.stored is None:
            session.stored = await self._patience.insist(lambda: self._ports.store.header(session.id))
            callback = session.stored.header.callback if session.stored else None
            session.destination = read_destination(callback, self._allowed_ports) if callback else None
        progress = await self._patience.insist(lambda: self._ports.store.progress(session.id))
        if progress.mark:
            session.lane.raise_mark(progress.mark)
            session.marked_n = progress.mark[0]
        if _may_be_half_given_up(session):
            session.lane.recall(await self._patience.insist(lambda: self._half_given_up(session)))
        session.lane.park(is_parked=progress.parked is not None)
        session.has_lapsed = False
        return progress.parked

    async def _half_given_up(self, session: Session) -> dict[int, UndeliveredMessage]:
        """What is kept as given up, but above the mark: whoever was about to tell died."""
        found = await self._ports.store.undelivered(session.id, session.lane.mark[0])
        return {each.n: each for each in found}

    async def _take(self, session: Session, step: Step) -> None:
        match step:
            case Forget(held):
                self._poster.finish(session, held)
            case Wait(until_ms):
                await self._patience.wait((until_ms - _now_ms()) / 1_000)
            case Abandon(held, reason, attempts, status):
                await self._poster.give_up(session, held, reason, attempts, status)
            case Park():
                await self._poster.park(session, session.lane, step)
            case Replay(held):
                await self._replays.serve(session, held, await self._learn(session))
            case Post(held, attempt):
                if self._patience.is_over:
                    raise Stopping
                if session.stored is None:
                    return await self._take(session, session.lane.abandon("unknown_session"))
                await self._poster.post(session, session.lane, held, attempt)
        return None


def _may_be_half_given_up(session: Session) -> bool:
    """Whoever did so had one of these in hand."""
    return any(isinstance(each, HeldReplay) or each.was_received_before for each in session.lane.held)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

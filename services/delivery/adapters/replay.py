"""Delivers a session from its log, in slices: what waited while it was parked, and what is redriven.

The request for it is in the session's group of the FIFO queue: while it is in hand nobody else has the
session. A slice that ends early is followed by another request, behind what has come in meanwhile; that is
taken off the queue then, since it is in the log, too.
"""

import time

from contracts.delivery import ParkCause, ParkedSession
from contracts.queue import ReplayCause, TranscriptMessage
from services.delivery.adapters.patience import Patience, Stopping
from services.delivery.adapters.poster import Ports, Poster, Session
from services.delivery.retry import Schedules
from services.delivery.session_lane import (
    Abandon,
    Forget,
    Held,
    HeldReplay,
    Park,
    Post,
    Replay,
    SessionLane,
    Step,
    Wait,
)

SLICE_S = 20.0


class Replays:
    """Serves replay requests."""

    def __init__(self, ports: Ports, poster: Poster, patience: Patience, schedules: Schedules) -> None:
        self._ports = ports
        self._poster = poster
        self._patience = patience
        self._schedules = schedules

    async def serve(self, session: Session, held: HeldReplay, parked: ParkedSession | None) -> None:
        """After this the session is up to date with its log, or parked anew."""
        is_probe = held.request.cause in {ReplayCause.PROBE, ReplayCause.REDRIVE}
        if session.endpoint and not is_probe and self._is_open(session):
            await self._ports.outages.refresh(session.endpoint, self._patience)
        if held.request.cause is ReplayCause.REDRIVE:
            session.lane.resume(None, session.lane.mark)  # a gone endpoint gets another chance
            await self._redrive(session)
        mark = session.lane.mark
        if parked:
            lane = await self._catch_up(session, parked, is_probe=is_probe)
            mark, parked = lane.mark, parked if lane.is_parked else None
            session.lane.resume(None, mark, gone=lane.is_gone)
        else:
            await self._unpark(session)
        session.lane.finish_replay(mark, is_parked=parked is not None)
        self._poster.finish_receipt(session, held.receipt_handle)

    def _is_open(self, session: Session) -> bool:
        return self._ports.gates.of(session.endpoint).breaker.is_open

    async def _unpark(self, session: Session) -> None:
        await self._poster.while_held(session, lambda: self._ports.store.unpark(session.id, session.endpoint))

    async def _catch_up(self, session: Session, parked: ParkedSession, *, is_probe: bool) -> SessionLane:
        """Posts what is in the log above the mark; the lane says whether the session is still parked."""
        lane = SessionLane(self._schedules)
        lane.resume(parked, session.lane.mark, gone=session.lane.is_gone)
        lane.recall(session.lane.given_up)
        until_s = time.monotonic() + SLICE_S
        read_n = lane.mark[0]
        while True:
            if not len(lane):
                last_n = read_n
                read_n, messages = await self._read(session, last_n)
                if read_n == last_n:
                    await self._unpark(session)
                    return lane
                _take(lane, messages)
            step = self._poster.next(session, lane, is_probe=is_probe)
            if len(lane) and time.monotonic() > until_s and isinstance(step, Post):
                step = Park(ParkCause.BEHIND, _now_ms())
            if isinstance(step, Park):
                await self._poster.park(session, lane, step)
                lane.clear()
                lane.park(is_parked=True)
                return lane
            if step is not None:
                await self._take_step(session, lane, step, is_probe=is_probe)
                is_probe = is_probe and not isinstance(step, Post)

    async def _read(self, session: Session, after_n: int) -> tuple[int, list[TranscriptMessage]]:
        n, messages = await self._patience.insist(
            lambda: self._ports.store.messages_after(session.id, session.contact_id, after_n)
        )
        return n, list(messages)

    async def _take_step(self, session: Session, lane: SessionLane, step: Step, *, is_probe: bool) -> None:
        match step:
            case Post(held, attempt):
                if self._patience.is_over:
                    raise Stopping
                await self._poster.post(session, lane, held, attempt, is_probe=is_probe)
            case Wait(until_ms):
                await self._patience.wait((until_ms - _now_ms()) / 1_000)
            case Abandon(held, reason, attempts, status):
                await self._poster.give_up(session, held, reason, attempts, status)
            case Forget() | Park() | Replay():
                pass  # nothing of a log is on the queue; the others are not for a message

    async def _redrive(self, session: Session) -> None:
        """Tries once each what was given up, in order, until the endpoint is in trouble.

        What is above the mark is not yet given up to the end.
        """
        after_n, up_to_n = 0, session.lane.mark[0]
        while page := await self._patience.insist(
            lambda: self._ports.store.undelivered(session.id, after_n)  # noqa: B023 -- called at once
        ):
            for undelivered in page:
                after_n = undelivered.n
                if after_n > up_to_n:
                    return
                if not await self._redeliver(session, undelivered.n):
                    return
                await self._poster.while_held(session, lambda: self._ports.store.redelivered(undelivered))  # noqa: B023 -- called at once
        await self._poster.while_held(
            session, lambda: self._ports.store.all_redelivered(session.id, session.endpoint)
        )

    async def _redeliver(self, session: Session, n: int) -> bool:
        """Posts one logged message; whether it was taken."""
        _, [*messages] = await self._read(session, n - 1)
        lane = SessionLane(self._schedules)
        _take(lane, [each for each in messages if each.n == n])
        step = lane.next(_now_ms())
        if not isinstance(step, Post):
            return True  # the log has nothing for the callback there
        was_taken = await self._poster.redeliver(session, lane, step.held)
        session.lane.resume(None, session.lane.mark, gone=lane.is_gone)
        return was_taken


def _take(lane: SessionLane, messages: list[TranscriptMessage]) -> None:
    for message in messages:
        lane.take(Held(message, None))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""All sessions of this process: who is served, and whether there is room for more."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence

from contracts import metrics
from contracts.events import Event
from contracts.link import ClosedSession, Draining, Open, Refusal, Refused, Release
from contracts.model import SessionId
from contracts.session import LogRecord, SessionHeader
from services.transcribe import inputs
from services.transcribe.adapters.claims import Claimed, claim
from services.transcribe.adapters.intents import Intents
from services.transcribe.adapters.link import Link
from services.transcribe.adapters.live_session import LiveSession, Outside
from services.transcribe.errors import StoreUnavailable
from services.transcribe.ports import Answer, BusEntry
from services.transcribe.session import Session
from services.transcribe.session_log import BUSY_RETRY_S, OVER, Refuse
from telemetry.log import logger

DRAIN_S = 4.0
"""Within which every session is handed over at the end of the process."""
MAX_ANNOUNCED = 20
"""Sessions that are over and only to be announced; while a way out is away they take no more places."""


class Sessions:
    """Serves the sessions that links open; `tasks` holds their lives."""

    def __init__(
        self,
        outside: Outside,
        intents: Intents,
        tasks: asyncio.TaskGroup,
        *,
        process: str,
        max_sessions: int,
        bus_interims: bool,
    ) -> None:
        self._outside = outside
        self._intents = intents
        self._tasks = tasks
        self._process = process
        self._max_sessions = max_sessions
        self._bus_interims = bus_interims
        self._links: dict[Link, dict[int, LiveSession]] = {}
        self._served: dict[SessionId, LiveSession] = {}
        self._claiming: dict[SessionId, tuple[Link, int]] = {}
        self._given_up: set[tuple[Link, int]] = set()
        """Claims under way that ingest released meanwhile."""
        self._lives: set[asyncio.Task[None]] = set()
        self._draining = False
        self._turned_away = False
        """Whether a session was, for want of room, since somebody asked."""
        self._quiet = asyncio.Event()

    def no_room(self) -> str | None:
        """Why no session is taken now."""
        if self._draining:
            return "draining"
        if (sessions := self._taken) >= self._max_sessions:
            return f"full: {sessions} of {self._max_sessions} sessions"
        return None

    @property
    def _taken(self) -> int:
        return len(self._served) + len(self._claiming)

    def greet(self, link: Link) -> None:
        """A link is there."""
        self._links[link] = {}
        if self._draining:
            link.send(Draining())

    def bereave(self, link: Link) -> None:
        """The link is dead; its sessions wait a little for another."""
        for live in self._links.pop(link, {}).values():
            if live.link is link:
                live.detach()

    def deliver(self, link: Link, handle: int, happened: inputs.LinkInput) -> None:
        """Something happened to an open session."""
        live = self._links.get(link, {}).get(handle)
        if live is not None and live.link is link and live.handle == handle:
            live.put(happened)
        elif isinstance(happened, Release) and (link, handle) in self._claiming.values():
            self._given_up.add((link, handle))

    def open(self, link: Link, frame: Open) -> None:
        """Attaches to a session that is served here, or claims it, or refuses."""
        refuse = self._refusal(frame)
        if refuse is not None:
            self._refuse(link, frame, refuse)
            return
        live = self._served.get(frame.request.session_id)
        if live is not None:
            self._attach(live, link, frame)
            return
        self._claiming[frame.request.session_id] = (link, frame.handle)
        self._hold(self._claim(link, frame))

    def serves(self, session_id: SessionId) -> bool:
        """Whether the session is in this process's hands."""
        return session_id in self._served or session_id in self._claiming

    def requests_wait(self) -> bool:
        """Whether requests may wait that the queue does not count.

        One that is turned away for want of room goes from ingest to ingest and is visible for moments only.
        Tells of the time since this was asked last.
        """
        turned_away, self._turned_away = self._turned_away, False
        return turned_away or not self._links

    def announce(self, header: SessionHeader, tail: Sequence[LogRecord]) -> None:
        """Tells queue and bus what they were not told of a session that is over and that nobody serves."""
        told = sum(not live.message_id for live in self._served.values())
        if self.no_room() or told >= MAX_ANNOUNCED or self.serves(header.session_id):
            return  # the next sweep asks again
        session = Session(header, tail, bus_interims=False, refuse=OVER)
        live = LiveSession(header, "", session, self._outside)
        self._serve(live)
        live.put(inputs.Detached())

    async def tell(self, event: Event) -> bool:
        """Puts an event that is in no log on the bus, once; whether nothing is left to do about it."""
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

        def done(answer: Answer) -> None:
            if not answered.done():
                answered.set_result(answer)

        entry = BusEntry.of(event)
        self._outside.bus.submit(entry, entry.size, done)
        answer = await answered
        return answer.accepted or answer.rejected

    async def drain(self) -> None:
        """Hands every session over; returns when that is done, or took too long."""
        self._draining = True
        for link in self._links:
            link.send(Draining())
        for live in self._served.values():
            live.put(inputs.Draining())
        self._note_quiet()
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._quiet.wait()
                for link in list(self._links):
                    await link.drained()
        except TimeoutError:
            logger().warning("transcribe.drain_incomplete", sessions=len(self._served))
        for life in self._lives:
            life.cancel()

    def _refusal(self, frame: Open) -> Refuse | None:
        session_id = frame.request.session_id
        live = self._served.get(session_id)
        if live is not None and live.message_id != frame.message_id:
            return Refuse(Refusal.ALREADY_SERVED, "the session is served under another request")
        if live is not None and live.is_told:
            return OVER
        if session_id in self._claiming or (live is not None and not live.open_again):
            return Refuse(Refusal.BUSY, "the session changes hands", 1)
        if self._draining:
            return Refuse(Refusal.DRAINING, "the process ends")
        if live is None and self._taken >= self._max_sessions:
            return Refuse(Refusal.FULL, f"the process serves {self._max_sessions} sessions", BUSY_RETRY_S)
        return None

    def _refuse(self, link: Link, frame: Open, refuse: Refuse) -> None:
        self._turned_away |= refuse.refusal in (Refusal.FULL, Refusal.DRAINING)
        logger(session_id=frame.request.session_id).info(
            "transcribe.session_refused",
            refusal=refuse.refusal.value,
            explanation=refuse.explanation,
            peer=link.peer,
        )
        link.send(
            Refused(
                handle=frame.handle,
                refusal=refuse.refusal,
                explanation=refuse.explanation,
                retry_after_s=refuse.retry_after_s,
            )
        )

    async def _claim(self, link: Link, frame: Open) -> None:
        try:
            claimed = await claim(self._outside.store, frame, self._process, self._outside.metrics)
        except Exception as error:  # noqa: BLE001 -- one odd request must not take all sessions with it
            if not isinstance(error, StoreUnavailable):
                self._outside.metrics.count(metrics.RECORDS_UNREADABLE)
            logger(session_id=frame.request.session_id).warning("transcribe.claim_failed", exc_info=error)
            claimed = Refuse(Refusal.BUSY, "the session cannot be claimed", BUSY_RETRY_S)
        finally:
            del self._claiming[frame.request.session_id]
        if isinstance(claimed, Refuse):
            self._given_up.discard((link, frame.handle))
            self._refuse(link, frame, claimed)
        else:
            self._begin_safely(link, frame, claimed)
        self._note_quiet()

    def _begin_safely(self, link: Link, frame: Open, claimed: Claimed) -> None:
        """A session whose log cannot be gone on with must not take the others with it."""
        try:
            self._begin(link, frame, claimed)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is logged; claims in vain are counted
            logger(session_id=frame.request.session_id).error("transcribe.session_broke", exc_info=error)
            self._refuse(
                link, frame, Refuse(Refusal.BUSY, "the session cannot be gone on with", BUSY_RETRY_S)
            )

    def _begin(self, link: Link, frame: Open, claimed: Claimed) -> None:
        session = Session(
            claimed.header, claimed.tail, bus_interims=self._bus_interims, refuse=claimed.refuse
        )
        live = LiveSession(claimed.header, frame.message_id, session, self._outside)
        self._serve(live)
        logger(session_id=live.session_id, contact_id=claimed.header.contact_id).info(
            "transcribe.session_claimed",
            epoch=claimed.tail[-1].state.epoch,
            n=claimed.tail[-1].n,
            message_id=frame.message_id,
            peer=link.peer,
        )
        self._attach(live, link, frame)
        if self._draining:
            live.put(inputs.Draining())
        if (link, frame.handle) in self._given_up:
            self._given_up.discard((link, frame.handle))
            live.put(Release(handle=frame.handle))

    def _serve(self, live: LiveSession) -> None:
        self._served[live.session_id] = live
        self._intents.add(live)
        self._count()
        self._hold(self._live(live))

    def _hold(self, life: Coroutine[None, None, None]) -> None:
        """A task that ends with the process, however little the store answers."""
        task = self._tasks.create_task(life)
        self._lives.add(task)
        task.add_done_callback(self._lives.discard)

    def _attach(self, live: LiveSession, link: Link, frame: Open) -> None:
        live.attach(link, frame.handle, frame.receipt_handle)
        handles = self._links.get(link)
        if handles is None:
            live.detach()  # the link died during the claim
        else:
            handles[frame.handle] = live

    async def _live(self, live: LiveSession) -> None:
        """Runs a session. One that fails must not take the others with it: it is put back for a successor."""
        try:
            await live.run()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is logged, and the session goes on
            logger(session_id=live.session_id).error("transcribe.session_broke", exc_info=error)
            if live.link is not None and live.handle is not None:
                live.link.send(ClosedSession(handle=live.handle, disposition="put_back", reason="broke"))
        finally:
            del self._served[live.session_id]
            self._intents.remove(live)
            for handles in self._links.values():
                self._forget(handles, live)
            self._count()
            self._note_quiet()

    @staticmethod
    def _forget(handles: dict[int, LiveSession], live: LiveSession) -> None:
        for handle in _of(handles, live):
            del handles[handle]

    def _count(self) -> None:
        self._outside.metrics.gauge(metrics.SESSIONS_LIVE, len(self._served))

    def _note_quiet(self) -> None:
        if self._draining and not self._served and not self._claiming:
            self._quiet.set()


def _of(handles: dict[int, LiveSession], live: LiveSession) -> Iterable[int]:
    return [handle for handle, other in handles.items() if other is live]

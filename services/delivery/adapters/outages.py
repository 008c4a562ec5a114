"""Endpoints that fail: disabled and enabled for all processes, probed by one, and their sessions woken."""

import asyncio
import random
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from contracts.delivery import DisabledEndpoint, ParkCause, ParkedSession, UntoldEvent
from contracts.events import EndpointDisabled, EndpointRecovered
from contracts.metrics import ENDPOINTS_DISABLED
from contracts.model import ContactId, SessionId
from contracts.queue import ReplayCause, ReplayRequest
from services.delivery.adapters.event_bus import EventBus
from services.delivery.adapters.gates import Gates
from services.delivery.adapters.outage_store import OutageStore
from services.delivery.adapters.patience import Patience
from services.delivery.adapters.transcript_queue import BATCH, TranscriptQueue
from services.delivery.breaker import BreakerPolicy, probe_delay_s
from services.delivery.errors import StoreUnavailable, Unavailable
from telemetry.health import Health, why
from telemetry.log import logger
from telemetry.metrics import Metrics

LOOK_EVERY_S = 5.0


class Outages:
    """Keeps the gates as the store says."""

    def __init__(
        self,
        store: OutageStore,
        gates: Gates,
        queue: TranscriptQueue,
        bus: EventBus,
        *,
        policy: BreakerPolicy,
        metrics: Metrics,
        health: Health,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._store = store
        self._gates = gates
        self._queue = queue
        self._bus = bus
        self._policy = policy
        self._metrics = metrics
        self._health = health
        self._look_every_s = look_every_s
        self._look_now = asyncio.Event()
        self._looking = asyncio.Lock()

    async def disable(
        self, endpoint: str, cause: str, session_id: SessionId, contact_id: ContactId, patience: Patience
    ) -> None:
        """After this no process posts to the endpoint, and the bus knows or will.

        Raises:
            Stopping: perhaps not; it will be noticed again.
        """
        now_ms = _now_ms()
        disabled = DisabledEndpoint(
            endpoint=endpoint,
            disabled_at_ms=now_ms,
            probe_at_ms=now_ms + self._delay_ms(0),
            probes=0,
            cause=cause,
        )
        self._gates.of(endpoint).learn(is_open=True)
        event = EndpointDisabled(
            event_id=f"{endpoint}-{now_ms}-disabled",
            session_id=session_id,
            contact_id=contact_id,
            occurred_at=_instant(now_ms),
            endpoint=endpoint,
            cause=cause,
        )
        untold = UntoldEvent(event=event, stored_at_ms=now_ms)
        if not await patience.insist(lambda: self._store.disable(disabled, untold)):
            return
        self._metrics.count(ENDPOINTS_DISABLED)
        logger(session_id=session_id, contact_id=contact_id).error("delivery.endpoint_disabled", cause=cause)
        await self._tell_now(untold)

    async def enable(
        self, endpoint: str, session_id: SessionId, contact_id: ContactId, patience: Patience
    ) -> None:
        """After this every process posts to the endpoint again, and what waited is woken soon.

        Raises:
            Stopping: perhaps not; another probe will show it.
        """
        disabled = await patience.insist(lambda: self._store.disabled(endpoint))
        untold = _recovery(disabled, session_id, contact_id) if disabled else None
        removed = untold and await patience.insist(lambda: self._store.enable(endpoint, untold))
        self._gates.of(endpoint).learn(is_open=False)
        self._look_now.set()
        if not untold or not removed:
            return
        logger(session_id=session_id, contact_id=contact_id).info("delivery.endpoint_recovered")
        await self._tell_now(untold)

    async def _tell_now(self, untold: UntoldEvent) -> None:
        """Or later, while the bus does not answer: no session waits for it."""
        try:
            await self._tell(untold)
        except Unavailable as error:
            logger().warning("delivery.aws_unavailable", cause=type(error).__name__, exc_info=error)

    async def _tell(self, untold: UntoldEvent) -> None:
        await self._bus.publish(untold.event)
        await self._store.told(untold)

    async def refresh(self, endpoint: str, patience: Patience) -> None:
        """Learns from the store whether the endpoint is disabled.

        Raises:
            Stopping: nothing was learnt.
        """
        disabled = await patience.insist(lambda: self._store.disabled(endpoint))
        self._gates.of(endpoint).learn(is_open=disabled is not None)

    async def wake(self, parked: ParkedSession, cause: ReplayCause) -> None:
        """Asks for the session's replay; once more within five minutes changes nothing.

        Raises:
            QueueUnavailable: perhaps not.
        """
        await self._wake([parked], cause)

    async def run(self) -> None:
        """Looks at the store until it is cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._look_every_s * random.uniform(0.8, 1.2)):  # noqa: S311 -- no secret
                    await self._look_now.wait()
            except TimeoutError:
                pass
            self._look_now.clear()
            try:
                await self.look()
                await self._tell_all()
            except Unavailable as error:
                logger().warning("delivery.aws_unavailable", cause=type(error).__name__, exc_info=error)

    async def look(self) -> None:
        """As `_look`; health learns whether the table answers."""
        try:
            async with self._looking:
                await self._look()
        except StoreUnavailable as error:
            self._health.failing("table", why(error))
            raise
        self._health.works("table")

    async def _look(self) -> None:
        """Learns which endpoints are disabled, probes those that are due, and wakes sessions.

        Raises:
            Unavailable: not all of it was done.
        """
        began_s = time.monotonic()
        disabled = await self._store.all_disabled()
        for endpoint in {*disabled, *self._gates.open}:
            gate = self._gates.of(endpoint)
            if gate.learnt_at_s < began_s and gate.breaker.is_open != (endpoint in disabled):
                gate.learn(is_open=endpoint in disabled)
        parked = await self._store.all_parked()
        now_ms = _now_ms()
        due = [each for each in parked if each.wake_at_ms <= now_ms]
        recovered = [
            each
            for each in parked
            if each.cause is ParkCause.ENDPOINT_DOWN
            and each.endpoint not in disabled
            and each.wake_at_ms > now_ms
        ]
        await self._wake(due, ReplayCause.DUE)
        await self._wake(recovered, ReplayCause.RECOVERED)
        waiting: dict[str, list[ParkedSession]] = {}
        for each in parked:
            waiting.setdefault(each.endpoint, []).append(each)
        for endpoint in disabled.values():
            if endpoint and endpoint.probe_at_ms <= now_ms:
                await self._probe(endpoint, waiting.get(endpoint.endpoint, []))

    async def _tell_all(self) -> None:
        """Tells the bus what it was not told: whoever was about to died, or the bus did not answer.

        Raises:
            Unavailable: not all of it was told.
        """
        before_ms = _now_ms() - 2_000 * self._look_every_s
        for untold in await self._store.all_untold():
            if untold.stored_at_ms < before_ms:
                await self._tell(untold)

    async def _probe(self, seen: DisabledEndpoint, waiting: list[ParkedSession]) -> None:
        now_ms = _now_ms()
        changed = {"probes": seen.probes + 1, "probe_at_ms": now_ms + self._delay_ms(seen.probes + 1)}
        if waiting and await self._store.claim_probe(seen, seen.model_copy(update=changed)):
            chosen = random.choice(waiting)  # noqa: S311 -- not always the same, whose callback might be odd
            await self._wake([chosen], ReplayCause.PROBE)

    async def _wake(self, sessions: Iterable[ParkedSession], cause: ReplayCause) -> None:
        every = list(sessions)
        for i in range(0, len(every), BATCH):
            await self._queue.ask_for_replays(
                [(_request(each, cause), _deduplication_id(each, cause)) for each in every[i : i + BATCH]]
            )

    def _delay_ms(self, probes: int) -> int:
        return round(probe_delay_s(probes, self._policy, random.random()) * 1_000)  # noqa: S311 -- no secret


def _recovery(disabled: DisabledEndpoint, session_id: SessionId, contact_id: ContactId) -> UntoldEvent:
    now_ms = _now_ms()
    event = EndpointRecovered(
        event_id=f"{disabled.endpoint}-{disabled.disabled_at_ms}-recovered",
        session_id=session_id,
        contact_id=contact_id,
        occurred_at=_instant(now_ms),
        endpoint=disabled.endpoint,
        disabled_at=_instant(disabled.disabled_at_ms),
    )
    return UntoldEvent(event=event, stored_at_ms=now_ms)


def _request(parked: ParkedSession, cause: ReplayCause) -> ReplayRequest:
    return ReplayRequest(
        session_id=parked.session_id,
        contact_id=parked.contact_id,
        cause=cause,
        requested_at_ms=_now_ms(),
    )


def _deduplication_id(parked: ParkedSession, cause: ReplayCause) -> str:
    """All processes ask with the same one; a session that is parked again has another."""
    unique = _now_ms() if cause is ReplayCause.PROBE else parked.parked_at_ms
    return f"{parked.session_id}-{cause}-{unique}"


def _instant(epoch_ms: int) -> datetime:
    return datetime.fromtimestamp(epoch_ms / 1_000, UTC)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

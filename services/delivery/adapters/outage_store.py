"""What all processes of delivery know of each other's endpoints: who fails, and which sessions wait."""

from pydantic import TypeAdapter

from contracts.delivery import (
    ENDPOINTS,
    PARKED_INDEX,
    UNTOLD_EVENTS,
    DisabledEndpoint,
    ParkedSession,
    UntoldEvent,
    endpoint_key,
    untold_event_key,
)
from services.delivery.adapters.table import ABSENT, Condition, Delete, Put, Table
from services.delivery.errors import UnreadableItem
from telemetry.log import logger

PAGE = 100
"""Items that are read at once: they are parsed in one go, and live calls wait for it."""
FORGET_AFTER_S = 7 * 86_400
"""An endpoint that no call uses any more."""
_DISABLED = TypeAdapter(DisabledEndpoint)
_PARKED = TypeAdapter(ParkedSession)
_UNTOLD = TypeAdapter(UntoldEvent)


class OutageStore:
    """Every method may raise `StoreUnavailable`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def disable(self, endpoint: DisabledEndpoint, untold: UntoldEvent) -> bool:
        """Disables an endpoint for all processes and keeps what the bus is to know of it.

        False: it was disabled before; then nothing is kept.
        """
        disabled = Put(endpoint_key(endpoint.endpoint), endpoint, _expiry(endpoint), ABSENT)
        return await self._table.write_all(disabled, _kept(untold))

    async def claim_probe(self, seen: DisabledEndpoint, claimed: DisabledEndpoint) -> bool:
        """Replaces what was seen; False: another process was quicker."""
        unchanged = Condition("#body = :seen", "body", {":seen": {"S": seen.model_dump_json()}})
        key = endpoint_key(seen.endpoint)
        return await self._table.put(Put(key, claimed, _expiry(claimed), unchanged))

    async def enable(self, endpoint: str, untold: UntoldEvent) -> bool:
        """Enables an endpoint for all processes and keeps what the bus is to know of it.

        False: it was not disabled; then nothing is kept.
        """
        return await self._table.write_all(Delete(endpoint_key(endpoint)), _kept(untold))

    async def told(self, untold: UntoldEvent) -> None:
        """The bus knows."""
        await self._table.delete(Delete(untold_event_key(untold.event.event_id)))

    async def all_untold(self) -> list[UntoldEvent]:
        """What the bus may not know: whoever changed the store is about to tell, or died."""
        return _readable(await self._all(UNTOLD_EVENTS, _UNTOLD))

    async def disabled(self, endpoint: str) -> DisabledEndpoint | None:
        """The endpoint's item; None: it is not disabled. Raises: UnreadableItem."""
        [item] = await self._table.get(endpoint_key(endpoint))
        return None if item is None else item.read(_DISABLED)

    async def all_disabled(self) -> dict[str, DisabledEndpoint | None]:
        """All endpoints that are disabled; None: by a later release, which will probe it."""
        return await self._all(ENDPOINTS, _DISABLED)

    async def all_parked(self) -> list[ParkedSession]:
        """All sessions that are parked."""
        return _readable(await self._all(PARKED_INDEX, _PARKED))

    async def _all[T](self, pk: str, form: TypeAdapter[T]) -> dict[str, T | None]:
        """By sort key; None: of a form that a later release writes, whose processes look after it."""
        found: dict[str, T | None] = {}
        after: str | None = None
        while page := await self._table.query(pk, "", after=after, limit=PAGE):
            for item in page:
                try:
                    found[item.sk] = item.read(form)
                except UnreadableItem:
                    found[item.sk] = None
            after = page[-1].sk
            if len(page) < PAGE:
                break
        if unreadable := sum(each is None for each in found.values()):
            logger().error("delivery.item_unreadable", kind=pk, count=unreadable)
        return found


def _readable[T](found: dict[str, T | None]) -> list[T]:
    return [each for each in found.values() if each is not None]


def _kept(untold: UntoldEvent) -> Put:
    expires_at = str(untold.stored_at_ms // 1_000 + FORGET_AFTER_S)
    return Put(untold_event_key(untold.event.event_id), untold, expires_at)


def _expiry(endpoint: DisabledEndpoint) -> str:
    return str(endpoint.probe_at_ms // 1_000 + FORGET_AFTER_S)

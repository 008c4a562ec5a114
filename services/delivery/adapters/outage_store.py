"""What all processes of delivery know of each other's endpoints: who fails, and which sessions wait."""

from contracts.delivery import (
    ENDPOINTS,
    PARKED_INDEX,
    DisabledEndpoint,
    ParkedSession,
    endpoint_key,
)
from contracts.model import Contract
from services.delivery.adapters.table import ABSENT, Condition, Table

PAGE = 500
FORGET_AFTER_S = 7 * 86_400
"""An endpoint that no call uses any more."""


class OutageStore:
    """Every method may raise `StoreUnavailable`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def disable(self, endpoint: DisabledEndpoint) -> bool:
        """Disables an endpoint for all processes; False: it was disabled before."""
        key = endpoint_key(endpoint.endpoint)
        return await self._table.put(key, endpoint, expires_at=_expiry(endpoint), condition=ABSENT)

    async def claim_probe(self, seen: DisabledEndpoint, claimed: DisabledEndpoint) -> bool:
        """Replaces what was seen; False: another process was quicker."""
        unchanged = Condition("#body = :seen", "body", {":seen": {"S": seen.model_dump_json()}})
        key = endpoint_key(seen.endpoint)
        return await self._table.put(key, claimed, expires_at=_expiry(claimed), condition=unchanged)

    async def enable(self, endpoint: str) -> bool:
        """Enables an endpoint for all processes; False: it was not disabled."""
        return await self._table.delete(endpoint_key(endpoint))

    async def disabled(self, endpoint: str) -> DisabledEndpoint | None:
        """The endpoint's item; None: it is not disabled."""
        item = await self._table.get(endpoint_key(endpoint))
        return None if item is None else DisabledEndpoint.model_validate_json(item.body)

    async def all_disabled(self) -> list[DisabledEndpoint]:
        """All endpoints that are disabled."""
        return await self._all(ENDPOINTS, "", DisabledEndpoint)

    async def all_parked(self) -> list[ParkedSession]:
        """All sessions that are parked."""
        return await self._all(PARKED_INDEX, "", ParkedSession)

    async def _all[T: Contract](self, pk: str, prefix: str, model: type[T]) -> list[T]:
        found: list[T] = []
        after: str | None = None
        while page := await self._table.query(pk, prefix, after=after, limit=PAGE):
            found += [model.model_validate_json(item.body) for item in page]
            after = page[-1].sk
            if len(page) < PAGE:
                break
        return found


def _expiry(endpoint: DisabledEndpoint) -> str:
    return str(endpoint.probe_at_ms // 1_000 + FORGET_AFTER_S)

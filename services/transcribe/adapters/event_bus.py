"""The bus on EventBridge."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from contracts.events import SOURCE
from services.transcribe.ports import Answer, BusEntry, refused

if TYPE_CHECKING:
    from types_aiobotocore_events.client import EventBridgeClient

_HOPELESS = frozenset({"MalformedDetail", "ValidationException", "InvalidArgument"})
"""Errors of one entry that no second try can help."""


class EventBridgeBus:
    """Puts on the bus `name`."""

    def __init__(self, client: "EventBridgeClient", name: str) -> None:
        self._client = client
        self._name = name

    async def put(self, events: Sequence[BusEntry]) -> list[Answer]:
        """Puts at most ten events; one answer each, in order."""
        try:
            answer = await self._client.put_events(
                Entries=[
                    {
                        "Source": SOURCE,
                        "DetailType": event.detail_type,
                        "Detail": event.detail,
                        "EventBusName": self._name,
                        "Time": event.occurred_at,
                    }
                    for event in events
                ]
            )
        except (ClientError, BotoCoreError) as error:
            return [refused(error)] * len(events)
        codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
        if not answer["FailedEntryCount"]:
            codes = [None] * len(events)
        return [Answer(code is None, rejected=code in _HOPELESS, reason=code or "") for code in codes]

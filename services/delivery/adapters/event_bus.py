"""The bus, EventBridge: tells that a message was given up."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from contracts.events import SOURCE, Event
from services.delivery.errors import BusUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_events.client import EventBridgeClient


class EventBus:
    """Publishes events."""

    def __init__(self, client: "EventBridgeClient", name: str) -> None:
        self._client = client
        self._name = name

    async def publish(self, event: Event) -> None:
        """After this the bus has accepted the event.

        Raises:
            BusUnavailable: it has not, as far as known.
        """
        try:
            answer = await self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._name,
                        "Source": SOURCE,
                        "DetailType": event.detail_type,
                        "Detail": event.model_dump_json(),
                        "Time": event.occurred_at,
                    }
                ]
            )
        except (ClientError, BotoCoreError) as error:
            raise BusUnavailable from error
        if answer["FailedEntryCount"]:
            raise BusUnavailable

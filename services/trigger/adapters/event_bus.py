"""The bus, EventBridge: a request counts only when the bus has accepted it."""

import time
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contracts.events import SOURCE, Event

if TYPE_CHECKING:
    from types_boto3_events.client import EventBridgeClient

ATTEMPTS = 2
CONNECT_TIMEOUT_S = 0.5
READ_TIMEOUT_S = 1.75
PAUSE_S = 0.4
"""Before the second attempt, so that `ATTEMPTS` end within 5 s (Connect waits 8 s for the answer)."""
CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT_S,
    read_timeout=READ_TIMEOUT_S,
    retries={"mode": "standard", "total_max_attempts": 1},
)
"""One attempt per call: an entry may fail inside an answer that succeeds, so the retry is ours."""


class EventBus:
    """Publishes events, in at most `ATTEMPTS` attempts."""

    def __init__(self, client: "EventBridgeClient", name: str) -> None:
        self._client = client
        self._name = name

    def publish(self, event: Event, until: float) -> bool:
        """True: the bus has accepted the event. False: it has not, or nobody knows; it may be sent again.

        Args:
            event: The event.
            until: Instant of `time.monotonic` by which the answer must be known: an attempt that could take
                longer is not made.
        """
        for attempt in range(ATTEMPTS):
            pause_s = PAUSE_S if attempt else 0.0
            if time.monotonic() + pause_s + CONNECT_TIMEOUT_S + READ_TIMEOUT_S > until:
                return False
            time.sleep(pause_s)
            if self._accepted(event):
                return True
        return False

    def _accepted(self, event: Event) -> bool:
        try:
            answer = self._client.put_events(
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
        except (ClientError, BotoCoreError):
            return False
        return answer.get("FailedEntryCount") == 0  # absent: it is not the bus that answered

"""The session store, DynamoDB: where a session's header is written before anyone hears of the session."""

import time
from typing import TYPE_CHECKING

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from contracts.model import Contract
from contracts.session import (
    ContactSession,
    SessionHeader,
    StoreKey,
    contact_session_key,
    header_key,
    open_session_key,
)
from services.trigger.stored import Stored

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

CONNECT_TIMEOUT_S = 0.5
READ_TIMEOUT_S = 1.0
CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT_S,
    read_timeout=READ_TIMEOUT_S,
    retries={"mode": "standard", "total_max_attempts": 1},
)
"""Of one attempt; all of a write take about 3 s: Connect waits 8 s for the answer, and the bus may need 5."""
SECONDS_PER_DAY = 86_400
ATTEMPTS = 2
"""A transaction may meet another one on the same items, as a retried invocation's does."""
PAUSE_S = 0.1
"""Between attempts."""


def is_in_time(until: float) -> bool:
    """Whether a call of the store that begins now is over by the instant `until` of `time.monotonic`."""
    return time.monotonic() + CONNECT_TIMEOUT_S + READ_TIMEOUT_S <= until


class SessionStore:
    """Writes headers; a header that is there already stays as it is."""

    def __init__(self, client: "DynamoDBClient", table: str, retention_days: int) -> None:
        self._client = client
        self._table = table
        self._retention_s = retention_days * SECONDS_PER_DAY

    def put(self, header: SessionHeader, entry: ContactSession, until: float) -> Stored:
        """Unless the store is unavailable the header and the entries of contact and session are durable.

        Args:
            header: The session's.
            entry: The contact's, of the session.
            until: Instant of `time.monotonic` by which this is known; an attempt that could take longer is
                not made.
        """
        expires_at = header.requested_at_ms // 1_000 + self._retention_s
        items = [
            self._item(header_key(header.session_id), header, expires_at),
            self._item(contact_session_key(entry.contact_id, entry.session_id), entry, expires_at),
            self._item(open_session_key(entry.session_id, entry.requested_at_ms), entry, expires_at),
        ]
        for attempt in range(ATTEMPTS):
            pause_s = PAUSE_S if attempt else 0.0
            if not is_in_time(until - pause_s):
                break
            time.sleep(pause_s)
            stored = self._stored(items)
            if stored is not Stored.UNAVAILABLE:
                return stored
        return Stored.UNAVAILABLE

    def _item(self, key: StoreKey, model: Contract, expires_at: int) -> "TransactWriteItemTypeDef":
        return {
            "Put": {
                "TableName": self._table,
                "Item": {
                    "pk": {"S": key.pk},
                    "sk": {"S": key.sk},
                    "body": {"S": model.model_dump_json()},
                    "expires_at": {"N": str(expires_at)},
                },
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        }

    def _stored(self, items: "list[TransactWriteItemTypeDef]") -> Stored:
        try:
            self._client.transact_write_items(TransactItems=items)
        except self._client.exceptions.TransactionCanceledException as cancelled:
            reasons = cancelled.response.get("CancellationReasons", [])
            known = any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons)
            return Stored.KNOWN if known else Stored.UNAVAILABLE
        except (ClientError, BotoCoreError):
            return Stored.UNAVAILABLE
        return Stored.NEW

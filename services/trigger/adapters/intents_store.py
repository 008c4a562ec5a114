"""What is asked of contacts, and how far their sessions have come, in the session store on DynamoDB.

No call is begun that could last beyond the instant `until` of `time.monotonic`.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from contracts.intents import ContactIntents
from contracts.model import ContactId, SessionId
from contracts.session import (
    CONTACT_SESSION_PREFIX,
    LOG_PREFIX,
    LOG_RECORD,
    ContactSession,
    LogRecord,
    StoreKey,
    contact_session_key,
    header_key,
    intents_key,
)
from services.trigger.adapters.session_store import SECONDS_PER_DAY, is_in_time
from services.trigger.errors import StoreUnavailable
from services.trigger.intents import none_yet

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_SESSIONS = 200
"""Of one contact; a load test has 90."""
ATTEMPTS = 5
"""Another writer of the same contact's intents may come first as often."""
_TAKEN = "ConditionalCheckFailedException"


class IntentsStore:
    """Reads consistently; writes nothing that another writer has changed meanwhile."""

    def __init__(self, client: "DynamoDBClient", table: str, retention_days: int) -> None:
        self._client = client
        self._table = table
        self._retention_s = retention_days * SECONDS_PER_DAY

    def intents(self, contact_id: ContactId, until: float) -> ContactIntents:
        """As they stand. Raises: StoreUnavailable."""
        body = self._body(intents_key(contact_id), until)
        if body is None:
            return none_yet(contact_id)
        try:
            return ContactIntents.model_validate_json(body)
        except ValidationError as error:
            raise StoreUnavailable("the intents cannot be read") from error

    def change(
        self, contact_id: ContactId, change: Callable[[ContactIntents], ContactIntents], until: float
    ) -> ContactIntents:
        """Makes a change durable, and gives the intents that hold then.

        Raises:
            StoreUnavailable: not known whether it is.
        """
        for _ in range(ATTEMPTS):
            before = self.intents(contact_id, until)
            after = change(before)
            if after is before or self._written(after, before.revision, until):
                return after
        raise StoreUnavailable("others write the same intents all the time")

    def sessions(self, contact_id: ContactId, until: float) -> tuple[SessionId, ...]:
        """The contact's sessions, `MAX_SESSIONS` at most, over or not. Raises: StoreUnavailable."""
        pk, prefix = intents_key(contact_id).pk, CONTACT_SESSION_PREFIX
        answer = self._query(pk, prefix, until, limit=MAX_SESSIONS, forward=True)
        return tuple(SessionId(key.removeprefix(prefix)) for key, _ in answer)

    def requested_at_ms(self, contact_id: ContactId, session_id: SessionId, until: float) -> int | None:
        """When the session was requested first; None: it never was. Raises: StoreUnavailable."""
        body = self._body(contact_session_key(contact_id, session_id), until)
        try:
            return None if body is None else ContactSession.model_validate_json(body).requested_at_ms
        except ValidationError as error:
            raise StoreUnavailable("the contact's entry cannot be read") from error

    def newest(self, session_id: SessionId, until: float) -> tuple[LogRecord, ...]:
        """The two newest records of the session's log, newest first. Raises: StoreUnavailable."""
        answer = self._query(header_key(session_id).pk, LOG_PREFIX, until, limit=2, forward=False)
        try:
            return tuple(LOG_RECORD.validate_json(body) for _, body in answer)
        except ValidationError as error:
            raise StoreUnavailable("the log cannot be read") from error

    def _written(self, intents: ContactIntents, before: int, until: float) -> bool:
        """False: another writer was first."""
        _refuse_when_late(until)
        key = intents_key(intents.contact_id)
        try:
            self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": key.pk},
                    "sk": {"S": key.sk},
                    "body": {"S": intents.model_dump_json()},
                    "revision": {"N": str(intents.revision)},
                    "expires_at": {"N": str(int(time.time()) + self._retention_s)},
                },
                ConditionExpression="attribute_not_exists(pk) OR revision = :before",
                ExpressionAttributeValues={":before": {"N": str(before)}},
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == _TAKEN:
                return False
            raise StoreUnavailable("the intents were not written") from error
        except BotoCoreError as error:
            raise StoreUnavailable("the intents were not written") from error
        return True

    def _body(self, key: StoreKey, until: float) -> str | None:
        _refuse_when_late(until)
        try:
            answer = self._client.get_item(
                TableName=self._table, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable("an item was not read") from error
        return answer.get("Item", {}).get("body", {}).get("S")

    def _query(
        self, pk: str, prefix: str, until: float, *, limit: int, forward: bool
    ) -> list[tuple[str, str]]:
        """Sort key and body of the partition's first (or last) items with the prefix; one page."""
        _refuse_when_late(until)
        try:
            answer = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues={":pk": {"S": pk}, ":prefix": {"S": prefix}},
                ConsistentRead=True,
                ScanIndexForward=forward,
                Limit=limit,
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable("items were not read") from error
        return [
            (item.get("sk", {}).get("S", ""), item.get("body", {}).get("S", "")) for item in answer["Items"]
        ]


def _refuse_when_late(until: float) -> None:
    if not is_in_time(until):
        raise StoreUnavailable("no time is left")

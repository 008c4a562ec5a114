"""The session store, DynamoDB: headers and log records are read, delivery marks are read and written."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from contracts.model import SessionId
from contracts.session import (
    LOG_RECORD,
    DeliveryMark,
    Ended,
    Final,
    SessionHeader,
    StoreKey,
    delivery_mark_key,
    header_key,
    record_key,
)
from services.delivery.errors import StoreUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef

PLACES_PER_RECORD = 1_000_000
"""`place` of a mark is `n * PLACES_PER_RECORD + k`, one number that a condition can compare."""


@dataclass(frozen=True, slots=True)
class StoredHeader:
    """A session's header and when the store forgets it."""

    header: SessionHeader
    expires_at: str | None
    """Epoch seconds; None: never."""


class SessionStore:
    """Reads are consistent: what another process wrote is seen."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    async def header(self, session_id: SessionId) -> StoredHeader | None:
        """The session's header; None: the store does not know the session.

        Raises:
            StoreUnavailable: nobody knows.
        """
        item = await self._item(header_key(session_id))
        if item is None:
            return None
        return StoredHeader(
            SessionHeader.model_validate_json(_body(item)), item.get("expires_at", {}).get("N")
        )

    async def mark(self, session_id: SessionId) -> DeliveryMark | None:
        """How far delivery got; None: nowhere yet.

        Raises:
            StoreUnavailable: nobody knows.
        """
        item = await self._item(delivery_mark_key(session_id))
        return None if item is None else DeliveryMark.model_validate_json(_body(item))

    async def message(self, session_id: SessionId, n: int) -> str | None:
        """The callback's body in log record `n`; None: there is none.

        Raises:
            StoreUnavailable: nobody knows.
        """
        item = await self._item(record_key(session_id, n))
        if item is None:
            return None
        match LOG_RECORD.validate_json(_body(item)):
            case Final(message=message) | Ended(metadata_message=message):
                return message
            case _:
                return None

    async def put_mark(self, mark: DeliveryMark, expires_at: str | None) -> None:
        """Writes the mark unless the stored one is further already; a mark only grows.

        Raises:
            StoreUnavailable: it is not written, as far as known.
        """
        key = delivery_mark_key(mark.session_id)
        place = str(mark.n * PLACES_PER_RECORD + mark.k)
        item: dict[str, AttributeValueTypeDef] = {
            "pk": {"S": key.pk},
            "sk": {"S": key.sk},
            "body": {"S": mark.model_dump_json()},
            "place": {"N": place},
        }
        if expires_at is not None:
            item["expires_at"] = {"N": expires_at}
        try:
            await self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(pk) OR #place < :place",
                ExpressionAttributeNames={"#place": "place"},
                ExpressionAttributeValues={":place": {"N": place}},
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable from error

    async def _item(self, key: StoreKey) -> "dict[str, AttributeValueTypeDef] | None":
        try:
            answer = await self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
                ConsistentRead=True,
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable from error
        return answer.get("Item")


def _body(item: "dict[str, AttributeValueTypeDef]") -> str:
    return item.get("body", {}).get("S", "")

"""The session store on DynamoDB: consistent reads, and appends that need their number to be free."""

from collections.abc import AsyncIterator, Sequence
from time import monotonic, time
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import ValidationError

from contracts.intents import ContactIntents
from contracts.model import ContactId, SessionId
from contracts.session import (
    INTENTS_SORT_KEY,
    LOG_PREFIX,
    LOG_RECORD,
    ContactSession,
    LogRecord,
    SessionHeader,
    StoreKey,
    header_key,
    intents_key,
    open_before,
    open_partition,
    open_session_key,
    record_key,
)
from services.transcribe.errors import StoreUnavailable, UnreadableRecord
from services.transcribe.inputs import Appended, AppendFailed, Found, Refusal
from telemetry.log import logger

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import QueryInputTypeDef

PAGE = 25
"""Records of one query; most sessions need no second one."""
MAX_CONTACTS = 100
"""DynamoDB: keys of one BatchGetItem."""
MAX_LISTED = 1_000
"""Open sessions that one look at a shard finds; the oldest come first."""
MAX_TAIL = 2_000
"""Records of a tail: more than an hour's that could not be announced."""
_NOBODY = SessionId("no-session")
_TAKEN = "ConditionalCheckFailedException"
_REFUSALS = {
    "ValidationException": Refusal.RECORD,
    "AccessDeniedException": Refusal.ALL,
    "ResourceNotFoundException": Refusal.ALL,
}
_DAY_S = 86_400


class DynamoSessionStore:
    """Reads and writes the table `table`; records expire after `retention_days`."""

    def __init__(self, client: "DynamoDBClient", table: str, retention_days: int) -> None:
        self._client = client
        self._table = table
        self._retention_s = retention_days * _DAY_S

    async def header(self, session_id: SessionId) -> SessionHeader | None:
        """The session's header. Raises: StoreUnavailable, UnreadableRecord."""
        body = await self._get(header_key(session_id))
        try:
            return None if body is None else SessionHeader.model_validate_json(body)
        except ValidationError as error:
            raise UnreadableRecord("header") from error

    async def probe(self) -> None:
        """Reads an item that is never there, and writes it under the condition that it is; see the port."""
        key = header_key(_NOBODY)
        await self._get(key)
        try:
            await self._client.put_item(
                TableName=self._table,
                Item={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
                ConditionExpression="attribute_exists(pk)",
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code", "") != _TAKEN:
                raise StoreUnavailable("put") from error
        except BotoCoreError as error:
            raise StoreUnavailable("put") from error

    async def tail(self, session_id: SessionId, at_most: int = MAX_TAIL) -> tuple[LogRecord, ...]:
        """The newest records, ascending, from the last announced one on; see the port."""
        newest_first: list[LogRecord] = []
        try:
            async for body in self._bodies(session_id, min(at_most, PAGE)):
                newest_first.append(LOG_RECORD.validate_json(body))
                announced = newest_first[0].state.announced
                known = min(announced.queue_n, announced.bus_n)
                if len(newest_first) > 1 and newest_first[-1].n <= known:
                    break
                if len(newest_first) >= at_most:
                    break
        except ValidationError as error:
            raise UnreadableRecord("log record") from error
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable("query") from error
        return tuple(reversed(newest_first))

    async def intents(self, contact_ids: Sequence[ContactId]) -> dict[ContactId, ContactIntents | None]:
        """What is asked of at most `MAX_CONTACTS` contacts, each named once; see the port."""
        keys = {intents_key(contact_id).pk: contact_id for contact_id in contact_ids}
        try:
            answer = await self._client.batch_get_item(
                RequestItems={
                    self._table: {
                        "Keys": [{"pk": {"S": pk}, "sk": {"S": INTENTS_SORT_KEY}} for pk in keys],
                        "ConsistentRead": True,
                    }
                }
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable("batch get") from error
        left_out = answer.get("UnprocessedKeys", {}).get(self._table)
        unread = {key.get("pk", {}).get("S") for key in left_out["Keys"]} if left_out else set[str]()
        found = {
            item.get("pk", {}).get("S"): item.get("body", {}).get("S", "")
            for item in answer.get("Responses", {}).get(self._table, [])
        }
        read: dict[ContactId, ContactIntents | None] = {}
        for pk in keys.keys() - unread:
            contact_id = keys[pk]
            try:
                read[contact_id] = ContactIntents.model_validate_json(found[pk]) if pk in found else None
            except ValidationError:  # nothing is confirmed that cannot be read; what held goes on holding
                logger(contact_id=contact_id).error("transcribe.intents_unreadable")
        return read

    async def append(self, record: LogRecord) -> Appended | Found | AppendFailed:
        """Writes the record if its number is free."""
        key = record_key(record.session_id, record.n)
        began = monotonic()
        try:
            await self._client.put_item(
                TableName=self._table,
                Item={
                    "pk": {"S": key.pk},
                    "sk": {"S": key.sk},
                    "body": {"S": record.model_dump_json()},
                    "expires_at": {"N": str(int(time()) + self._retention_s)},
                },
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            return await self._found(key) if code == _TAKEN else AppendFailed(code, _REFUSALS.get(code))
        except BotoCoreError as error:
            return AppendFailed(type(error).__name__)
        return Appended((monotonic() - began) * 1000)

    async def unlist(self, session_id: SessionId, requested_at_ms: int) -> None:
        """Takes the session off the list of open ones; should that fail, a sweep does it later."""
        key = open_session_key(session_id, requested_at_ms)
        try:
            await self._client.delete_item(
                TableName=self._table, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}}
            )
        except (ClientError, BotoCoreError) as error:
            logger(session_id=session_id).warning("transcribe.session_not_unlisted", exc_info=error)

    async def listed(self, shard: int, requested_before_ms: int) -> list[ContactSession]:
        """Open sessions of one shard, `MAX_LISTED` at most; see the port."""
        try:
            answer = await self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk < :before",
                ExpressionAttributeValues={
                    ":pk": {"S": open_partition(shard)},
                    ":before": {"S": open_before(requested_before_ms)},
                },
                Limit=MAX_LISTED,
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable("query") from error
        listed: list[ContactSession] = []
        for item in answer["Items"]:
            try:
                listed.append(ContactSession.model_validate_json(item.get("body", {}).get("S", "")))
            except ValidationError:  # of a later version: its own processes look after it
                continue
        return listed

    async def _found(self, key: StoreKey) -> Found | AppendFailed:
        try:
            body = await self._get(key)
        except StoreUnavailable as error:
            return AppendFailed(str(error))
        try:
            return Found(None if body is None else LOG_RECORD.validate_json(body))
        except ValidationError:
            return Found(None)  # written by a version that we do not know: not by us

    async def _get(self, key: StoreKey) -> str | None:
        try:
            answer = await self._client.get_item(
                TableName=self._table,
                Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
                ConsistentRead=True,
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable("get") from error
        return answer.get("Item", {}).get("body", {}).get("S")

    async def _bodies(self, session_id: SessionId, page: int) -> AsyncIterator[str]:
        """Bodies of the session's records, newest first; `page` of one query."""
        query: QueryInputTypeDef = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :log)",
            "ExpressionAttributeValues": {
                ":pk": {"S": header_key(session_id).pk},
                ":log": {"S": LOG_PREFIX},
            },
            "ScanIndexForward": False,
            "ConsistentRead": True,
            "Limit": page,
        }
        while True:
            answer = await self._client.query(**query)
            for item in answer.get("Items", []):
                yield item.get("body", {}).get("S", "")
            more = answer.get("LastEvaluatedKey")
            if not more:
                return
            query["ExclusiveStartKey"] = more

"""The session store's table, DynamoDB: single items and pages of a partition, as contracts describe them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import TypeAdapter, ValidationError

from contracts.model import Contract
from contracts.session import StoreKey
from services.delivery.adapters.reads import Reads
from services.delivery.errors import StoreUnavailable, UnreadableItem

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef


@dataclass(frozen=True, slots=True)
class Item:
    """An item as stored."""

    sk: str
    body: str
    expires_at: str | None
    """Epoch seconds; None: never."""

    def read[T](self, form: TypeAdapter[T]) -> T:
        """What is in it.

        Raises:
            UnreadableItem: it is of another form.
        """
        try:
            return form.validate_json(self.body)
        except ValidationError as error:
            raise UnreadableItem(self.sk) from error


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for a write."""

    expression: str
    """`#name` is attribute `name`, which might be a reserved word."""
    name: str | None
    values: "dict[str, AttributeValueTypeDef]"


@dataclass(frozen=True, slots=True)
class Put:
    """An item to be written."""

    key: StoreKey
    model: Contract
    expires_at: str | None
    condition: "Condition | None" = None
    place: int | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """An item to be deleted, which must be there."""

    key: StoreKey


ABSENT = Condition("attribute_not_exists(pk)", None, {})


class Table:
    """Every method raises `StoreUnavailable` when nothing was read, or written as far as known.

    `run` must run.
    """

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name
        self._reads = Reads(client, name)

    async def run(self) -> None:
        """Serves `get` until it is cancelled."""
        await self._reads.run()

    async def get(self, *keys: StoreKey) -> list[Item | None]:
        """A consistent read of some items; None where there is none."""
        return [None if item is None else _item(item) for item in await self._reads.get(*keys)]

    async def query(self, pk: str, sk_prefix: str, *, after: str | None = None, limit: int) -> list[Item]:
        """Items whose sort key begins so, in its order, those after `after` only; a consistent read."""
        start = {"ExclusiveStartKey": {"pk": {"S": pk}, "sk": {"S": after}}} if after else {}
        begins = " AND begins_with(sk, :sk)" if sk_prefix else ""
        prefix: dict[str, AttributeValueTypeDef] = {":sk": {"S": sk_prefix}} if sk_prefix else {}
        try:
            answer = await self._client.query(
                TableName=self._name,
                KeyConditionExpression=f"pk = :pk{begins}",
                ExpressionAttributeValues={":pk": {"S": pk}, **prefix},
                ConsistentRead=True,
                Limit=limit,
                **start,  # pyright: ignore[reportArgumentType]  # a key
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable from error
        return [_item(item) for item in answer["Items"]]

    async def put(self, put: Put) -> bool:
        """Writes an item; False: the condition does not hold."""
        try:
            await self._client.put_item(**self._arguments(put))  # pyright: ignore[reportArgumentType]  # of it
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable from error
        return True

    async def delete(self, delete: Delete) -> bool:
        """Deletes an item; False: there was none."""
        try:
            await self._client.delete_item(**self._arguments(delete))  # pyright: ignore[reportArgumentType]  # of it
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable from error
        return True

    async def write_all(self, *writes: Put | Delete) -> bool:
        """Does all of them or none; False: a condition does not hold."""
        try:
            await self._client.transact_write_items(
                TransactItems=[{type(each).__name__: self._arguments(each)} for each in writes]  # pyright: ignore[reportArgumentType]  # of it
            )
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            if any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
                return False
            raise StoreUnavailable from error
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable from error
        return True

    def _arguments(self, write: Put | Delete) -> dict[str, object]:
        if isinstance(write, Delete):
            key = {"pk": {"S": write.key.pk}, "sk": {"S": write.key.sk}}
            return {"TableName": self._name, "Key": key, "ConditionExpression": "attribute_exists(pk)"}
        item: dict[str, AttributeValueTypeDef] = {
            "pk": {"S": write.key.pk},
            "sk": {"S": write.key.sk},
            "body": {"S": write.model.model_dump_json()},
        }
        if write.expires_at is not None:
            item["expires_at"] = {"N": write.expires_at}
        if write.place is not None:
            item["place"] = {"N": str(write.place)}
        return {"TableName": self._name, "Item": item, **_conditional(write.condition)}


def _conditional(condition: Condition | None) -> dict[str, object]:
    if condition is None:
        return {}
    values = {"ExpressionAttributeValues": condition.values} if condition.values else {}
    names = {"ExpressionAttributeNames": {f"#{condition.name}": condition.name}} if condition.name else {}
    return {"ConditionExpression": condition.expression, **names, **values}


def _item(item: "dict[str, AttributeValueTypeDef]") -> Item:
    sk, body = item.get("sk", {}).get("S"), item.get("body", {}).get("S")
    if sk is None or body is None:
        raise StoreUnavailable("an item without key or body")
    return Item(sk, body, item.get("expires_at", {}).get("N"))

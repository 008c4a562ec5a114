"""The session store's table, DynamoDB: single items and pages of a partition, as contracts describe them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from contracts.model import Contract
from contracts.session import StoreKey
from services.delivery.errors import StoreUnavailable

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


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for a write."""

    expression: str
    """`#name` is attribute `name`, which might be a reserved word."""
    name: str | None
    values: "dict[str, AttributeValueTypeDef]"


ABSENT = Condition("attribute_not_exists(pk)", None, {})


class Table:
    """Every method raises `StoreUnavailable` when nothing was read, or written as far as known."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    async def get(self, key: StoreKey) -> Item | None:
        """A consistent read."""
        try:
            answer = await self._client.get_item(
                TableName=self._name, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}}, ConsistentRead=True
            )
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable from error
        return _item(answer["Item"]) if "Item" in answer else None

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

    async def put(
        self,
        key: StoreKey,
        model: Contract,
        *,
        expires_at: str | None,
        condition: Condition | None = None,
        place: int | None = None,
    ) -> bool:
        """Writes an item; False: the condition does not hold."""
        item: dict[str, AttributeValueTypeDef] = {
            "pk": {"S": key.pk},
            "sk": {"S": key.sk},
            "body": {"S": model.model_dump_json()},
        }
        if expires_at is not None:
            item["expires_at"] = {"N": expires_at}
        if place is not None:
            item["place"] = {"N": str(place)}
        try:
            await self._client.put_item(TableName=self._name, Item=item, **_conditional(condition))  # pyright: ignore[reportArgumentType]  # two arguments of it
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable from error
        return True

    async def delete(self, key: StoreKey) -> bool:
        """Deletes an item; False: there was none."""
        try:
            await self._client.delete_item(
                TableName=self._name,
                Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
                ConditionExpression="attribute_exists(pk)",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        except (ClientError, BotoCoreError) as error:
            raise StoreUnavailable from error
        return True


def _conditional(condition: Condition | None) -> dict[str, object]:
    if condition is None:
        return {}
    values = {"ExpressionAttributeValues": condition.values} if condition.values else {}
    names = {"ExpressionAttributeNames": {f"#{condition.name}": condition.name}} if condition.name else {}
    return {"ConditionExpression": condition.expression, **names, **values}


def _item(item: "dict[str, AttributeValueTypeDef]") -> Item:
    return Item(
        item.get("sk", {}).get("S", ""),
        item.get("body", {}).get("S", ""),
        item.get("expires_at", {}).get("N"),
    )

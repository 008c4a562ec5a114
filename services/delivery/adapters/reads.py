"""Consistent reads of single items, those that are asked for together in one call (BatchGetItem)."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from contracts.session import StoreKey
from services.delivery.errors import StoreUnavailable

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.client import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import AttributeValueTypeDef, BatchGetItemOutputTypeDef

READERS = 8
"""Calls under way at once; under load each takes what has gathered, up to `KEYS_PER_CALL`."""
KEYS_PER_CALL = 100
"""Amazon DynamoDB API Reference, BatchGetItem."""
KEYS_PER_QUESTION = 10

type StoredItem = "dict[str, AttributeValueTypeDef]"
type Key = tuple[str, str]
"""Partition and sort key."""


@dataclass(frozen=True, slots=True)
class _Question:
    keys: tuple[Key, ...]
    answer: asyncio.Future[list[StoredItem | None]] = field(repr=False)


class Reads:
    """Reads while `run` runs."""

    def __init__(self, client: "DynamoDBClient", table_name: str) -> None:
        self._client = client
        self._table = table_name
        self._questions: asyncio.Queue[_Question] = asyncio.Queue()

    async def get(self, *keys: StoreKey) -> list[StoredItem | None]:
        """The items of up to `KEYS_PER_QUESTION` keys; None where there is none.

        Raises:
            StoreUnavailable: not all of them were read.
        """
        assert len(keys) <= KEYS_PER_QUESTION  # noqa: S101 -- a call has room for it
        question = _Question(
            tuple((key.pk, key.sk) for key in keys), asyncio.get_running_loop().create_future()
        )
        self._questions.put_nowait(question)
        return await question.answer

    async def run(self) -> None:
        """Reads until it is cancelled."""
        async with asyncio.TaskGroup() as readers:
            for _ in range(READERS):
                readers.create_task(self._read())

    async def _read(self) -> None:
        while True:
            batch = [await self._questions.get()]
            size = len(batch[0].keys)
            while size <= KEYS_PER_CALL - KEYS_PER_QUESTION and not self._questions.empty():
                batch.append(self._questions.get_nowait())
                size += len(batch[-1].keys)
            try:
                found, missing = await self._call({key for each in batch for key in each.keys})
            except (ClientError, BotoCoreError) as error:
                _settle_all(batch, StoreUnavailable, error)
            else:
                for each in batch:
                    _settle(each, found, missing)

    async def _call(self, keys: Iterable[Key]) -> tuple[dict[Key, StoredItem], set[Key]]:
        """What is there, and what was not looked for: DynamoDB may leave keys out of a call."""
        answer: BatchGetItemOutputTypeDef = await self._client.batch_get_item(
            RequestItems={
                self._table: {
                    "Keys": [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys],
                    "ConsistentRead": True,
                }
            }
        )
        found = {_key(item): item for item in answer.get("Responses", {}).get(self._table, [])}
        left = answer.get("UnprocessedKeys", {}).get(self._table)
        return found, {_key(key) for key in left["Keys"]} if left else set()


def _key(item: StoredItem) -> Key:
    return item.get("pk", {}).get("S", ""), item.get("sk", {}).get("S", "")


def _settle(question: _Question, found: dict[Key, StoredItem], missing: set[Key]) -> None:
    if question.answer.done():
        return  # nobody waits any more
    if missing.isdisjoint(question.keys):
        question.answer.set_result([found.get(key) for key in question.keys])
    else:
        question.answer.set_exception(StoreUnavailable())


def _settle_all(questions: Iterable[_Question], kind: type[StoreUnavailable], cause: Exception) -> None:
    for each in questions:
        if not each.answer.done():
            error = kind()
            error.__cause__ = cause
            each.answer.set_exception(error)

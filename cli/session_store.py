"""The session store as an operator reads it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError
from pydantic import ValidationError

from cli.errors import AwsUnavailable
from contracts.delivery import (
    ENDPOINTS,
    PARKED_INDEX,
    UNDELIVERED_INDEX,
    UNDELIVERED_PREFIX,
    DisabledEndpoint,
    ParkedSession,
    UndeliveredMessage,
    parked_key,
    undelivered_key,
)
from contracts.model import ContactId, SessionId
from contracts.session import (
    CONTACT_SESSION_PREFIX,
    LOG_PREFIX,
    LOG_RECORD,
    DeliveryMark,
    LogRecord,
    SessionHeader,
    contact_session_key,
    delivery_mark_key,
    header_key,
    record_key,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})


class SessionStore:
    """Reads what the services wrote.

    Every method raises `AwsUnavailable` when the table cannot be read.
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    @classmethod
    def connect(cls, table: str) -> "SessionStore":
        """With the standard AWS settings of the environment.

        Raises:
            AwsUnavailable: there is no region.
        """
        try:
            return cls(boto3.client("dynamodb", config=CONFIG), table)
        except BotoCoreError as error:
            raise AwsUnavailable(_explain(error, table)) from error

    def sessions_of(self, contact_id: ContactId) -> list[SessionId]:
        """The contact's sessions."""
        key = contact_session_key(contact_id, SessionId(""))
        return [
            SessionId(sk.removeprefix(CONTACT_SESSION_PREFIX))
            for sk, _ in self._items(key.pk, CONTACT_SESSION_PREFIX)
        ]

    def header(self, session_id: SessionId) -> SessionHeader | None:
        """The session's header; None: there is no such session."""
        key = header_key(session_id)
        for _, body in self._items(key.pk, key.sk):
            return SessionHeader.model_validate_json(body)
        return None

    def records(self, session_id: SessionId) -> list[LogRecord]:
        """The session's log, in order; records of a kind that this version does not know are left out."""
        found: list[LogRecord] = []
        for _, body in self._items(record_key(session_id, 1).pk, LOG_PREFIX):
            try:
                found.append(LOG_RECORD.validate_json(body))
            except ValidationError:
                continue
        return found

    def mark(self, session_id: SessionId) -> DeliveryMark | None:
        """How far delivery got; None: nowhere yet."""
        key = delivery_mark_key(session_id)
        for sk, body in self._items(key.pk, key.sk):
            if sk == key.sk:
                return DeliveryMark.model_validate_json(body)
        return None

    def parked(self, session_id: SessionId) -> ParkedSession | None:
        """Why the session waits; None: it does not."""
        key = parked_key(session_id)
        for _, body in self._items(key.pk, key.sk):
            return ParkedSession.model_validate_json(body)
        return None

    def undelivered(self, session_id: SessionId) -> list[UndeliveredMessage]:
        """What was given up of the session, in order."""
        items = self._items(undelivered_key(session_id, 1).pk, UNDELIVERED_PREFIX)
        return [UndeliveredMessage.model_validate_json(body) for _, body in items]

    def owed(self, endpoint: str | None) -> list[SessionId]:
        """Sessions that are parked or have undelivered messages, of one endpoint or all."""
        prefix = f"{endpoint}#" if endpoint else ""
        keys = [sk for index in (PARKED_INDEX, UNDELIVERED_INDEX) for sk, _ in self._items(index, prefix)]
        return list(dict.fromkeys(SessionId(sk.rpartition("#")[2]) for sk in keys))

    def disabled(self) -> list[DisabledEndpoint]:
        """Endpoints that fail."""
        return [DisabledEndpoint.model_validate_json(body) for _, body in self._items(ENDPOINTS, "")]

    def _items(self, pk: str, sk_prefix: str) -> Iterator[tuple[str, str]]:
        """Sort key and body of a partition's items, in the order of their keys."""
        begins = " AND begins_with(sk, :sk)" if sk_prefix else ""
        prefix: dict[str, AttributeValueTypeDef] = {":sk": {"S": sk_prefix}} if sk_prefix else {}
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression=f"pk = :pk{begins}",
            ExpressionAttributeValues={":pk": {"S": pk}, **prefix},
            ConsistentRead=True,
        )
        try:
            for page in pages:
                for item in page["Items"]:
                    yield item["sk"].get("S", ""), item.get("body", {}).get("S", "")
        except (ClientError, BotoCoreError) as error:
            raise AwsUnavailable(_explain(error, self._table)) from error


def _explain(error: Exception, table: str) -> str:
    match error:
        case NoRegionError():
            return "No AWS region is set; set AWS_DEFAULT_REGION."
        case NoCredentialsError():
            return "No AWS credentials were found; log in, or set AWS_PROFILE."
        case ClientError(response={"Error": {"Code": "ResourceNotFoundException"}}):
            return f"There is no table {table} in this account and region; is SESSIONS_TABLE right?"
        case ClientError(response={"Error": {"Code": str(code)}}):
            return f"AWS refused to read the table {table}: {code}."
        case _:
            return f"AWS cannot be reached to read the table {table} ({type(error).__name__})."

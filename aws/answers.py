"""What goes wrong between us and AWS is an error of the SDK's one family, whatever it was.

The SDK lets through what its callers cannot foresee: a page of a proxy counts as an empty answer, credentials
that are expired as RuntimeError, JSON of another form as AttributeError or, later, as KeyError at the caller.
"""

import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from botocore.model import OperationModel, Shape

_SENT = frozenset({"Successful", "Failed"})
_NEEDED: dict[str, tuple[frozenset[str], ...]] = {
    "BatchGetItem": (frozenset({"Responses"}),),
    "ChangeMessageVisibilityBatch": (_SENT,),
    "DeleteMessageBatch": (_SENT,),
    "GetQueueAttributes": (frozenset({"Attributes"}),),
    "PutEvents": (frozenset({"Entries"}), frozenset({"FailedEntryCount"})),
    "Query": (frozenset({"Items"}),),
    "SendMessageBatch": (_SENT,),
}
"""What is in every answer, one key of each set. Most operations answer `{}` when there is nothing to say."""
_FIRST_ERROR = 300

type _Method = Callable[..., Awaitable[object]]


class NoAnswer(BotoCoreError):
    """AWS did not answer, or by what is no answer; it may have done what was asked."""

    fmt = "No answer to {operation}: {cause}"


def read_answer(operation: "OperationModel", body: bytes) -> dict[str, Any]:
    """The answer to a JSON call that succeeded.

    Raises:
        NoAnswer: it is not of the form that AWS describes.
    """
    shape = operation.output_shape
    if shape is None and not body:
        return {}
    try:
        answer: object = json.loads(body)
    except ValueError as error:
        raise NoAnswer(operation=operation.name, cause="not JSON") from error
    if not isinstance(answer, dict):
        raise NoAnswer(operation=operation.name, cause="no JSON object")
    fields = {name: value for name, value in cast("dict[str, object]", answer).items() if value is not None}
    is_whole = all(some & fields.keys() for some in _NEEDED.get(operation.name, ()))
    if not is_whole or (shape is not None and not _members_fit(shape, fields)):
        raise NoAnswer(operation=operation.name, cause="JSON of another form")
    return fields


def careful[Client](client: Client) -> Client:
    """`client`, of a service that speaks JSON; its calls raise ClientError and BotoCoreError only."""
    checked = cast("AioBaseClient", client)
    checked.meta.events.register("before-parse", _check, unique_id="careful")
    return cast("Client", _Careful(checked))


class _Careful:
    def __init__(self, client: "AioBaseClient") -> None:
        self._client = client

    def __getattr__(self, name: str) -> object:
        found = getattr(self._client, name)
        return _guarded(name, found) if name in self._client.meta.method_to_api_mapping else found


def _guarded(name: str, method: _Method) -> _Method:
    async def call(**parameters: object) -> object:
        try:
            return await method(**parameters)
        except (ClientError, BotoCoreError):
            raise
        except Exception as error:
            raise NoAnswer(operation=name, cause=type(error).__name__) from error

    return call


def _check(operation_model: "OperationModel", response_dict: dict[str, Any], **_: object) -> None:
    """Before the SDK reads an answer."""
    if response_dict["status_code"] < _FIRST_ERROR:
        read_answer(operation_model, response_dict["body"])


def _fits(shape: "Shape", value: object) -> bool:
    """Whether a value has its type and is whole, and so are all that are in it."""
    described = cast("Any", shape)  # each kind of shape names what is in it otherwise
    match shape.type_name:
        case "structure":
            return isinstance(value, dict) and (
                all(name in value for name in described.required_members)
                and _members_fit(shape, cast("dict[str, object]", value))
            )
        case "map":
            return isinstance(value, dict) and all(
                _fits(described.value, each) for each in cast("dict[str, object]", value).values()
            )
        case "list":
            return isinstance(value, list) and all(
                _fits(described.member, each) for each in cast("list[object]", value)
            )
        case "string":
            return value is None or isinstance(value, str)
        case "integer":
            return isinstance(value, int)
        case _:
            return True


def _members_fit(shape: "Shape", value: dict[str, object]) -> bool:
    members = cast("Any", shape).members
    return all(_fits(members[name], each) for name, each in value.items() if name in members)

"""What a service's role may do is what its code does: no more, and no less."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MODULES = ROOT / "infra" / "terraform" / "modules"
SERVICES = ("trigger", "ingest", "transcribe", "delivery")
NEEDED = {
    "receive_message": "sqs:ReceiveMessage",
    "delete_message": "sqs:DeleteMessage",
    "delete_message_batch": "sqs:DeleteMessage",
    "send_message": "sqs:SendMessage",
    "send_message_batch": "sqs:SendMessage",
    "change_message_visibility": "sqs:ChangeMessageVisibility",
    "change_message_visibility_batch": "sqs:ChangeMessageVisibility",
    "get_queue_attributes": "sqs:GetQueueAttributes",
    "put_events": "events:PutEvents",
    "get_item": "dynamodb:GetItem",
    "batch_get_item": "dynamodb:BatchGetItem",
    "query": "dynamodb:Query",
    "put_item": "dynamodb:PutItem",
    "update_item": "dynamodb:UpdateItem",
    "delete_item": "dynamodb:DeleteItem",
    "get_secret_value": "secretsmanager:GetSecretValue",
    "get_data_endpoint": "kinesisvideo:GetDataEndpoint",
    "get_media": "kinesisvideo:GetMedia",
}
"""Methods of AWS's clients, and the right that each needs."""
IN_TRANSACTIONS = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
"""Parts of `transact_write_items`."""


def done_by(service: str) -> set[str]:
    home = ROOT / "services" / service
    shared = [ROOT / "aws" / "link_secrets.py"] if "link_secrets" in (home / "service.py").read_text() else []
    adapters = [*(home / "adapters").glob("*.py"), *shared]
    return {right for path in adapters for right in rights(path.read_text())}


def rights(source: str) -> Iterator[str]:
    """What the calls in a module need."""
    tree = ast.parse(source)
    called = {
        node.func.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for method in called & NEEDED.keys():
        # A setting of pydantic's has a secret value, too.
        if method != "get_secret_value" or "SecretsManagerClient" in source:
            yield NEEDED[method]
    if "transact_write_items" in called:
        yield from (IN_TRANSACTIONS[part] for part in IN_TRANSACTIONS.keys() & words)


def allowed_to(service: str) -> set[str]:
    """Of the module's policy; rights to logs and keys, which no code asks for, are not looked at."""
    policy = (MODULES / service / "main.tf").read_text()
    return set(re.findall(r'"((?:sqs|events|dynamodb|secretsmanager|kinesisvideo):[A-Za-z*]+)"', policy))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_do_what_its_code_does_and_nothing_else(service: str) -> None:
    done = done_by(service)
    assert len(done) >= 3
    assert allowed_to(service) == done

"""Secrets of Secrets Manager: rotated without a restart."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from embedded.process import ProcessFailed
from emulators.receiver.recorder import Received
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from services.delivery.adapters.secrets import read_credentials
from services.delivery.webhook import Credentials, UnusableSecret, read_signing_key
from tests.integration.delivery.surroundings import SECRET, Process, Surroundings, arrive, become

NEW = "whsec_" + "bmV3" * 8


@pytest.fixture
def secret(surroundings: Surroundings) -> str:
    name = f"credentials-{uuid.uuid4().hex}"
    surroundings.aws.secrets().create_secret(Name=name, SecretString=SECRET)
    return name


@pytest.fixture
def process(surroundings: Surroundings, tmp_path: Path, secret: str) -> Iterator[Process]:
    settings = {"SIGNING_SECRETS": "", "CREDENTIALS_SECRET_ID": secret, "CREDENTIALS_REFRESH_S": "0.1"}
    process = Process(surroundings, tmp_path, settings)
    process.start()
    yield process
    process.stop()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with serve(ReceiverOptions()) as started:
        yield started


def verifies(request: Received, secret: str) -> bool:
    try:
        Webhook(secret).verify(request.body, request.headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


async def test_a_rotation_is_known_without_a_restart_and_loses_no_receiver(
    surroundings: Surroundings, receiver: Receiver, session: str, secret: str, process: Process
) -> None:
    surroundings.add_session(session, receiver.url)

    async def next_one(n: int) -> Received:
        surroundings.say(session, n)
        return (await arrive(receiver, n))[-1]

    async def rotate(value: str) -> None:
        before = process.log.count("delivery.secrets_rotated")
        surroundings.aws.secrets().put_secret_value(SecretId=secret, SecretString=value)
        await become(lambda: process.log.count("delivery.secrets_rotated"), before + 1)

    signed_by = [[verifies(await next_one(1), each) for each in (SECRET, NEW)]]
    await rotate(f"{NEW} {SECRET}")
    signed_by.append([verifies(await next_one(2), each) for each in (SECRET, NEW)])
    await rotate(f'{{"signing_secrets": ["{NEW}"], "callback_token": "told"}}')
    last = await next_one(3)
    signed_by.append([verifies(last, each) for each in (SECRET, NEW)])
    assert signed_by == [[True, False], [True, True], [False, True]]
    assert last.headers["dg-token"] == "told"
    surroundings.aws.secrets().put_secret_value(SecretId=secret, SecretString="of no known form")
    await become(lambda: "delivery.secrets_not_refreshed" in process.log, True)
    assert verifies(await next_one(4), NEW)
    assert "whsec" not in process.log


async def test_nothing_is_delivered_unsigned_because_the_secret_is_unusable(
    surroundings: Surroundings, tmp_path: Path, secret: str
) -> None:
    surroundings.aws.secrets().put_secret_value(SecretId=secret, SecretString="whsec_short")
    process = Process(surroundings, tmp_path, {"CREDENTIALS_SECRET_ID": secret})
    with pytest.raises(ProcessFailed, match="exit code 2"):
        await asyncio.to_thread(process.start)
    assert "credentials_secret_id" in process.log
    assert "whsec" not in process.log


def test_a_secret_is_a_list_or_a_document() -> None:
    keys = (read_signing_key(SECRET), read_signing_key(NEW))
    assert read_credentials(f"{SECRET}\n{NEW}\n") == Credentials(keys)
    assert read_credentials(f'{{"signing_secrets": ["{SECRET}", "{NEW}"]}}') == Credentials(keys)
    assert read_credentials("") == Credentials()


@pytest.mark.parametrize("text", ["{", '{"signing_secrets": "x"}', '{"signing_secrets": ["whsec_x"]}', "x"])
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(UnusableSecret):
        read_credentials(text)

"""Secrets of Secrets Manager: rotated without a restart."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiobotocore.session import get_session
from standardwebhooks import Webhook, WebhookVerificationError

from emulators.receiver.recorder import Received
from emulators.receiver.server import Receiver, ReceiverOptions, serve
from services.delivery.adapters.patience import Patience
from services.delivery.adapters.secrets import StoredCredentials, read_credentials
from services.delivery.webhook import Credentials, UnusableSecret, read_signing_key
from telemetry.health import Health
from telemetry.metrics import Metrics
from tests.integration.delivery.surroundings import (
    SECRET,
    WITHIN_S,
    Process,
    Surroundings,
    arrive,
    become,
)

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
    await become(lambda: "delivery.secret_refused" in process.log, True)
    assert verifies(await next_one(4), NEW)
    assert "whsec" not in process.log


@asynccontextmanager
async def credentials_of(
    surroundings: Surroundings,
    secret: str,
    monkeypatch: pytest.MonkeyPatch,
    health: Health,
    metrics: Metrics | None = None,
) -> AsyncGenerator[StoredCredentials]:
    for name, value in surroundings.aws.environment.items():
        monkeypatch.setenv(name, value)
    metrics = metrics or Metrics("delivery", stack="s")
    async with get_session().create_client("secretsmanager") as client:
        yield StoredCredentials(client, secret, Credentials(), 0.02, health=health, metrics=metrics)


async def test_nothing_is_delivered_unsigned_because_the_secret_is_unusable(
    surroundings: Surroundings, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    health = Health()
    put = surroundings.aws.secrets().put_secret_value
    put(SecretId=secret, SecretString='{"signing_secret": ["whsec_short"]}')
    async with (
        credentials_of(surroundings, secret, monkeypatch, health) as credentials,
        asyncio.TaskGroup() as tasks,
    ):
        starting = tasks.create_task(credentials.start(Patience()))
        await become(lambda: bool(health.not_ready()), True)
        [reason] = health.not_ready()
        assert reason.startswith("secret of signatures is unusable: ")
        assert not starting.done()
        put(SecretId=secret, SecretString=SECRET)
        async with asyncio.timeout(WITHIN_S):
            await starting
    assert credentials().keys == (read_signing_key(SECRET),)
    assert health.not_ready() == []


async def test_a_process_without_a_usable_secret_takes_no_message_and_ends_well(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path, secret: str
) -> None:
    surroundings.aws.secrets().put_secret_value(SecretId=secret, SecretString="{}")
    surroundings.add_session(session, receiver.url)
    surroundings.say(session, 1)
    process = Process(surroundings, tmp_path, {"SIGNING_SECRETS": "", "CREDENTIALS_SECRET_ID": secret})
    process.begin()
    await become(lambda: "delivery.secret_refused" in process.log, True)
    assert not receiver.recorder.received
    surroundings.aws.secrets().put_secret_value(SecretId=secret, SecretString=SECRET)
    await asyncio.to_thread(process.child.ready)
    [delivered] = await arrive(receiver, 1)
    assert verifies(delivered, SECRET)
    await asyncio.to_thread(process.stop)


BAD = [
    "",
    " \n",
    "{}",
    "{",
    "x",
    '{"signing_secret": ["SECRET"]}',
    '{"signing_secrets": ["SECRET"], "token": "t"}',
    '{"signing_secrets": []}',
    '{"signing_secrets": [], "callback_token": "t"}',
    '{"signing_secrets": "x"}',
    '{"signing_secrets": ["whsec_x"]}',
    '{"callback_token": ""}',
    '{"signing_secrets": ["SECRET"], "callback_token": "two\\nlines"}',
    '{"signing_secrets": ["SECRET"], "callback_token": "told\\n"}',
    '{"signing_secrets": ["SECRET"], "callback_token": "ключ"}',
]


async def test_an_unusable_value_is_told_and_the_last_good_one_stays(
    surroundings: Surroundings, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    health, out = Health(), list[str]()
    metrics = Metrics("delivery", out.append, stack="s")

    def told() -> bool:
        metrics.flush(0)
        return any("SecretsRefused" in line for line in out)

    put = surroundings.aws.secrets().put_secret_value
    async with (
        credentials_of(surroundings, secret, monkeypatch, health, metrics) as credentials,
        asyncio.TaskGroup() as tasks,
    ):
        await credentials.start(Patience())
        good = credentials()
        refreshing = tasks.create_task(credentials.run())
        for value in ("{}", '{"callback_token": "would turn signing off"}'):
            put(SecretId=secret, SecretString=value)
            out.clear()
            await become(told, True)
            assert credentials() == good
            put(SecretId=secret, SecretString=SECRET)
            metrics.flush(0)
        refreshing.cancel()
    assert health.not_ready() == []


def test_a_secret_is_a_list_or_a_document() -> None:
    keys = (read_signing_key(SECRET), read_signing_key(NEW))
    assert read_credentials(f"{SECRET}\n{NEW}\n") == Credentials(keys)
    assert read_credentials(f'{{"signing_secrets": ["{SECRET}", "{NEW}"]}}') == Credentials(keys)
    assert read_credentials('{"callback_token": "told you"}') == Credentials((), "told you")


@pytest.mark.parametrize("text", BAD)
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(UnusableSecret) as refused:
        read_credentials(text.replace("SECRET", SECRET))
    assert SECRET not in str(refused.value)

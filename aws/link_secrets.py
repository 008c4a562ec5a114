"""The link's secrets from Secrets Manager: the present one and the one before it, read again every minute."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from aws.answers import careful
from telemetry.log import logger

if TYPE_CHECKING:
    from types_aiobotocore_secretsmanager.client import SecretsManagerClient

LEAST_CHARACTERS = 32
RETRY_S = 2.0
START_S = 30.0
_AWS = AioConfig(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 2})
STAGES = ("AWSCURRENT", "AWSPREVIOUS")


class LinkSecretUnavailable(Exception):
    """Secrets Manager gives no secret that can be used; whoever meets this tries again later."""


class LinkSecrets:
    """What the link's ends share; while it cannot be read, what it was last."""

    def __init__(self, static: str | None = None) -> None:
        self._static = () if static is None else (static,)
        self._stored: tuple[str, ...] = ()

    def __call__(self) -> Sequence[str]:
        """The present one first; never empty once one was read."""
        return *self._stored, *self._static

    async def start(self, client: "SecretsManagerClient", secret_id: str) -> None:
        """Returns once there is a secret.

        Raises:
            LinkSecretUnavailable: there was none within `START_S`.
        """
        deadline_s = asyncio.get_running_loop().time() + START_S
        while True:
            try:
                self._stored = await _read(client, secret_id)
            except LinkSecretUnavailable as error:
                logger().warning("link.secret_unavailable", exc_info=error)
                if not self._static and asyncio.get_running_loop().time() > deadline_s:
                    raise
            if self():
                return
            await asyncio.sleep(RETRY_S)

    async def run(self, client: "SecretsManagerClient", secret_id: str, every_s: float) -> None:
        """Reads until it is cancelled."""
        while True:
            await asyncio.sleep(every_s)
            try:
                stored = await _read(client, secret_id)
            except LinkSecretUnavailable as error:
                logger().warning("link.secret_unavailable", exc_info=error)
                continue
            if stored != self._stored:
                self._stored = stored
                logger().info("link.secret_rotated", count=len(stored))


@asynccontextmanager
async def link_secrets(
    static: str | None, secret_id: str | None, every_s: float
) -> AsyncGenerator[LinkSecrets]:
    """The secrets, kept up to date while the context lasts.

    Args:
        static: Of the environment, beside what is stored.
        secret_id: Name or ARN in Secrets Manager; None: there is only the static one.
        every_s: How often it is read.

    Raises:
        LinkSecretUnavailable: there is none.
    """
    secrets = LinkSecrets(static)
    if secret_id is None:
        yield secrets
        return
    async with get_session().create_client("secretsmanager", config=_AWS) as made:
        client = careful(made)
        await secrets.start(client, secret_id)
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(secrets.run(client, secret_id, every_s))
            yield secrets
            reading.cancel()


async def _read(client: "SecretsManagerClient", secret_id: str) -> tuple[str, ...]:
    found: list[str] = []
    for stage in STAGES:
        try:
            answer = await client.get_secret_value(SecretId=secret_id, VersionStage=stage)
        except client.exceptions.ResourceNotFoundException as error:
            if stage == STAGES[0]:
                raise LinkSecretUnavailable from error
            continue  # it was never rotated
        except (ClientError, BotoCoreError) as error:
            raise LinkSecretUnavailable from error
        secret = answer.get("SecretString", "").strip()
        if len(secret) >= LEAST_CHARACTERS:
            found.append(secret)
        elif stage == STAGES[0]:
            raise LinkSecretUnavailable
    return tuple(found)

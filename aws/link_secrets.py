"""The link's secrets from Secrets Manager: the present one and the one before it, read again every minute."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from aws.answers import careful
from contracts.metrics import SECRETS_REFUSED
from telemetry.health import Health, why
from telemetry.log import logger
from telemetry.metrics import Metrics

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

    def __init__(self, static: str | None, metrics: Metrics, health: Health) -> None:
        self._static = () if static is None else (static,)
        self._stored: tuple[str, ...] = ()
        self._metrics = metrics
        self._health = health

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
                self._stored = await self._read(client, secret_id)
            except LinkSecretUnavailable as error:
                self._health.failing("secret of the link", str(error))
                if not self._static and asyncio.get_running_loop().time() > deadline_s:
                    raise
            if self():
                self._health.works("secret of the link")
                return
            await asyncio.sleep(RETRY_S)

    async def run(self, client: "SecretsManagerClient", secret_id: str, every_s: float) -> None:
        """Reads until it is cancelled."""
        while True:
            await asyncio.sleep(every_s)
            try:
                stored = await self._read(client, secret_id)
            except LinkSecretUnavailable:
                continue  # it was told
            if stored != self._stored:
                self._stored = stored
                logger().info("link.secret_rotated", count=len(stored))

    async def _read(self, client: "SecretsManagerClient", secret_id: str) -> tuple[str, ...]:
        """The present value and the one before it, as far as they can be used, and what was used before.

        An end that saw none but the unusable value between two good ones would find no other otherwise.
        """
        try:
            present, previous = [await _value(client, secret_id, stage) for stage in STAGES]
        except (ClientError, BotoCoreError) as error:
            raise self._refused(why(error)) from error
        found = [value for value in (present, previous) if value is not None]
        if present is None:
            refused = self._refused(f"is unusable: not {LEAST_CHARACTERS} characters")
            if not found:
                raise refused
        return (*found, *(old for old in self._stored if old not in found))[: len(STAGES)]

    def _refused(self, how: str) -> LinkSecretUnavailable:
        self._metrics.count(SECRETS_REFUSED)
        logger().error("link.secret_refused", reason=how)
        return LinkSecretUnavailable(how)


@asynccontextmanager
async def link_secrets(
    static: str | None, secret_id: str | None, every_s: float, *, metrics: Metrics, health: Health
) -> AsyncGenerator[LinkSecrets]:
    """The secrets, kept up to date while the context lasts.

    Args:
        static: Of the environment, beside what is stored.
        secret_id: Name or ARN in Secrets Manager; None: there is only the static one.
        every_s: How often it is read.
        metrics: Count what is refused.
        health: Not ready while nothing was read.

    Raises:
        LinkSecretUnavailable: there is none.
    """
    secrets = LinkSecrets(static, metrics, health)
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


async def _value(client: "SecretsManagerClient", secret_id: str, stage: str) -> str | None:
    """A version of the secret; None: it cannot be used, or there is none before the present one."""
    try:
        answer = await client.get_secret_value(SecretId=secret_id, VersionStage=stage)
    except client.exceptions.ResourceNotFoundException:
        if stage == STAGES[0]:
            raise
        return None  # it was never rotated
    secret = answer.get("SecretString", "").strip()
    return secret if len(secret) >= LEAST_CHARACTERS else None

"""Signing secrets and the callback token from Secrets Manager, read again every minute."""

import asyncio
import json
import time
from typing import TYPE_CHECKING, Annotated

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from contracts.metrics import SECRETS_REFUSED
from services.delivery.adapters.patience import Patience
from services.delivery.errors import SecretsUnavailable
from services.delivery.webhook import Credentials, UnusableSecret, read_signing_key, read_token
from telemetry.health import Health, why
from telemetry.log import logger
from telemetry.metrics import Metrics

if TYPE_CHECKING:
    from types_aiobotocore_secretsmanager.client import SecretsManagerClient

PEER = "secret of signatures"


class _Document(BaseModel):
    """A key that nobody knows is a misspelt one."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    signing_secrets: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    callback_token: str | None = None


def read_credentials(text: str) -> Credentials:
    """From the secret's value.

    Args:
        text: Standard Webhooks secrets separated by white space, or a JSON object with `signing_secrets`
            (a list of them) and `callback_token`, or one of the two.

    Raises:
        UnusableSecret: it is neither.
    """
    if not text.lstrip().startswith("{"):
        document = _Document(signing_secrets=tuple(text.split()) or None)
    else:
        try:
            document = _Document.model_validate(json.loads(text))
        except (ValidationError, ValueError):
            raise UnusableSecret("the secret's JSON is not of the described form") from None
    if document.signing_secrets is None and document.callback_token is None:
        raise UnusableSecret("the secret is empty")
    return Credentials(
        tuple(read_signing_key(secret) for secret in document.signing_secrets or ()),
        None if document.callback_token is None else read_token(document.callback_token),
    )


class StoredCredentials:
    """What the secret holds now; while it cannot be read or used, what it held last."""

    def __init__(
        self,
        client: "SecretsManagerClient",
        secret_id: str,
        static: Credentials,
        refresh_s: float,
        *,
        health: Health,
        metrics: Metrics,
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._static = static
        self._refresh_s = refresh_s
        self._health = health
        self._metrics = metrics
        self._present = static

    def __call__(self) -> Credentials:
        """The present ones."""
        return self._present

    async def start(self, patience: Patience) -> None:
        """Reads for the first time; nothing is delivered unsigned for want of a secret that can be used.

        Until then the process is not ready.

        Raises:
            Stopping: nothing was read.
        """
        self._present = await patience.insist(self._first)
        self._health.works(PEER)

    async def run(self) -> None:
        """Reads until it is cancelled."""
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                present = await self._read()
            except SecretsUnavailable:
                continue  # it was told
            if present != self._present:
                logger().info("delivery.secrets_rotated", count=len(present.keys))
            self._present = present

    async def _first(self) -> Credentials:
        try:
            return await self._read()
        except SecretsUnavailable as error:
            self._health.failing(PEER, str(error))
            self._metrics.flush(time.time_ns() // 1_000_000)  # nobody else does so yet
            raise

    async def _read(self) -> Credentials:
        try:
            answer = await self._client.get_secret_value(SecretId=self._secret_id)
            return self._merged(read_credentials(answer.get("SecretString", "")))
        except (ClientError, BotoCoreError, UnusableSecret) as error:
            how = f"is unusable: {error}" if isinstance(error, UnusableSecret) else why(error)
            self._metrics.count(SECRETS_REFUSED)
            logger().error("delivery.secret_refused", reason=how, exc_info=error)
            raise SecretsUnavailable(how) from error

    def _merged(self, stored: Credentials) -> Credentials:
        keys = (*stored.keys, *self._static.keys)
        if self._present.keys and not keys:
            raise UnusableSecret("it would turn signing off, which needs a restart")
        return Credentials(keys, stored.token or self._static.token)

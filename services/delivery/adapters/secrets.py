"""Signing secrets and the callback token from Secrets Manager, read again every minute."""

import asyncio
import json
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import BaseModel, ConfigDict, ValidationError

from services.delivery.adapters.patience import Patience
from services.delivery.errors import SecretsUnavailable
from services.delivery.webhook import Credentials, UnusableSecret, read_signing_key
from telemetry.log import logger

if TYPE_CHECKING:
    from types_aiobotocore_secretsmanager.client import SecretsManagerClient


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    signing_secrets: tuple[str, ...] = ()
    callback_token: str | None = None


def read_credentials(text: str) -> Credentials:
    """From the secret's value.

    Args:
        text: Standard Webhooks secrets separated by white space, or a JSON object with `signing_secrets`
            (a list of them) and `callback_token`.

    Raises:
        UnusableSecret: it is neither.
    """
    if not text.lstrip().startswith("{"):
        return Credentials(tuple(read_signing_key(secret) for secret in text.split()))
    try:
        document = _Document.model_validate(json.loads(text))
    except (ValidationError, ValueError):
        raise UnusableSecret("the secret's JSON is not of the described form") from None
    return Credentials(
        tuple(read_signing_key(secret) for secret in document.signing_secrets), document.callback_token
    )


class StoredCredentials:
    """What the secret holds now; while it cannot be read, what it held last."""

    def __init__(
        self, client: "SecretsManagerClient", secret_id: str, static: Credentials, refresh_s: float
    ) -> None:
        self._client = client
        self._secret_id = secret_id
        self._static = static
        self._refresh_s = refresh_s
        self._present = static

    def __call__(self) -> Credentials:
        """The present ones."""
        return self._present

    async def start(self, patience: Patience) -> None:
        """Reads for the first time; nothing is delivered unsigned because Secrets Manager is down.

        Raises:
            UnusableSecret: the value is of no known form.
            Stopping: nothing was read.
        """
        self._present = self._merge(read_credentials(await patience.insist(self._read)))

    async def run(self) -> None:
        """Reads until it is cancelled."""
        while True:
            await asyncio.sleep(self._refresh_s)
            try:
                present = self._merge(read_credentials(await self._read()))
            except (SecretsUnavailable, UnusableSecret) as error:
                logger().warning("delivery.secrets_not_refreshed", cause=type(error).__name__, exc_info=error)
                continue
            if present != self._present:
                logger().info("delivery.secrets_rotated", count=len(present.keys))
            self._present = present

    def _merge(self, stored: Credentials) -> Credentials:
        return Credentials((*stored.keys, *self._static.keys), stored.token or self._static.token)

    async def _read(self) -> str:
        try:
            answer = await self._client.get_secret_value(SecretId=self._secret_id)
        except (ClientError, BotoCoreError) as error:
            raise SecretsUnavailable from error
        return answer.get("SecretString", "")

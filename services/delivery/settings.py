"""Delivery's environment, read once."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.delivery.address import Network
from services.delivery.retry import Schedules
from services.delivery.webhook import SigningKey, read_signing_key


def _words(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _networks(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        ip_network(word)
    return words


def _usable(secrets: SecretStr) -> SecretStr:
    for secret in secrets.get_secret_value().split():
        read_signing_key(secret)
    return secrets


class Settings(BaseSettings):
    """From environment variables named as the fields, in upper case."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    transcripts_queue_url: str = Field(min_length=1)
    """SQS FIFO queue of messages for callbacks."""
    transcripts_dlq_url: str = Field(min_length=1)
    """SQS FIFO queue for messages that were given up."""
    sessions_table: str = Field(min_length=1)
    """DynamoDB table of the session store."""
    event_bus_name: str = Field(min_length=1)
    """EventBridge bus."""
    signing_secrets: Annotated[SecretStr, AfterValidator(_usable)] = SecretStr("")
    """Standard Webhooks secrets (`whsec_…`), separated by spaces; each signs. Empty: nothing is signed."""
    callback_allowed_networks: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_networks)
    ] = ()
    """Networks (CIDR) that callbacks may reach although they are not public, separated by spaces."""
    retry_schedule_s: Annotated[tuple[float, ...], NoDecode, BeforeValidator(_words)] = Schedules().logged
    """Upper bounds of the delays between attempts for what must not be lost, seconds, separated by spaces."""
    log_level: str = "INFO"
    """Least level that is logged."""

    @property
    def signing_keys(self) -> tuple[SigningKey, ...]:
        """One per secret."""
        return tuple(read_signing_key(secret) for secret in self.signing_secrets.get_secret_value().split())

    @property
    def allowed_networks(self) -> tuple[Network, ...]:
        """As networks."""
        return tuple(ip_network(word) for word in self.callback_allowed_networks)

    @property
    def schedules(self) -> Schedules:
        """With the operator's for what is logged."""
        return Schedules(logged=self.retry_schedule_s)

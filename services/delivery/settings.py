"""Delivery's environment, read once."""

from ipaddress import ip_network
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contracts.metrics import DEFAULT_STACK
from services.delivery.address import Network
from services.delivery.breaker import BreakerPolicy
from services.delivery.retry import Schedules
from services.delivery.webhook import Credentials, read_signing_key, read_token


def _words(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


def _networks(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        ip_network(word)
    return words


def _port_range(word: str) -> range:
    first, separator, last = word.partition("-")
    ports = range(int(first), int(last if separator else first) + 1)
    if not (ports and ports[0] >= 1 and ports[-1] <= 65_535):
        raise ValueError("not a port or a range of ports")
    return ports


def _ports(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        _port_range(word)
    return words


def _usable(secrets: SecretStr) -> SecretStr:
    for secret in secrets.get_secret_value().split():
        read_signing_key(secret)
    return secrets


def _usable_token(token: SecretStr | None) -> SecretStr | None:
    if token and token.get_secret_value():
        read_token(token.get_secret_value())
    return token


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
    callback_token: Annotated[SecretStr | None, AfterValidator(_usable_token)] = None
    """Constant value of the header `dg-token`; unset: no such header."""
    credentials_secret_id: str | None = None
    """Name or ARN of a secret in Secrets Manager with more of both: signing secrets separated by spaces, or
    JSON `{"signing_secrets": ["whsec_…"], "callback_token": "…"}`."""
    credentials_refresh_s: float = Field(default=60.0, gt=0)
    """How often that secret is read, seconds: a rotation is known so soon."""
    callback_allowed_networks: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_networks)
    ] = ()
    """Networks (CIDR) that callbacks may reach although they are not public, separated by spaces."""
    callback_allowed_ports: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_words), AfterValidator(_ports)
    ] = ("80", "443", "8080", "8443")
    """Ports and ranges (`8000-8100`) that callbacks may use, separated by spaces; Deepgram's by default."""
    callback_proxy: SecretStr | None = None
    """URL of an HTTP proxy through which all callbacks go (`http://user:pass@host:port`); unset: none."""
    callback_ca_file: FilePath | None = None
    """Authorities (PEM) that are trusted beside the system's."""
    callback_client_cert_file: FilePath | None = None
    """Certificate chain (PEM) for receivers that ask for a client's (mTLS)."""
    callback_client_key_file: FilePath | None = None
    """Its key (PEM); unset: in the same file."""
    callback_timeout_s: float = Field(default=10.0, gt=0, le=60)
    """Of one request, seconds."""
    retry_schedule_s: Annotated[tuple[float, ...], NoDecode, BeforeValidator(_words), Field(min_length=1)] = (
        Schedules().logged
    )
    """Upper bounds of the delays between attempts for what must not be lost, seconds, separated by spaces;
    the last is repeated."""
    retry_for_s: float = Field(default=Schedules().logged_for_s, gt=0)
    """How long that is tried, seconds."""
    park_from_s: float = Field(default=Schedules().park_from_s, gt=0)
    """A session that has to wait for so long is taken off the queue, seconds."""
    park_behind_s: float = Field(default=Schedules().park_behind_s, gt=0)
    """So is a session whose messages are in hand for so long, seconds."""
    probe_schedule_s: Annotated[tuple[float, ...], NoDecode, BeforeValidator(_words), Field(min_length=1)] = (
        BreakerPolicy().probe_schedule_s
    )
    """Upper bounds of the time between probes of a disabled endpoint, seconds; the last is repeated."""
    disable_after_s: float = Field(default=BreakerPolicy().failing_for_s, ge=0)
    """For how long every request to an endpoint must have failed before it is disabled, seconds."""
    max_requests_per_endpoint: int = Field(default=BreakerPolicy().max_limit, ge=1)
    """Requests that one endpoint may have at once."""
    look_every_s: float = Field(default=5.0, gt=0)
    """How often the store is asked for disabled endpoints and sessions that are due, seconds."""
    visibility_s: int = Field(default=60, ge=2, le=600)
    """How long the messages of a process that died stay locked, seconds; extended while they are in hand."""
    stack: str = Field(default=DEFAULT_STACK, min_length=1)
    """Prefix of the stack's names; as a dimension of its metrics it tells them from another stack's."""
    health_host: str = "0.0.0.0"  # noqa: S104 -- a container's only interface; it tells reasons, no content
    """Address on which `GET /live` and `GET /ready` are answered."""
    health_port: int = Field(default=8081, ge=0, le=65_535)
    """Port for them; 0 takes a free one, which the log line `health.listening` names."""
    log_level: str = "INFO"
    """Least level that is logged."""

    @model_validator(mode="after")
    def _key_with_certificate(self) -> Self:
        if self.callback_client_key_file and not self.callback_client_cert_file:
            raise ValueError("callback_client_key_file without callback_client_cert_file")
        return self

    @property
    def credentials(self) -> Credentials:
        """What the environment alone gives."""
        return Credentials(
            tuple(read_signing_key(secret) for secret in self.signing_secrets.get_secret_value().split()),
            self.callback_token.get_secret_value() if self.callback_token else None,
        )

    @property
    def allowed_networks(self) -> tuple[Network, ...]:
        """As networks."""
        return tuple(ip_network(word) for word in self.callback_allowed_networks)

    @property
    def allowed_ports(self) -> tuple[range, ...]:
        """As ranges."""
        return tuple(_port_range(word) for word in self.callback_allowed_ports)

    @property
    def schedules(self) -> Schedules:
        """With the operator's for what is logged."""
        return Schedules(
            logged=self.retry_schedule_s,
            logged_for_s=self.retry_for_s,
            park_from_s=self.park_from_s,
            park_behind_s=self.park_behind_s,
        )

    @property
    def breaker_policy(self) -> BreakerPolicy:
        """With the operator's figures."""
        first = min(BreakerPolicy().first_limit, self.max_requests_per_endpoint)
        return BreakerPolicy(
            first_limit=first,
            max_limit=self.max_requests_per_endpoint,
            failing_for_s=self.disable_after_s,
            probe_schedule_s=self.probe_schedule_s,
        )

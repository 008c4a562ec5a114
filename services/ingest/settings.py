"""What an operator sets; read once, at start."""

import os
import socket
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from contracts.audio import samples_of_ms
from contracts.metrics import DEFAULT_STACK
from services.ingest.limits import QUIET_S, Limits


class Endpoint(NamedTuple):
    """A name, and the port of the transcribe processes that it resolves to."""

    host: str
    port: int


def _endpoints(value: object) -> object:
    """`host:port,host:port`, IPv6 addresses in brackets."""
    if not isinstance(value, str):
        return value
    found: list[Endpoint] = []
    for part in value.split(","):
        host, colon, port = part.strip().rpartition(":")
        if not colon or not host or not port.isdigit():
            raise ValueError("each endpoint is host:port")
        found.append(Endpoint(host.strip("[]"), int(port)))
    return tuple(found)


class Settings(BaseSettings):
    """Environment of the ingest service, beside the standard AWS variables."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    session_requests_queue_url: str
    """SQS queue of session requests; its messages are the sessions' leases."""
    transcribe_endpoints: Annotated[
        tuple[Endpoint, ...], NoDecode, BeforeValidator(_endpoints), Field(min_length=1)
    ]
    """`host:port`, comma-separated; every address that a name resolves to is a transcribe process."""
    link_secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    """Random text that ingest and transcribe share; their link's TLS key is derived from it."""
    link_secret_id: Annotated[Annotated[str, Field(min_length=1)] | None, Field(validate_default=True)] = None
    """Name or ARN of a secret in Secrets Manager that holds such a text: its present and its previous version
    are offered, before LINK_SECRET. One of the two settings is needed."""
    link_secret_refresh_s: float = Field(default=60.0, gt=0)
    """How often that secret is read, seconds: a rotation is known so soon."""
    max_sessions: int = Field(default=250, ge=1, le=5_000)
    """Calls that this process serves at once (measured: less than half a core, and room to catch up)."""
    chunk_ms: int = Field(default=100, ge=64, le=256)
    """Milliseconds of audio per chunk on the link: shorter costs CPU, longer delays words."""
    idle_silent_s: float = Field(default=10, gt=0)
    """Seconds without new audio, after silence on both sides, until a call counts as over."""
    idle_s: float = Field(default=60, gt=0)
    """Seconds without new audio otherwise, until a call counts as over."""
    transfer_grace_s: float = Field(default=2, ge=0)
    """Seconds to learn that another contact's audio belongs to the call, before the call ends there."""
    media_read_timeout_s: float = Field(default=10, gt=0)
    """Seconds without a byte from Kinesis Video Streams, which itself ends idle bodies after about 3."""
    metrics_every_s: float = Field(default=10, gt=0)
    """Seconds between two batches of metrics."""
    stack: str = Field(default=DEFAULT_STACK, min_length=1)
    """Prefix of the stack's names; as a dimension of its metrics it tells them from another stack's."""
    health_host: str = "0.0.0.0"  # noqa: S104 -- a container's only interface; it tells reasons, no content
    """Address on which `GET /live` and `GET /ready` are answered."""
    health_port: int = Field(default=8081, ge=0, le=65_535)
    """Port for them; 0 takes a free one, which the log line `health.listening` names."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least severe log lines that are written."""

    @field_validator("link_secret_id")
    @classmethod
    def _some_link_secret(cls, secret_id: str | None, others: ValidationInfo) -> str | None:
        if secret_id is None and others.data.get("link_secret", ...) is None:
            raise ValueError("neither link_secret nor link_secret_id")
        return secret_id

    @property
    def limits(self) -> Limits:
        """What of this a session needs."""
        return Limits(
            chunk_samples=samples_of_ms(self.chunk_ms),
            quiet_s=min(QUIET_S, self.idle_silent_s),
            idle_silent_s=self.idle_silent_s,
            idle_s=max(self.idle_s, self.idle_silent_s),
            transfer_grace_s=self.transfer_grace_s,
        )


def process_name() -> str:
    """How this process calls itself to its peers and in logs."""
    return f"ingest-{socket.gethostname()}-{os.getpid()}"

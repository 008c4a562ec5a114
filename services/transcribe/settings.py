"""The environment, read once."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.metrics import DEFAULT_STACK


def _usable_key(key: SecretStr) -> SecretStr:
    """Without the line end that a file or a console may have left; what no header can hold is refused."""
    stripped = key.get_secret_value().strip()
    if not stripped or not stripped.isascii() or not stripped.isprintable():
        raise ValueError("the key is empty, or has characters that no HTTP header can hold")
    return SecretStr(stripped)


class Settings(BaseSettings):
    """Settings of the transcribe service; AWS's own variables are read by its SDK."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    sessions_table: str
    """DynamoDB table of headers and logs."""
    transcripts_queue_url: str
    """FIFO queue to delivery."""
    session_requests_queue_url: str
    """Queue of the requests: a request is made visible again when the ingest that held it died."""
    session_requests_dlq_url: str | None = None
    """Its dead-letter queue: sessions whose requests end there are failed; unset: it is not looked at."""
    event_bus_name: str
    """Bus of the transcript events."""
    link_secret: Annotated[SecretStr, Field(min_length=32)] | None = None
    """Shared with ingest, random, 32 characters or more: the link's key is derived from it."""
    link_secret_id: Annotated[Annotated[str, Field(min_length=1)] | None, Field(validate_default=True)] = None
    """Name or ARN of a secret in Secrets Manager that holds such a text: its present and its previous version
    are accepted, before LINK_SECRET. One of the two settings is needed."""
    link_secret_refresh_s: Annotated[float, Field(gt=0)] = 60.0
    """How often that secret is read, seconds: a rotation is known so soon."""
    link_host: str = "0.0.0.0"  # noqa: S104 -- a container's only interface; the key keeps strangers out
    """Address on which ingest's links are accepted."""
    link_port: Annotated[int, Field(ge=0, le=65_535)] = 8443
    """Port for them; 0 takes a free one, which the log line `transcribe.ready` names."""
    deepgram_api: str = "wss://api.deepgram.com/v1/listen"
    """Deepgram's endpoint: another region (api.eu.deepgram.com) or a self-hosted one (ws://host:8080/v1/listen)."""
    deepgram_api_key: Annotated[SecretStr, AfterValidator(_usable_key)]
    """Key with the scope usage:write."""
    max_sessions: Annotated[int, Field(ge=1)] = 400
    """Sessions that this process takes; about 1 ms of CPU per second and session."""
    bus_interims: bool = False
    """Whether interim results go to the bus, too: some ten times as many events."""
    retention_days: Annotated[int, Field(ge=1)] = 30
    """Days that logs, and with them transcripts, are kept in the table."""
    stack: str = Field(default=DEFAULT_STACK, min_length=1)
    """Prefix of the stack's names; as a dimension of its metrics it tells them from another stack's."""
    health_host: str = "0.0.0.0"  # noqa: S104 -- a container's only interface; it tells reasons, no content
    """Address on which `GET /live` and `GET /ready` are answered."""
    health_port: Annotated[int, Field(ge=0, le=65_535)] = 8081
    """Port for them; 0 takes a free one, which the log line `health.listening` names."""
    log_level: str = "INFO"
    """Least level of log lines that are written."""

    @field_validator("link_secret_id")
    @classmethod
    def _some_link_secret(cls, secret_id: str | None, others: ValidationInfo) -> str | None:
        if secret_id is None and others.data.get("link_secret", ...) is None:
            raise ValueError("neither link_secret nor link_secret_id")
        return secret_id

"""Settings from an environment."""

import pytest
from pydantic import ValidationError

from services.ingest.settings import Endpoint, Settings

ENVIRONMENT = {
    "SESSION_REQUESTS_QUEUE_URL": "http://127.0.0.1:1/queue",
    "TRANSCRIBE_ENDPOINTS": "transcribe.internal:7400, 10.0.0.7:7401,[::1]:7402",
    "LINK_SECRET": "s" * 32,
}


def settings(**changes: str) -> Settings:
    return Settings.model_validate(
        {name.lower(): value for name, value in {**ENVIRONMENT, **changes}.items()}
    )


def test_endpoints_are_hosts_and_ports() -> None:
    assert settings().transcribe_endpoints == (
        Endpoint("transcribe.internal", 7400),
        Endpoint("10.0.0.7", 7401),
        Endpoint("::1", 7402),
    )


@pytest.mark.parametrize("value", ["", "host", "host:", ":7", "host:port"])
def test_an_endpoint_without_host_or_port_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match="host:port"):
        settings(TRANSCRIBE_ENDPOINTS=value)


def test_a_short_secret_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        settings(LINK_SECRET="guessable")
    assert "guessable" not in str(caught.value)


def test_the_limits_follow_the_settings() -> None:
    limits = settings(CHUNK_MS="64", IDLE_SILENT_S="2", IDLE_S="1").limits
    assert (limits.chunk_samples, limits.idle_silent_s, limits.idle_s) == (512, 2, 2)


def test_the_secret_is_not_shown() -> None:
    assert ENVIRONMENT["LINK_SECRET"] not in repr(settings())

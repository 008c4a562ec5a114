from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.delivery.breaker import BreakerPolicy
from services.delivery.destination import is_allowed_port
from services.delivery.retry import Schedules
from services.delivery.settings import Settings

REQUIRED = {
    "TRANSCRIPTS_QUEUE_URL": "q",
    "TRANSCRIPTS_DLQ_URL": "d",
    "SESSIONS_TABLE": "t",
    "EVENT_BUS_NAME": "b",
}


def read(monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, str] | None = None) -> Settings:
    for name, value in {**REQUIRED, **(changed or {})}.items():
        monkeypatch.setenv(name, value)
    return Settings()  # pyright: ignore[reportCallIssue]  # its fields come from the environment


def test_the_defaults_are_those_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)
    assert settings.schedules == Schedules()
    assert settings.breaker_policy == BreakerPolicy()
    assert settings.credentials.keys == ()
    ports = [port for port in range(1, 65_536) if is_allowed_port(port, settings.allowed_ports)]
    assert ports == [80, 443, 8080, 8443]


def test_lists_are_separated_by_spaces_or_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(
        monkeypatch,
        {
            "CALLBACK_ALLOWED_NETWORKS": "10.0.0.0/8, fd00::/8",
            "CALLBACK_ALLOWED_PORTS": "80 8000-8100",
            "RETRY_SCHEDULE_S": "1 2,3",
        },
    )
    assert [str(network) for network in settings.allowed_networks] == ["10.0.0.0/8", "fd00::/8"]
    assert settings.allowed_ports == (range(80, 81), range(8_000, 8_101))
    assert settings.schedules.logged == (1, 2, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALLBACK_ALLOWED_PORTS", "0"),
        ("CALLBACK_ALLOWED_PORTS", "90-80"),
        ("CALLBACK_ALLOWED_PORTS", "1-65536"),
        ("CALLBACK_ALLOWED_PORTS", "http"),
        ("CALLBACK_ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("SIGNING_SECRETS", "whsec_short"),
        ("CALLBACK_TOKEN", "told\n"),
        ("RETRY_SCHEDULE_S", ""),
        ("PROBE_SCHEDULE_S", ""),
        ("VISIBILITY_S", "0"),
        ("CALLBACK_CA_FILE", "/nowhere"),
    ],
)
def test_what_cannot_work_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read(monkeypatch, {name: value})
    assert {error["loc"][0] for error in refused.value.errors()} == {name.lower()}
    assert "whsec" not in str(refused.value)


def test_a_key_needs_its_certificate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("")
    with pytest.raises(ValidationError, match="callback_client_cert_file"):
        read(monkeypatch, {"CALLBACK_CLIENT_KEY_FILE": str(key)})


def test_few_requests_at_once_are_few_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = read(monkeypatch, {"MAX_REQUESTS_PER_ENDPOINT": "4"}).breaker_policy
    assert (policy.first_limit, policy.max_limit) == (4, 4)

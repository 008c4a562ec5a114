import pytest
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

from tools.configuration import settings


class Described(BaseSettings):
    queue_url: str = Field(min_length=1)
    """Where the
    messages are."""
    secret: SecretStr = SecretStr("")
    """What is kept."""
    delays_s: tuple[float, ...] = (0.5, 2)
    """Seconds between attempts."""
    forward: bool = False
    """Whether it is sent on."""


class Undescribed(BaseSettings):
    queue_url: str


def test_each_setting_is_told_with_its_default_and_meaning() -> None:
    assert [setting.row for setting in settings(Described)] == [
        "| `QUEUE_URL` | **required** | Where the messages are. |",
        "| `SECRET` | `(none)` | What is kept. |",
        "| `DELAYS_S` | `0.5 2` | Seconds between attempts. |",
        "| `FORWARD` | `false` | Whether it is sent on. |",
    ]


def test_a_setting_without_a_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="queue_url has no string under it"):
        list(settings(Undescribed))

import pytest
from pydantic import ValidationError

from services.transcribe.settings import Settings


def settings(monkeypatch: pytest.MonkeyPatch, key: str) -> Settings:
    names = ("SESSIONS_TABLE", "TRANSCRIPTS_QUEUE_URL", "SESSION_REQUESTS_QUEUE_URL", "EVENT_BUS_NAME")
    for name in names:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("LINK_SECRET", "s" * 32)
    monkeypatch.setenv("DEEPGRAM_API_KEY", key)
    return Settings()  # pyright: ignore[reportCallIssue]  # from the environment


def test_a_key_loses_the_line_end_that_a_file_left(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(monkeypatch, "abc\n").deepgram_api_key.get_secret_value() == "abc"


@pytest.mark.parametrize("key", ["", " \n", "a\nb", "schlüssel"])
def test_a_key_that_no_header_can_hold_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    with pytest.raises(ValidationError, match=r"deepgram_api_key"):
        settings(monkeypatch, key)


def test_secrets_are_not_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = repr(settings(monkeypatch, "abcdefgh"))
    assert "abcdefgh" not in shown
    assert "ssss" not in shown

import json
from typing import Annotated

import pytest
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings

from telemetry.misconfiguration import EXIT_CODE, report


class Settings(BaseSettings):
    table: str
    link_secret: Annotated[SecretStr, Field(min_length=32)]


def test_every_variable_at_fault_is_named_with_its_reason_and_never_with_its_value(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINK_SECRET", "pa55word")
    monkeypatch.delenv("TABLE", raising=False)
    with pytest.raises(ValidationError) as caught:
        Settings()  # pyright: ignore[reportCallIssue]  # from the environment
    assert report("unit", caught.value) == EXIT_CODE
    printed = capsys.readouterr().out
    lines = [json.loads(line) for line in printed.splitlines()]
    assert [(line["event"], line["field"]) for line in lines] == [
        ("unit.misconfigured", "TABLE"),
        ("unit.misconfigured", "LINK_SECRET"),
    ]
    assert "at least 32" in lines[1]["explanation"]
    assert "pa55word" not in printed

import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from telemetry.log import configure, logger
from telemetry.redaction import ALLOWED_KEYS, MAX_TEXT, WITHHELD, describe, redact

SECRET = "https://user:pa55@example.com/+441632960123?token=abc"


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=30)))
def test_only_listed_keys_keep_their_value(event: dict[str, str]) -> None:
    redacted = redact(event)
    assert set(redacted) == set(event)
    assert all(redacted[key] == WITHHELD for key in event if key not in ALLOWED_KEYS)


@pytest.mark.parametrize(
    "key",
    ["transcript", "message", "url", "callback", "phone", "attributes", "token", "body", "words", "address"],
)
def test_keys_that_name_content_are_not_in_the_list(key: str) -> None:
    assert redact({key: SECRET}) == {key: WITHHELD}


def test_a_long_value_is_cut() -> None:
    assert redact({"reason": "x" * 10_000}) == {"reason": "x" * MAX_TEXT}


def test_an_exception_is_described_by_type_and_place_never_by_its_message() -> None:
    with pytest.raises(ConnectionError) as caught:
        raise ConnectionError(SECRET) from ValueError(SECRET)
    described = describe(caught.value)
    assert [line.split(" at ")[0] for line in described] == ["ConnectionError", "ValueError"]
    assert SECRET not in str(described)


def test_the_members_of_a_group_are_described() -> None:
    group = ExceptionGroup(SECRET, [ValueError(SECRET), KeyError(SECRET)])
    assert describe(group) == ["ExceptionGroup", "ValueError", "KeyError"]


def test_a_log_line_is_json_and_names_the_service(capsys: pytest.CaptureFixture[str]) -> None:
    configure("unit")
    logger(session_id="s1").info("unit.happened", n=3, callback=SECRET)
    line = json.loads(capsys.readouterr().out)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "unit.happened",
        "level": "info",
        "service": "unit",
        "session_id": "s1",
        "n": 3,
        "callback": WITHHELD,
    }


def test_an_exception_in_a_log_line_has_no_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure("unit")
    try:
        int(SECRET)
    except ValueError:
        logger().exception("unit.failed")
    printed = capsys.readouterr().out
    assert json.loads(printed)["exception"][0].startswith("ValueError at test_redaction.py")
    assert "pa55" not in printed


def test_a_librarys_warning_names_the_library_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    configure("unit")
    logging.getLogger("somelib").warning("could not reach %s", SECRET)
    printed = capsys.readouterr().out
    assert json.loads(printed)["kind"] == "somelib"
    assert "pa55" not in printed


def test_a_level_below_the_configured_one_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    configure("unit", "WARNING")
    structlog.get_logger().info("unit.detail")
    assert capsys.readouterr().out == ""

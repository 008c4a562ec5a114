from pathlib import Path

import pytest

from tools.locks import faults, locked

HASH = " \\\n    --hash=sha256:" + "0" * 64
AV = f"av==19.0.2{HASH}\n"
RUFF = f"ruff==0.17.6{HASH}\n"


def _requirements(directory: Path, **texts: str) -> Path:
    """Writes files named `name_suffix`; returns their directory."""
    for name, text in texts.items():
        (directory / ".".join(name.rsplit("_", 1))).write_text(text, encoding="utf-8")
    return directory


def test_a_lock_that_holds_what_was_asked_is_sound(tmp_path: Path) -> None:
    directory = _requirements(
        tmp_path,
        ingest_in="av  # decoding\n",
        ingest_txt=AV,
        development_in="-r ingest.in\nruff>=0.9\n",
        development_txt=AV + RUFF,
    )
    assert list(faults(directory)) == []


@pytest.mark.parametrize("asked", ["structlog", "av>=20", "-r more.in"])
def test_a_requirement_that_was_not_locked_is_named(tmp_path: Path, asked: str) -> None:
    directory = _requirements(
        tmp_path,
        more_in="structlog\n",
        more_txt=f"structlog==26.1.0{HASH}\n",
        ingest_in=f"{asked}\n",
        ingest_txt=AV,
        development_in="",
        development_txt=f"{AV}structlog==26.1.0{HASH}\n",
    )
    [fault] = faults(directory)
    assert "ingest.txt lacks" in fault


def test_a_service_is_deployed_with_what_the_tests_ran_with(tmp_path: Path) -> None:
    directory = _requirements(
        tmp_path,
        ingest_in="av\n",
        ingest_txt=f"av==18.1.0{HASH}\n",
        development_in="av\n",
        development_txt=AV,
    )
    [fault] = faults(directory)
    assert "ingest.txt has av 18.1.0, the tests ran with 19.0.2" in fault


def test_a_set_that_was_never_locked_is_named(tmp_path: Path) -> None:
    directory = _requirements(tmp_path, ingest_in="av\n", development_in="", development_txt="")
    [fault] = faults(directory)
    assert "was never locked" in fault


def test_a_pin_without_a_hash_is_refused() -> None:
    with pytest.raises(ValueError, match="av has no hash"):
        locked(f"av==19.0.2\n{RUFF}")

"""The rules between modules hold: each is broken on purpose in a copy of the code, and must be seen."""

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = CONFIGURATION["tool"]["importlinter"]["root_packages"]
NOT_SHIPPED = {"benchmarks", "tests", "tools"}

IMPURE = (
    "aiobotocore.session",
    "aiohttp",
    "asyncio",
    "av",
    "boto3",
    "botocore",
    "concurrent.futures",
    "logging",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "ssl",
    "structlog",
    "subprocess",
    "sys",
    "telemetry.log",
    "threading",
    "time",
    "uvloop",
    "websockets",
    "services.ingest.adapters.planted_shell",
    "services.ingest.handler",
)
PURE = ("collections.abc", "contracts.audio", "dataclasses", "datetime", "enum", "re", "struct", "typing")
CORE = "services/ingest/planted/nested.py"
SHELLS = ("services/ingest/adapters/planted_shell.py", "services/ingest/handler.py")
PLANTS: Mapping[str, tuple[str, ...]] = {
    CORE: (*IMPURE, *PURE),
    **dict.fromkeys(SHELLS, ("asyncio", "time", "telemetry.log")),
    "services/ingest/adapters/planted_av.py": ("av",),
    "services/ingest/planted_service/adapters.py": ("asyncio",),
    "services/trigger/adapters/planted.py": ("services.ingest.adapters.planted_shell",),
    "services/delivery/adapters/planted.py": ("emulators.planted",),
    "emulators/planted.py": ("services.ingest.adapters.planted_shell",),
    "telemetry/planted.py": ("services.ingest.adapters.planted_shell",),
    "contracts/planted.py": ("telemetry.log", "time"),
}


@pytest.fixture(scope="module")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says about a copy of the code with every rule broken in it."""
    copy = tmp_path_factory.mktemp("architecture")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in (*PACKAGES, "tools"):
        shutil.copytree(ROOT / package, copy / package, ignore=_all_but_modules)
    for path, imports in PLANTS.items():
        module = copy / path
        module.parent.mkdir(parents=True, exist_ok=True)
        for package in module.relative_to(copy).parents[:-1]:
            (copy / package / "__init__.py").touch()
        module.write_text("".join(f"import {name}\n" for name in imports), encoding="utf-8")
    linted = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache", "--no-logo"],
        cwd=copy,
        env={**os.environ, "COLUMNS": "400"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert linted.returncode == 1, linted.stdout + linted.stderr
    return linted.stdout


def _all_but_modules(directory: str, names: list[str]) -> set[str]:
    return {name for name in names if not (name.endswith(".py") or (Path(directory) / name).is_dir())}


@pytest.mark.parametrize("imported", IMPURE)
def test_a_new_core_imports_nothing_that_acts(verdict: str, imported: str) -> None:
    top = imported if imported.startswith(tuple(PACKAGES)) else imported.partition(".")[0]
    assert f"services.ingest.planted.nested imports {top} (l." in verdict


@pytest.mark.parametrize("imported", PURE)
def test_a_core_imports_what_only_computes(verdict: str, imported: str) -> None:
    assert f"services.ingest.planted.nested imports {imported.partition('.')[0]} (l." not in verdict


@pytest.mark.parametrize("shell", [path.removesuffix(".py").replace("/", ".") for path in SHELLS])
def test_a_shell_imports_what_it_likes(verdict: str, shell: str) -> None:
    assert f"{shell} imports" not in verdict


def test_a_folder_is_a_shell_only_directly_under_its_service(verdict: str) -> None:
    assert "services.ingest.planted_service.adapters imports asyncio" in verdict


def test_a_contract_is_pure(verdict: str) -> None:
    assert "contracts.planted imports time" in verdict


@pytest.mark.parametrize(
    "sentence",
    [
        "services.trigger is not allowed to import services.ingest:",
        "services is not allowed to import emulators:",
        "emulators is not allowed to import services:",
        "telemetry is not allowed to import services:",
        "contracts is not allowed to import telemetry:",
        "services is not allowed to import av:",
    ],
)
def test_an_import_across_a_border_is_refused(verdict: str, sentence: str) -> None:
    assert sentence in verdict


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("services/ingest/planted.py", True),
        ("contracts/planted.py", True),
        ("services/ingest/adapters/planted.py", False),
        ("services/ingest/service.py", False),
    ],
)
def test_only_a_shell_asks_for_the_time(path: str, refused: bool) -> None:
    linted = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--stdin-filename", path, "-"],
        cwd=ROOT,
        input="from datetime import UTC, datetime\nnow = datetime.now(UTC)\n",
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert (linted.returncode != 0) is refused, linted.stdout + linted.stderr
    assert ("time comes in as `now`" in linted.stdout) is refused


def test_every_package_is_covered_by_the_rules() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages - NOT_SHIPPED == set(PACKAGES)


@pytest.mark.parametrize("service", [path.parent.name for path in (ROOT / "services").glob("*/__init__.py")])
def test_a_service_has_its_own_requirements_and_says_what_it_is(service: str) -> None:
    assert (ROOT / "requirements" / f"{service}.in").is_file()
    assert (ROOT / "requirements" / f"{service}.txt").is_file()
    assert len((ROOT / "services" / service / "README.md").read_text(encoding="utf-8").splitlines()) <= 15

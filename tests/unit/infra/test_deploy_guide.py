"""The commands of the guide are commands that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
GUIDES = [ROOT / "docs" / name for name in ("deploy.md", "upgrade.md")]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
AWS = (ROOT / "infra" / "terraform" / "aws" / "variables.tf").read_text()
VARIABLES = set(re.findall(r'^variable "(\w+)"', AWS, re.MULTILINE))


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_make_command_has_its_target(guide: Path) -> None:
    called = re.findall(r"(?:^|`|&& )make ([a-z-]+)", guide.read_text(), re.MULTILINE)
    assert called
    assert set(called) <= TARGETS


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_terraform_command_is_for_a_root_that_there_is(guide: Path) -> None:
    roots = re.findall(r"-chdir=(\S+)", guide.read_text())
    assert roots
    assert all((ROOT / root / "versions.tf").exists() for root in roots)


def test_every_setting_of_the_old_template_has_its_variable() -> None:
    table = GUIDES[0].read_text().partition("CloudFormation parameter")[2].partition("\n\n")[0]
    named = {name.partition(".")[0].partition(" ")[0] for name in re.findall(r"`([a-z][\w.]+)[^`]*`", table)}
    assert named - {"max_count"} <= VARIABLES

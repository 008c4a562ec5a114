"""The commands of the guide are commands that there are."""

import re
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

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


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_terraform_variable_on_a_command_line_is_one_of_its_root(guide: Path) -> None:
    text = guide.read_text()
    for root, name in re.findall(r"-chdir=(\S+) \w+ -var (\w+)=", text):
        assert f'variable "{name}"' in (ROOT / root / "variables.tf").read_text()
    assert set(re.findall(r"TF_VAR_(\w+)=", text)) <= VARIABLES


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_output_that_is_named_is_put_out(guide: Path) -> None:
    outputs = (ROOT / "infra" / "terraform" / "aws" / "outputs.tf").read_text()
    named = re.findall(r"[Oo]utput `?(\w+_arn)", guide.read_text())
    assert all(f'output "{name}"' in outputs for name in named), named


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_output_is_put_out(guide: Path) -> None:
    outputs = (ROOT / "infra" / "terraform" / "aws" / "outputs.tf").read_text()
    listed = re.findall(r"outputs ((?:`\w+`(?:, | and )?)+)", guide.read_text())
    assert all(f'output "{name}"' in outputs for names in listed for name in re.findall(r"\w+", names))


def test_every_command_of_aws_has_what_it_needs() -> None:
    """By the model of AWS's own SDK; the command line adds nothing to these."""
    text = "\n".join(guide.read_text() for guide in GUIDES)
    commands = re.findall(r"^aws ([\w-]+) ([\w-]+)((?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert commands
    for service, command, rest in commands:
        model = botocore.session.get_session().get_service_model(service)
        named = {xform_name(operation, "-"): operation for operation in model.operation_names}
        asked = model.operation_model(named[command]).input_shape
        assert asked
        given = set(re.findall(r"--([a-z-]+)", rest))
        assert given <= {xform_name(member, "-") for member in asked.members}, command
        assert {xform_name(member, "-") for member in asked.required_members} <= given, command


def test_every_variable_of_a_make_command_is_read_by_its_tool() -> None:
    read = "".join(path.read_text() for path in (ROOT / "Makefile", *(ROOT / "tools").glob("*.py")))
    named = {
        name
        for guide in GUIDES
        for command in re.findall(r"^make .*$", guide.read_text(), re.MULTILINE)
        for name in re.findall(r"\b([A-Z_]{3,})=", command)
    }
    assert {"ARCHITECTURE", "PLATFORM", "IMAGE_TAG", "AWS_REGION", "AWS_ACCOUNT_ID", "TERRAFORM"} <= named
    assert all(re.search(rf"\b{name}\b", read) for name in named)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_every_file_that_is_named_is_there(guide: Path) -> None:
    text = guide.read_text()
    named = re.findall(r"\]\((\.\./[^)#]+|[\w.]+\.md)", text)
    assert named
    assert all((guide.parent / name).exists() for name in named), named
    for name in re.findall(r"\b((?:tests|tools|infra)/[\w./-]+)", text):
        assert (ROOT / name.rstrip(".")).exists() or name.endswith("terraform.tfvars"), name  # the operator's


def test_every_setting_of_the_old_template_has_its_variable() -> None:
    table = GUIDES[0].read_text().partition("CloudFormation parameter")[2].partition("\n\n")[0]
    named = {name.partition(".")[0].partition(" ")[0] for name in re.findall(r"`([a-z][\w.]+)[^`]*`", table)}
    assert named - {"max_count"} <= VARIABLES

"""`make terraform-check`: format, validate, test and plan the Terraform configuration, and say with what.

The policy check (checkov) has an environment of its own, `.tools/checkov`, from requirements/checkov.txt.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from embedded.terraform import ROOT, SOURCES, TerraformFailed, Workspace, roots, terraform, workspace
from embedded.trigger_function import build_zip

PLANS: Mapping[str, str | None] = {"minimal": None, "everything": "calls-uk", "existing": "calls-de"}
"""Files of variables for a plan of `aws`, and the prefix that each names: the least; every option at once; on
what an account has already."""
WITHIN = (
    *("aws_ecs_service", "aws_iam_role_policy", "aws_lambda_permission"),
    *("aws_schemas_schema", "aws_service_discovery_service"),
)
"""What is named within a cluster, role, function, registry or namespace."""
NAMES = ("name", "function_name", "family", "dashboard_name", "alarm_name")
CHECKOV = ROOT / ".tools" / "checkov"


def checks(made: Workspace) -> Iterator[tuple[str, str]]:
    """Performs the checks; yields what was checked and the line that sums it up."""
    terraform(SOURCES, "fmt", "-check", "-recursive", "-diff")
    yield "fmt", "formatted"
    for root in roots():
        made.init(root)
        yield f"validate {root}", terraform(made.folder / root, "validate").strip()
    archive = made.folder / "trigger.zip"
    archive.write_bytes(build_zip(ROOT))
    zip_variable = f"-var=trigger_zip={archive}"
    yield "test aws", _last(terraform(made.folder / "aws", "test", zip_variable))
    if made.provider.mirror is None:
        yield (
            "plan aws",
            "left out: AWS's own provider plans with credentials only (the tests above need none)",
        )
    else:
        yield "plan registry", _plan(terraform(made.folder / "registry", "plan", "-var=region=eu-west-2"))
        for plan, prefix in PLANS.items():
            chosen = (f"-var-file=tests/{plan}.tfvars", zip_variable, f"-out={plan}.plan")
            yield f"plan aws, {plan}", _plan(terraform(made.folder / "aws", "plan", *chosen))
            if prefix is not None:
                yield f"names, {plan}", _named(made.folder / "aws", plan, prefix)
        yield from _guide(made, zip_variable)
    yield "policies", _policies(made)


def _guide(made: Workspace, zip_variable: str) -> Iterator[tuple[str, str]]:
    """Plans what the deploy guide shows: its first settings alone, and each further one on top of them."""
    secrets = {"TF_VAR_deepgram_api_key": "not-a-key-of-anybody", "TF_VAR_link_secret": "0123456789" * 4}
    files: list[str] = []
    guide = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
    for number, text in enumerate(examples(guide), 1):
        name = f"guide-{number}.tfvars"
        (made.folder / "aws" / name).write_text(text, encoding="utf-8")
        files = [*files[:1], f"-var-file={name}"]
        planned = terraform(made.folder / "aws", "plan", *files, zip_variable, environment=secrets)
        yield f"plan aws, deploy guide {number}", _plan(planned)
    for number, text in enumerate(modules(guide), 1):
        root = made.folder / f"guide-{number}"
        root.mkdir()
        (root / "main.tf").write_text(text.replace("…/infra/terraform", ".."), encoding="utf-8")
        made.init(root.name)
        yield f"plan of another account, deploy guide {number}", _plan(terraform(root, "plan"))


def _named(folder: Path, plan: str, prefix: str) -> str:
    planned = json.loads(terraform(folder, "show", "-json", f"{plan}.plan"))["planned_values"]
    if found := strangers(planned, prefix):
        raise TerraformFailed(f"a second stack would have the same names: {', '.join(found)}")
    return f"all have the prefix {prefix}"


def strangers(planned: Mapping[str, Any], prefix: str) -> list[str]:
    """Addresses of planned resources whose names another stack in the account would have, too."""
    return [
        resource["address"]
        for resource in _resources(planned["root_module"])
        if resource["mode"] == "managed" and resource["type"] not in WITHIN
        if not _carries(resource.get("values", {}), prefix)
    ]


def _carries(values: Mapping[str, Any], prefix: str) -> bool:
    on_own_bus = prefix in (values.get("event_bus_name") or "")
    return on_own_bus or all(prefix in (values.get(key) or prefix) for key in NAMES)


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from module.get("resources", ())
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def examples(guide: str) -> list[str]:
    """The settings that the deploy guide shows: its blocks of HCL, but for modules of others."""
    return [block for block in _blocks(guide) if not block.startswith("module ")]


def modules(guide: str) -> list[str]:
    """What the deploy guide lets others apply by themselves."""
    return [block for block in _blocks(guide) if block.startswith("module ")]


def _blocks(guide: str) -> list[str]:
    return re.findall(r"^```hcl\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)


def _last(text: str) -> str:
    return text.strip().splitlines()[-1]


def _plan(text: str) -> str:
    return next(line for line in text.splitlines() if line.startswith("Plan:"))


def _policies(made: Workspace) -> str:
    """Runs checkov on the configuration; every suppression stands beside what it suppresses."""
    if not (CHECKOV / "bin" / "checkov").exists():
        _install()
    done = subprocess.run(
        (
            *(CHECKOV / "bin" / "python", CHECKOV / "bin" / "checkov", "--directory", SOURCES),
            *("--config-file", SOURCES / "checkov.yaml"),
        ),
        cwd=made.folder,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    if done.returncode != 0:
        raise TerraformFailed(f"checkov:\n{done.stdout}{done.stderr}")
    return next(line for line in done.stdout.splitlines() if line.startswith("Passed checks"))


def _install() -> None:
    uv = ROOT / "tools" / "uv"
    python = Path(sys.executable)
    subprocess.run((uv, "venv", "--quiet", "--no-project", "--python", python, CHECKOV), check=True)
    lock = ROOT / "requirements" / "checkov.txt"
    command = (uv, "pip", "sync", "--quiet", "--python", CHECKOV / "bin" / "python", "--require-hashes", lock)
    subprocess.run(command, check=True)


def main() -> int:
    """Exit code: 1 when a check fails."""
    try:
        made = workspace("check")
        print(f"provider: {made.provider.name}")
        for what, outcome in checks(made):
            print(f"{what}: {outcome}", flush=True)
    except TerraformFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Terraform for checks and for the embedded system: AWS's provider, or a stand-in where it cannot be had.

Terraform works in a copy of `infra/terraform` under `.build/terraform`, so that neither state nor lock files
come into the repository.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded.aws import REGION, AwsEndpoint
from embedded.resources import PREFIX, Resources

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "infra" / "terraform"
MIRROR_VARIABLE = "TERRAFORM_PROVIDER_MIRROR"
TIMEOUT_S = 540


class TerraformFailed(RuntimeError):
    """A command of terraform failed; the message is what it wrote."""


@dataclass(frozen=True, slots=True)
class Provider:
    """Where the AWS provider comes from."""

    name: str
    """As it is told to people."""
    mirror: Path | None = None
    """Folder of plugins; None is the registry."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A copy of the configuration to work in."""

    folder: Path
    provider: Provider

    def init(self, root: str) -> None:
        """Makes a root ready. Raises: TerraformFailed."""
        mirror = self.provider.mirror
        terraform(self.folder / root, "init", *((f"-plugin-dir={mirror}",) if mirror else ()))


def terraform(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """What the command wrote to stdout.

    Raises:
        TerraformFailed: it failed, or there is no terraform.
    """
    program = shutil.which("terraform")
    if program is None:
        raise TerraformFailed("there is no terraform on the PATH: version 1.11 or newer is needed")
    cache = ROOT / ".tools" / "terraform"
    cache.mkdir(parents=True, exist_ok=True)
    told = {
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "TF_PLUGIN_CACHE_DIR": str(cache),
        "CHECKPOINT_DISABLE": "1",
        "TF_CLI_ARGS": "-no-color",
    }
    done = subprocess.run(
        (program, *arguments),
        cwd=folder,
        env={**os.environ, **told, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise TerraformFailed(
            f"terraform {' '.join(arguments)} in {folder.name}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def workspace(name: str) -> Workspace:
    """A fresh copy of the configuration, with the best provider that can be had.

    Raises:
        TerraformFailed: none can be had; the message says what was tried.
    """
    folder = ROOT / ".build" / "terraform" / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(SOURCES, folder, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    provider = _provider(folder)
    if provider.mirror is not None and not _knows_write_only(folder, provider):
        _without_ephemeral(folder)
    return Workspace(folder, provider)


def _provider(folder: Path) -> Provider:
    mirror = os.environ.get(MIRROR_VARIABLE)
    if mirror:
        return Provider(f"the plugins that {MIRROR_VARIABLE} names", Path(mirror))
    try:
        terraform(folder / "registry", "init", environment={"TF_REGISTRY_CLIENT_TIMEOUT": "10"})
    except TerraformFailed as failed:
        raise TerraformFailed(
            f"{failed}\nThe provider cannot be downloaded; {MIRROR_VARIABLE} may name a folder of plugins."
        ) from failed
    return Provider("the AWS provider, from its registry")


def _knows_write_only(folder: Path, provider: Provider) -> bool:
    """Whether the provider's schema marks write-only arguments, which alone take ephemeral values."""
    root = folder / "registry"
    terraform(root, "init", f"-plugin-dir={provider.mirror}")
    schemas = json.loads(terraform(root, "providers", "schema", "-json"))
    shutil.rmtree(root / ".terraform", ignore_errors=True)
    (root / ".terraform.lock.hcl").unlink(missing_ok=True)
    return '"write_only": true' in json.dumps(schemas)


def _without_ephemeral(folder: Path) -> None:
    """In the copy, secrets become ordinary sensitive variables."""
    for path in folder.rglob("*.tf"):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text(
            "".join(line for line in lines if line.split() != ["ephemeral", "=", "true"]), encoding="utf-8"
        )


def apply_local(endpoint: AwsEndpoint, prefix: str = PREFIX) -> Resources:
    """Applies the root `local` to an emulator; the services run on what it made.

    Raises:
        TerraformFailed: see there.
    """
    made = workspace("local")
    root = made.folder / "local"
    made.init("local")
    chosen = (f"-var=endpoint_url={endpoint.url}", f"-var=prefix={prefix}", f"-var=region={REGION}")
    terraform(root, "apply", "-auto-approve", *chosen, environment=endpoint.environment)
    return resources_of(json.loads(terraform(root, "output", "-json")))


def resources_of(outputs: Mapping[str, Any]) -> Resources:
    """The names that the root `local` puts out (`terraform output -json`)."""
    named = outputs["environment"]["value"]
    return Resources(
        session_requests_url=named["SESSION_REQUESTS_QUEUE_URL"],
        session_requests_dlq_url=named["SESSION_REQUESTS_DLQ_URL"],
        transcripts_url=named["TRANSCRIPTS_QUEUE_URL"],
        transcripts_dlq_url=named["TRANSCRIPTS_DLQ_URL"],
        events_url=outputs["events_queue_url"]["value"],
        bus_name=named["EVENT_BUS_NAME"],
        table_name=named["SESSIONS_TABLE"],
    )


def roots() -> Sequence[str]:
    """The roots, in the order in which an operator meets them."""
    return ("registry", "aws", "local")

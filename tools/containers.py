"""The container engine of this machine: Docker where its daemon answers, else Podman with Buildah."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
SERVICES = ("trigger", "ingest", "transcribe", "delivery")
IMAGES: Mapping[str, str] = {
    **{service: f"services/{service}/Dockerfile" for service in SERVICES},
    "emulators": "emulators/Dockerfile",
}
"""Image to Dockerfile."""
TIMEOUT_S = 580


class EngineFailed(RuntimeError):
    """A command of the engine failed; the message is what it wrote."""


def run(command: Sequence[str], **environment: str) -> str:
    """What a command wrote to stdout. Raises: EngineFailed."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **environment},
    )
    if done.returncode != 0:
        raise EngineFailed(f"{' '.join(command)}:\n{done.stdout[-4_000:]}{done.stderr[-4_000:]}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Engine:
    """Builds, runs and pushes images."""

    name: str
    """`docker` or `podman`."""

    def build(self, name: str, dockerfile: str, platform: str | None) -> None:
        """Builds an image under `name`, with the packages of its lock. Raises: EngineFailed."""
        chosen = ("--platform", platform) if platform else ()
        if base := os.environ.get("BASE_IMAGE"):
            chosen = (*chosen, "--build-arg", f"PYTHON={base}")
        if self.name == "docker":
            # Lambda takes one image, and not an index of it and its attestations.
            command = ("docker", "build", *chosen, "--tag", name, "--file", dockerfile, ".")
            run(command, BUILDX_NO_DEFAULT_ATTESTATIONS="1")
            return
        # The format keeps HEALTHCHECK; neither a network of its own nor a user namespace is needed.
        options = ("--network=host", "--isolation", "chroot", "--format", "docker", "--layers")
        run(("buildah", "bud", *options, *chosen, "--tag", name, "--file", dockerfile, "."))

    def command(self, *arguments: str) -> str:
        """Runs one of the engine's commands. Raises: EngineFailed."""
        return run((self.name, *arguments))


def engine() -> Engine:
    """The engine that works here. Raises: EngineFailed."""
    if shutil.which("docker"):
        try:
            run(("docker", "info"))
            return Engine("docker")
        except EngineFailed:
            pass
    if shutil.which("podman") and shutil.which("buildah"):
        return Engine("podman")
    raise EngineFailed("neither a Docker daemon answers nor are podman and buildah there")

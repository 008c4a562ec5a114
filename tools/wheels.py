"""Checks that every locked package of every image is there as a wheel, for ARM and x86, with a locked hash.

Run as `python -m tools.wheels` (with `make images-check`): installs each lock as its Dockerfile does, into a
folder that is thrown away, for a C library no newer than that of the base image.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping

from tools.containers import ROOT
from tools.locks import locked

LOCKS: Mapping[str, tuple[str, ...]] = {
    "trigger-image": (),
    "ingest": (),
    "transcribe": (),
    "delivery": (),
    "emulators": (
        "--no-binary",
        "localstack-client",
    ),  # it comes as source alone, without anything to compile
}
"""Lock to options, as in its image's Dockerfile."""
PLATFORMS: Mapping[str, str] = {"ARM": "aarch64-manylinux_2_36", "x86": "x86_64-manylinux_2_36"}


def missing(lock: str, platform: str) -> str | None:
    """What the installer says when a package of the lock cannot be had; None when all can."""
    with tempfile.TemporaryDirectory() as folder:
        options = ("--quiet", "--require-hashes", "--only-binary", ":all:", *LOCKS[lock], "--no-compile")
        target = ("--target", folder, "--python-platform", platform, "--python-version", "3.13")
        done = subprocess.run(
            (ROOT / "tools" / "uv", "pip", "install", *options, *target, "-r", f"requirements/{lock}.txt"),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    return done.stderr if done.returncode else None


def main() -> int:
    """Exit code: 1 when a package is missing."""
    for name, platform in PLATFORMS.items():
        for lock in LOCKS:
            if fault := missing(lock, platform):
                print(f"{lock}, {name}: {fault}", file=sys.stderr)
                return 1
        packages = {p for lock in LOCKS for p in locked((ROOT / "requirements" / f"{lock}.txt").read_text())}
        print(f"wheels for {name}: {len(packages)} packages of {len(LOCKS)} locks", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make package`: writes the trigger's archive for Lambda, `.build/trigger.zip`, from the lock alone.

`ARCHITECTURE` is `arm64` (the default, as Terraform's) or `x86_64`. The same sources and lock give the same
bytes.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from embedded.trigger_function import build_zip
from tools.containers import ROOT

ARCHIVE = ROOT / ".build" / "trigger.zip"
PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = {"__pycache__", "bin", "tests"}


def main() -> int:
    """Exit code: 2 for an architecture that Lambda does not have."""
    architecture = os.environ.get("ARCHITECTURE") or "arm64"
    if architecture not in PLATFORMS:
        print(f"ARCHITECTURE is {' or '.join(PLATFORMS)}, not {architecture}", file=sys.stderr)
        return 2
    packages = ROOT / ".build" / f"trigger-{architecture}"
    shutil.rmtree(packages, ignore_errors=True)
    _install(packages, PLATFORMS[architecture])
    ARCHIVE.write_bytes(build_zip(ROOT))
    with zipfile.ZipFile(ARCHIVE, "a", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(packages.rglob("*")):
            inside = path.relative_to(packages)
            if path.is_file() and not _LEFT_OUT.intersection(inside.parts):
                entry = zipfile.ZipInfo(inside.as_posix(), _EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
    print(f"{ARCHIVE.relative_to(ROOT)}: {ARCHIVE.stat().st_size / 1e6:.1f} MB, {architecture}")
    return 0


def _install(packages: Path, platform: str) -> None:
    lock = ROOT / "requirements" / "trigger.txt"
    options = ("--quiet", "--require-hashes", "--only-binary", ":all:", "--no-compile")
    target = ("--target", packages, "--python-platform", platform, "--python-version", "3.13")
    command = (ROOT / "tools" / "uv", "pip", "install", *options, *target, "-r", lock)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())

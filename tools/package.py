"""`make package`: writes the trigger's archive for Lambda, `.build/trigger.zip`, from the lock alone.

`ARCHITECTURE` is `arm64` (the default, as Terraform's) or `x86_64`. The same sources and lock give the same
bytes. Byte code is in it, since a cold start without takes three times as long (`make bench-trigger`); it is
never compared with its source ("unchecked hash", PEP 552), because Lambda unpacks archives with other times.
"""

import importlib.util
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from embedded.trigger_function import pack, sources
from tools.containers import ROOT

ARCHIVE = ROOT / ".build" / "trigger.zip"
PLATFORMS = {"arm64": "aarch64-manylinux2014", "x86_64": "x86_64-manylinux2014"}
RUNTIME_FOLDER = "/var/task"
"""Where Lambda unpacks it: the file names in tracebacks."""
UNCHECKED_HASH = (1).to_bytes(4, "little")
"""Second word of such byte code (PEP 552)."""
_LEFT_OUT = {"bin", "tests"}


class PackageFailed(RuntimeError):
    """The archive would not be what it should."""


def build(tree: Path, root: Path) -> bytes:
    """The archive of the packages in `tree` and of the trigger in the repository at `root`, with byte code.

    `tree` is added to. Raises: PackageFailed.
    """
    for source in sources(root):
        target = tree / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    _compile(tree)
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    archive = pack(tree, (path for path in files if not _LEFT_OUT.intersection(path.relative_to(tree).parts)))
    if slow := list(compiled_anew(archive)):
        raise PackageFailed(f"no byte code for Python 3.13: {', '.join(slow)}")
    return archive


def _compile(tree: Path) -> None:
    """In a fresh process with a fixed hash seed, so that the same sources give the same byte code."""
    options = ("-q", "-f", "--invalidation-mode", "unchecked-hash", "-s", tree, "-p", RUNTIME_FOLDER)
    command = (sys.executable, "-m", "compileall", *options, tree)
    done = subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, check=False)
    if done.returncode != 0:
        raise PackageFailed("a module cannot be compiled")


def compiled_anew(archive: bytes) -> Iterator[str]:
    """The modules in an archive that Python 3.13 would compile at every cold start."""
    wanted = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = set(opened.namelist())
        for name in map(PurePosixPath, sorted(names)):
            if name.suffix == ".py":
                cached = str(name.parent / "__pycache__" / f"{name.stem}.cpython-313.pyc")
                if cached not in names or opened.read(cached)[: len(wanted)] != wanted:
                    yield str(name)


def install_packages(packages: Path, platform: str) -> None:
    """Puts what requirements/trigger.txt locks into a folder, for a platform of `PLATFORMS`."""
    lock = ROOT / "requirements" / "trigger.txt"
    options = ("--quiet", "--require-hashes", "--only-binary", ":all:", "--no-compile")
    target = ("--target", packages, "--python-platform", platform, "--python-version", "3.13")
    command = (ROOT / "tools" / "uv", "pip", "install", *options, *target, "-r", lock)
    subprocess.run(command, check=True)


def main() -> int:
    """Exit code: 1 when the archive fails, 2 for an architecture that Lambda does not have."""
    architecture = os.environ.get("ARCHITECTURE") or "arm64"
    if architecture not in PLATFORMS:
        print(f"ARCHITECTURE is {' or '.join(PLATFORMS)}, not {architecture}", file=sys.stderr)
        return 2
    packages = ROOT / ".build" / f"trigger-{architecture}"
    shutil.rmtree(packages, ignore_errors=True)
    install_packages(packages, PLATFORMS[architecture])
    try:
        ARCHIVE.write_bytes(build(packages, ROOT))
    except PackageFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    print(
        f"{ARCHIVE.relative_to(ROOT)}: {ARCHIVE.stat().st_size / 1e6:.1f} MB, {architecture}, with byte code"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Checks, without a network, that the locked requirements belong to what was asked for.

Run as `python -m tools.locks`; prints each fault and exits 1 if there is any. That the versions are the ones
a resolver would choose is the business of `make lock`.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

DIRECTORY = Path("requirements")
UNION = "development"
"""The set that holds every service's; the tests run with it."""

APART = frozenset({"uv", "checkov", "localstack"})
"""Sets with an environment of their own, which meet none of the others."""

RUNTIME_CLIENT = frozenset({"awslambdaric", "simplejson", "snapshot-restore-py"})
"""In the trigger's image alone: Lambda's own runtime has it already."""

_PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?P<rest>(?:.*\\\n)*.*)", re.MULTILINE)


def asked(path: Path) -> Iterator[Requirement]:
    """Yields the requirements of an .in file and of those that it includes."""
    for line in path.read_text(encoding="utf-8").splitlines():
        wanted = line.partition("#")[0].strip()
        if wanted.startswith("-r "):
            yield from asked(path.parent / wanted.removeprefix("-r ").strip())
        elif wanted:
            yield Requirement(wanted)


def locked(text: str) -> dict[str, Version]:
    """Returns name -> version of every pin.

    Raises:
        ValueError: a pin has no hash.
    """
    pins: dict[str, Version] = {}
    for pin in _PIN.finditer(text):
        if "--hash=sha256:" not in pin["rest"]:
            message = f"{pin['name']} has no hash"
            raise ValueError(message)
        pins[canonicalize_name(pin["name"])] = Version(pin["version"])
    return pins


def faults(directory: Path) -> Iterator[str]:
    """Yields a sentence for every lock that does not fit what it was made from, or the others."""
    union = locked((directory / f"{UNION}.txt").read_text(encoding="utf-8"))
    for path in sorted(directory.glob("*.in")):
        lock = path.with_suffix(".txt")
        if not lock.exists():
            yield f"{path} was never locked: run `make lock`"
            continue
        pins = locked(lock.read_text(encoding="utf-8"))
        for requirement in asked(path):
            version = pins.get(canonicalize_name(requirement.name))
            if version is None or version not in requirement.specifier:
                yield f"{lock} lacks {requirement} of {path}: run `make lock`"
        if path.stem in APART:
            continue
        yield from (
            f"{lock} has {name} {version}, the tests ran with {union.get(name)}: run `make lock`"
            for name, version in pins.items()
            if union.get(name) != version and not (path.stem == "trigger-image" and name in RUNTIME_CLIENT)
        )


def main() -> int:
    """Prints the faults; returns the exit status."""
    found = list(faults(DIRECTORY))
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""Checks what must not be in the repository: download addresses, paths of one machine, promises to come back.

Run as `python -m tools.repository`; prints each finding as `path:line: what` and exits 1 if there is any. A
clone must build from whatever index its owner's pip and uv are set to, on whatever machine.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Finding:
    """A line that must not be there."""

    path: str
    line: int
    what: str


# The bracketed letters keep these lines from finding themselves.
UNWANTED = {
    "the host of a package registry": re.compile(
        r"\b(?:py[p]i\.org|python[h]osted|npm[j]s\.(?:org|com)|yarn[p]kg\.com|crates\.[i]o/api)"
    ),
    "the address of a package index": re.compile(
        r"--(?:extra-)?index-url|https?://[^\s\"']+/simple(?:/|\b)|^Index-Url|(?:registry|resolved)\W{1,4}https?://"
    ),
    "the address of a download": re.compile(r"https?://[^\s\"']+\.(?:whl|tgz|tar\.gz|crate|jar|deb|zip)\b"),
    "a path of one person's machine": re.compile(r"(?<![\w.~$}])/(?:home|Users|root)/[\w.]"),
    "a note to come back": re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b"),
}


def findings(path: str, text: str) -> Iterator[Finding]:
    """Yields what is unwanted in the text of one file."""
    for number, line in enumerate(text.splitlines(), 1):
        for what, pattern in UNWANTED.items():
            if pattern.search(line):
                yield Finding(path, number, what)


def _texts(paths: list[str]) -> Iterator[tuple[str, str]]:
    """Yields the files that hold text; audio and models are passed over."""
    for path in paths:
        try:
            yield path, Path(path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue


def _paths() -> list[str]:
    """Every file that is or could be committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, capture_output=True, check=True, text=True)
    return [path for path in listing.stdout.split("\0") if path]


def main() -> int:
    """Prints the findings; returns the exit status."""
    found = [finding for path, text in _texts(_paths()) for finding in findings(path, text)]
    for finding in found:
        print(f"{finding.path}:{finding.line}: {finding.what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

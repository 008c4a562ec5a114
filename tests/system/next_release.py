"""The release after this one, made from its sources: contracts have one more field, the link one version."""

import shutil
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts", "telemetry", "services")
FIELD = "a_field_of_the_next_release"
_CHANGES = {
    "contracts/model.py": (
        'extra="ignore", use_attribute_docstrings=True)\n',
        f'extra="ignore", use_attribute_docstrings=True)\n    {FIELD}: str = "new"\n',
    ),
    "contracts/link.py": ("] = (1,)\n", "] = (2, 1)\n"),
}


def make_next_release(folder: Path) -> Path:
    """Writes its sources to `folder`, which must not exist yet."""
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    for name, (this, following) in _CHANGES.items():
        source = (folder / name).read_text()
        assert source.count(this) == 1, name
        (folder / name).write_text(source.replace(this, following))
    return folder


def environment_of(release: Path) -> Mapping[str, str]:
    """What makes a program run the sources in this folder, wherever it is started."""
    return {"PYTHONPATH": str(release), "PYTHONSAFEPATH": "1"}

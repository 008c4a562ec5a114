import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from tools.package import PackageFailed, build, compiled_anew

ROOT = Path(__file__).parents[3]


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """What an installer leaves: a package with tests, and a program."""
    folder = tmp_path / "packages"
    for name in ("library/__init__.py", "library/tests/__init__.py", "bin/program.py"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("WORDS = frozenset({'one', 'two', 'three', 'four'})\n")
    return folder


def test_every_module_has_byte_code_that_python_takes_whatever_the_times_of_files(
    packages: Path, tmp_path: Path
) -> None:
    archive = build(packages, ROOT)
    assert list(compiled_anew(archive)) == []
    unpacked = tmp_path / "task"
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        opened.extractall(unpacked)
    for source in unpacked.rglob("*.py"):
        source.write_text("raise SystemExit('compiled anew')")
    code = "import library, services.trigger.request as ours; print(len(library.WORDS), ours.__file__)"
    command = (sys.executable, "-P", "-c", code)
    done = subprocess.run(
        command, env={"PYTHONPATH": str(unpacked)}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["4", str(unpacked / "services" / "trigger" / "request.py")], done.stderr


def test_the_same_sources_give_the_same_bytes(packages: Path) -> None:
    assert build(packages, ROOT) == build(packages, ROOT)


def test_only_what_the_function_needs_is_in_the_archive(packages: Path) -> None:
    with zipfile.ZipFile(BytesIO(build(packages, ROOT))) as opened:
        names = opened.namelist()
    assert {name.partition("/")[0] for name in names} == {"library", "services", "contracts", "telemetry"}
    assert not [name for name in names if "tests" in name or "/transcribe/" in name]
    assert names == sorted(names)


def test_byte_code_that_looks_at_the_times_of_files_is_noticed(packages: Path) -> None:
    buffer = BytesIO()
    with (
        zipfile.ZipFile(BytesIO(build(packages, ROOT))) as opened,
        zipfile.ZipFile(buffer, "w") as changed,
    ):
        for name in opened.namelist():
            content = opened.read(name)
            if name == "library/__pycache__/__init__.cpython-313.pyc":
                content = content[:4] + bytes(4) + content[8:]
            if name != "services/trigger/__pycache__/request.cpython-313.pyc":
                changed.writestr(name, content)
    assert list(compiled_anew(buffer.getvalue())) == ["library/__init__.py", "services/trigger/request.py"]


def test_a_module_that_cannot_be_compiled_is_no_package(packages: Path) -> None:
    (packages / "library" / "broken.py").write_text("def")
    with pytest.raises(PackageFailed):
        build(packages, ROOT)

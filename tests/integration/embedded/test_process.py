import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from embedded.process import Child, Children, ProcessFailed, Program

READY = 'print(\'{"event": "unit.ready", "port": 7}\', flush=True)'
WAIT = "import signal; signal.pause()"


def python(name: str, *statements: str) -> Program:
    return Program(name, (sys.executable, "-c", "\n".join(statements)), {"COLOUR": "blue"})


def test_a_child_is_ready_when_it_says_so(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start(python("unit", READY, WAIT))
        assert child.ready()["port"] == 7
        children.check()


def test_a_child_has_the_programs_environment_and_a_log_of_its_own(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start(
            python("unit", "import os; print(os.environ['COLOUR'], flush=True)", READY, WAIT)
        )
        child.ready()
    assert (tmp_path / "unit.log").read_text().startswith("blue\n")


def test_a_child_that_ends_before_it_is_ready_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child(python("unit", "raise SystemExit('no such table')"), tmp_path)
    with pytest.raises(ProcessFailed, match=r"(?s)unit ended with exit code 1 .*no such table"):
        child.ready()


def test_a_child_that_is_never_ready_is_reported_in_time(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start(python("unit", WAIT))
        with pytest.raises(ProcessFailed, match=r"not ready after 0\.1 s; it wrote nothing"):
            child.wait_until(lambda: None, timeout_s=0.1)


def test_a_child_that_ended_is_noticed(tmp_path: Path) -> None:
    with Children(tmp_path) as children:
        child = children.start(python("unit", READY))
        child.ready()
        assert child.stop() in {0, -15}
        with pytest.raises(ProcessFailed, match="unit ended"):
            children.check()


def test_leaving_ends_every_child_also_one_that_ignores_being_asked(tmp_path: Path) -> None:
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    with Children(tmp_path) as children:
        child = children.start(python("deaf", deaf, READY, f"while True: {WAIT}"))
        child.ready()
        assert child.stop(timeout_s=0.2) == -9
        obedient = children.start(python("obedient", READY, WAIT))
        obedient.ready()
        codes = children.stop()
    assert codes == {"deaf": -9, "obedient": -15}


def test_children_do_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from embedded.process import Children, Program
children = Children(Path({str(tmp_path)!r}))
for name in ("one", "two"):
    child = children.start(Program(name, {(sys.executable, "-c", f"{READY}\n{WAIT}")!r}, {{}}))
    child.ready()
    print(child.pid, flush=True)
{WAIT}
"""
    with subprocess.Popen(
        (sys.executable, "-c", program), stdout=subprocess.PIPE, start_new_session=True
    ) as parent:
        assert parent.stdout is not None
        watched = [os.pidfd_open(int(parent.stdout.readline())) for _ in range(2)]
        os.killpg(parent.pid, signal.SIGKILL)
    for ended in watched:
        assert select.select([ended], [], [], 20)[0]
        os.close(ended)

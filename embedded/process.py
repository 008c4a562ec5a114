"""Child processes that tell when they are ready, write a log file each, and end when they are told to."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
_POLL_S = 0.02
_TAIL_LINES = 15


class ProcessFailed(RuntimeError):
    """A process ended, or did not become ready in time; the message ends with its last log lines."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run: `command` with `environment` added to this process's own."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


class Child:
    """A running program whose stdout and stderr go to `log`; its own process group: Ctrl-C is ours."""

    def __init__(self, program: Program, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = program.name
        self.log = folder / f"{program.name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                program.command,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Process id, also the id of its process group."""
        return self._process.pid

    def wait_until[T](self, probe: Callable[[], T | None], timeout_s: float = START_TIMEOUT_S) -> T:
        """The first answer of `probe` that is not None.

        Raises:
            ProcessFailed: the process ended first, or `timeout_s` passed.
        """
        deadline = time.monotonic() + timeout_s
        while (answer := probe()) is None:
            if (code := self._process.poll()) is not None:
                raise ProcessFailed(
                    f"{self.name} ended with exit code {code} before it was ready{self._tail()}"
                )
            if time.monotonic() > deadline:
                raise ProcessFailed(f"{self.name} was not ready after {timeout_s} s{self._tail()}")
            time.sleep(_POLL_S)
        return answer

    def ready(self) -> dict[str, object]:
        """Waits for the log line whose `event` ends in `.ready`, and returns it.

        Raises:
            ProcessFailed: as `wait_until`.
        """
        return self.wait_until(self._ready_line)

    def check(self) -> None:
        """Does nothing while the process runs.

        Raises:
            ProcessFailed: it ended.
        """
        if (code := self._process.poll()) is not None:
            raise ProcessFailed(f"{self.name} ended with exit code {code}{self._tail()}")

    def terminate(self) -> None:
        """Asks the process to end (SIGTERM); `stop` waits for it."""
        if self._process.poll() is None:
            self._process.terminate()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Ends the process, killing it when it does not within `timeout_s`; returns its exit code."""
        self.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _ready_line(self) -> dict[str, object] | None:
        for line in self.log.read_text(errors="replace").splitlines():
            if '.ready"' in line:
                return json.loads(line)
        return None

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return "; the end of its log:\n" + "\n".join(lines) if lines else "; it wrote nothing"


class Children:
    """Processes that end together, whatever happens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._children: list[Child] = []

    def start(self, program: Program) -> Child:
        """Starts a program without waiting for it."""
        child = Child(program, self.folder)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raises `ProcessFailed` when one of them has ended."""
        for child in self._children:
            child.check()

    def stop(self) -> dict[str, int]:
        """Ends them all at once; exit code by name."""
        for child in self._children:
            child.terminate()
        codes = {child.name: child.stop() for child in self._children}
        self._children.clear()
        return codes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

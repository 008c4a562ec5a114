"""Child processes that tell when they are ready, write a log file each, and end when they are told to."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
_POLL_S = 0.02
_TAIL_LINES = 15
_OWN = {"PYTHONUNBUFFERED": "1", "HEALTH_HOST": "127.0.0.1", "HEALTH_PORT": "0"}
"""Several services live on this machine: each answers questions after its health at a port of its own."""


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
        self.program = program
        self.log = folder / f"{program.name}.log"
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                program.command,
                env={**os.environ, **_OWN, **program.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def name(self) -> str:
        """Of the program."""
        return self.program.name

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet; a stopped (frozen) process runs."""
        return self._process.poll() is None

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

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process, if it still runs."""
        if self.is_running:
            self._process.send_signal(number)

    def wait(self) -> int:
        """Waits, however long, until the process has ended by itself or by a signal; its exit code."""
        return self._process.wait()

    def terminate(self) -> None:
        """Asks the process to end (SIGTERM), thawing it when it is stopped; `stop` waits for it."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Ends the process, killing it when it does not within `timeout_s`; returns its exit code."""
        self.terminate()
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)  # children that it left behind

    def _ready_line(self) -> dict[str, object] | None:
        for line in self._lines():
            if '.ready"' in line:
                return json.loads(line)
        return None

    def _tail(self) -> str:
        lines = self._lines()[-_TAIL_LINES:]
        return "; the end of its log:\n" + "\n".join(lines) if lines else "; it wrote nothing"

    def _lines(self) -> list[str]:
        """What this run of the program wrote: the log may begin with an earlier one."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace").splitlines()


_KILL_WHEN_CLOSED = "while read -r line; do groups=$line; done; kill -s KILL -- $groups"


class _Watcher:
    """Kills process groups once this process is gone, however it went: then the watcher's input ends."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ("/bin/sh", "-c", _KILL_WHEN_CLOSED),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # what kills our process group must leave it
            bufsize=0,
        )

    def watch(self, groups: Iterable[int]) -> None:
        """From now on these groups, and no others."""
        assert self._process.stdin is not None  # noqa: S101 -- for the type checker: it is a pipe
        with suppress(BrokenPipeError):  # somebody ended the watcher
            self._process.stdin.write(" ".join(f"-{group}" for group in groups).encode() + b"\n")

    def stop(self) -> None:
        """Ends it; the groups live on."""
        self._process.kill()
        self._process.communicate()


class Children:
    """Processes that end together, whatever happens, this process's own death by SIGKILL included."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._children: dict[str, Child] = {}
        self._watcher: _Watcher | None = None

    def start(self, program: Program) -> Child:
        """Starts a program without waiting for it; one of the same name that has ended is replaced.

        Raises:
            ValueError: a program of this name runs.
        """
        if program.name in self._children and self._children[program.name].is_running:
            raise ValueError(f"{program.name} runs already")
        self._watcher = self._watcher or _Watcher()
        child = self._children[program.name] = Child(program, self.folder)
        self._watcher.watch(child.pid for child in self)
        return child

    def __getitem__(self, name: str) -> Child:
        """The child of that name, as it was started last."""
        return self._children[name]

    def __iter__(self) -> Iterator[Child]:
        """All children, in the order of their first start."""
        return iter(self._children.values())

    def check(self) -> None:
        """Raises `ProcessFailed` when one of them has ended."""
        for child in self:
            child.check()

    def stop(self) -> dict[str, int]:
        """Ends them all at once; exit code by name."""
        for child in self:
            child.terminate()
        codes = {child.name: child.stop() for child in self}
        self._children.clear()
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher = None
        return codes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

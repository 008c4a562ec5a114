"""How much of the machine a run left: a run without any is not to be read as a fault."""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from embedded.system import System

_STEP_S = 0.05
_LOOK_EVERY_S = 1.0
_TICKS = os.sysconf("SC_CLK_TCK")
OVERLOADED = 0.95
"""Part of the machine that was busy from which on a run says little about the services."""
LATE_MS = 2_000.0
"""How late a loop may be: a peer is held for dead after 2.5 s."""


class Headroom:
    """Of the machine, and by process."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._cpu_s: dict[tuple[str, int], float] = {}
        """Of each process that ran, by name and id."""
        self._before_s: dict[int, float] = {}
        """What those had used that ran already when the watch began."""
        self.worst_lateness_ms = 0.0
        """How late this process's own loop was at worst."""
        self.busy = 0.0
        """Part of all cores that was busy, 0-1, by all processes of the machine."""
        self.seconds = 0.0
        """For which it was watched."""

    @property
    def overloaded(self) -> bool:
        """Whether the machine had too little left for its clocks to be trusted."""
        return self.busy > OVERLOADED or self.worst_lateness_ms > LATE_MS

    @property
    def cpu_s(self) -> dict[str, float]:
        """Seconds of CPU by service or emulator; `tests` is this process: callers, callback, verdict."""
        found: defaultdict[str, float] = defaultdict(float)
        for (name, pid), used in self._cpu_s.items():
            found[name] += used - self._before_s.get(pid, 0.0)
        return found

    @property
    def own(self) -> float:
        """Part of all cores that this run itself had, 0-1."""
        return sum(self.cpu_s.values()) / max(self.seconds * (os.cpu_count() or 1), _STEP_S)

    def __str__(self) -> str:
        by_cost = sorted(self.cpu_s.items(), key=lambda each: each[1], reverse=True)
        costly = ", ".join(f"{name} {used:.0f}" for name, used in by_cost)
        overloaded = "OVERLOADED: " if self.overloaded else ""
        return (
            f"{overloaded}{self.busy:.0%} of {os.cpu_count()} cores busy for {self.seconds:.0f} s,"
            f" {self.own:.0%} by this run, loop at worst {self.worst_lateness_ms:.0f} ms late;"
            f" CPU seconds: {costly}"
        )

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator["Headroom"]:
        """Measures while the context lasts."""
        self._before_s = {pid: used for pid, _, used in _processes()}
        watch = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            watch.cancel()
            self._look()

    async def _watch(self) -> None:
        self._look()
        begun_at, idle_s = time.monotonic(), _idle_s()
        look_at = begun_at + _LOOK_EVERY_S
        while True:
            before = time.monotonic()
            await asyncio.sleep(_STEP_S)
            now = time.monotonic()
            self.worst_lateness_ms = max(self.worst_lateness_ms, (now - before - _STEP_S) * 1_000)
            self.seconds = now - begun_at
            if now >= look_at:
                self.busy = 1 - (_idle_s() - idle_s) / (self.seconds * (os.cpu_count() or 1))
                self._look()
                look_at = now + _LOOK_EVERY_S

    def _look(self) -> None:
        parents = {pid: (parent, used) for pid, parent, used in _processes()}
        ours = {
            child.pid: child.name.partition("-")[0]
            for children in (self._system.emulators, self._system.services)
            for child in children
        }
        ours[os.getpid()] = "tests"
        for pid, (parent, used) in parents.items():
            name = ours.get(pid) or ours.get(parent)
            if name is not None and (pid in ours or name != "tests"):
                self._cpu_s[name, pid] = used


def _processes() -> Iterator[tuple[int, int, float]]:
    """Id, parent's id and seconds of CPU of every process (proc(5))."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # it has ended
            fields = stat.rpartition(")")[2].split()
            yield int(folder.name), int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS


def _idle_s() -> float:
    """Seconds that all cores together have been idle since the machine started (proc(5))."""
    return float(Path("/proc/uptime").read_text().split()[1])

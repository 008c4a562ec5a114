"""What the hand does to processes: here they only sleep."""

import asyncio
from collections.abc import Generator
from pathlib import Path

import pytest

from embedded.aws import AwsEndpoint
from embedded.process import Child, Children, Program
from embedded.resources import Resources
from embedded.system import Deepgram, System
from tests.chaos.disturbance import Disturbance, Kind
from tests.chaos.hand import Hand

NAME = "delivery-1"
SLEEPER = ("sh", "-c", """echo '{"event": "sleeper.ready"}'; exec sleep 60""")


@pytest.fixture
def system(tmp_path: Path) -> Generator[System]:
    """One service that sleeps, and nothing else."""
    nowhere = AwsEndpoint("127.0.0.1", 9)
    names = Resources("", "", "", "", "", "", "")
    with Children(tmp_path) as emulators, Children(tmp_path) as services:
        services.start(Program(NAME, SLEEPER, {}))
        yield System(nowhere, names, "", Deepgram("", ""), None, None, emulators, services, tmp_path)


def is_frozen(child: Child) -> bool:
    """Whether it is stopped by a signal (proc(5))."""
    return Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


async def until(child: Child, *, frozen: bool) -> None:
    """Waits until it is, or is not."""
    await asyncio.to_thread(child.wait_until, lambda: True if is_frozen(child) is frozen else None)


def hand(system: System) -> Hand:
    return Hand(system, 1, list, lambda _: None)


async def test_a_long_freeze_is_not_cut_short_by_another_that_ends_before(system: System) -> None:
    child = system.services[NAME]
    its = hand(system)
    async with asyncio.TaskGroup() as tasks:
        long = tasks.create_task(its.disturb([Disturbance(0, Kind.LONG_FREEZE, NAME, 60)]))
        await until(child, frozen=True)
        await its.disturb([Disturbance(0, Kind.FREEZE, NAME, 0.01)])
        assert is_frozen(child)
        assert its.applied[Kind.FREEZE] == 0
        long.cancel()
    await until(child, frozen=False)


async def test_after_all_that_is_to_happen_whoever_was_frozen_goes_on(system: System) -> None:
    its = hand(system)
    await its.disturb([Disturbance(0, Kind.LONG_FREEZE, NAME, 0.05)])
    assert its.applied == {Kind.LONG_FREEZE: 1}
    await until(system.services[NAME], frozen=False)


async def test_a_freeze_that_ends_by_a_death_does_not_count(system: System) -> None:
    its = hand(system)
    await its.disturb([Disturbance(0, Kind.LONG_FREEZE, NAME, 0.5), Disturbance(0, Kind.KILL, NAME)])
    assert +its.applied == {Kind.KILL: 1}

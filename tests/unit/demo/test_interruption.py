import signal
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio
import os
from demo.interruption import raise_on_signals, run_until_interrupted

async def stubborn():
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.to_thread(os.write, 1, b"task ended\\n")

async def main():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stubborn())
        tasks.create_task(stubborn())
        await asyncio.sleep(0)
        print("ready", flush=True)

raise_on_signals()
try:
    run_until_interrupted(main)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_task_in_order_and_further_ones_do_not_disturb_it(number: signal.Signals) -> None:
    command = (sys.executable, "-c", PROGRAM)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "task ended\n"
        process.send_signal(number)
        assert process.stdout.read() == "task ended\ninterrupted\n"  # not communicate: a line may be buffered
        assert process.wait(timeout=30) == 0


def test_what_the_run_makes_is_handed_on() -> None:
    program = """
import signal
from demo.interruption import run_until_interrupted
async def main(): return 7
assert run_until_interrupted(main) == 7
try:
    signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    print("interrupted")
"""
    assert subprocess.check_output((sys.executable, "-c", program), timeout=30) == b"interrupted\n"

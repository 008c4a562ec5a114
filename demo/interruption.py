"""Ctrl-C, a hang-up and SIGTERM end the run, whenever they come; further ones do not disturb the ending."""

import signal
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def raise_on_signals() -> None:
    """From now on the first signal raises KeyboardInterrupt."""

    def stop() -> None:
        raise KeyboardInterrupt

    _on_first(stop)


def run_until_interrupted[T](main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Like `asyncio.run`; the first signal cancels `main`, so that each of its tasks ends in order.

    Raises:
        KeyboardInterrupt: a signal came; `main` has ended.
    """
    import asyncio  # noqa: PLC0415 -- a signal may come before it is imported

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 -- for the type checker: a coroutine runs in a task
        _on_first(lambda: loop.call_soon_threadsafe(task.cancel))  # also wakes the loop
        return await main()

    try:
        return asyncio.run(cancellable())
    finally:
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            raise KeyboardInterrupt
        raise_on_signals()


def _on_first(act: Callable[[], object]) -> None:
    def handle(_signal: int, _frame: FrameType | None) -> None:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        act()

    for number in SIGNALS:
        signal.signal(number, handle)

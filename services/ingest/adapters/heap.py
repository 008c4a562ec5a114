"""The process's heap: glibc keeps what was freed, and gives it back to the system only when it is told to."""

import ctypes
from collections.abc import Callable
from functools import cache


def give_back() -> None:
    """What is free goes back to the system; where there is no glibc, nothing happens.

    Measured: the requests and first buffers of 500 calls that begin together leave 23 MB.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    trim: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim

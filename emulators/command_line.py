"""What the command lines of the servers share."""

import argparse
import sys
from collections.abc import Generator
from contextlib import contextmanager

MAX_PORT = 65_535


def port(text: str) -> int:
    """A port as an argument; 0 is any free one.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_PORT):
        raise argparse.ArgumentTypeError(f"{text} is not a port, 0 to {MAX_PORT}")
    return int(text)


@contextmanager
def told_in_a_line() -> Generator[None]:
    """Leaves the process with status 2 and one line when the system refuses: a taken port, no such file."""
    refused: BaseException | None = None
    try:
        yield
    except* OSError as group:
        refused = group
    if refused is not None:  # raised only here: what leaves an `except*` is a group
        while isinstance(refused, BaseExceptionGroup):
            refused = refused.exceptions[0]
        print(f"error: {refused}", file=sys.stderr)
        sys.exit(2)

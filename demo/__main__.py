"""`make demo`. An interruption ends everything that was started, whenever it comes."""

import signal
import sys
from types import FrameType

INTERRUPTED = 130


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """The first Ctrl-C (or hang-up) ends the run; further ones must not interrupt the ending."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run() -> int:
    from demo.command import main  # noqa: PLC0415 -- importing takes a second, in which Ctrl-C may come

    return main()


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.stderr.write("stopped; everything that was started has ended\n")
        sys.exit(INTERRUPTED)

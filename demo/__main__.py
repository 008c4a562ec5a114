"""`make demo`. An interruption ends everything that was started, whenever it comes."""

import sys

from demo.interruption import raise_on_signals

INTERRUPTED = 130


def _run() -> int:
    from demo.command import main  # noqa: PLC0415 -- importing takes a second, in which Ctrl-C may come

    return main()


if __name__ == "__main__":
    raise_on_signals()
    try:
        sys.exit(_run())
    except KeyboardInterrupt:
        sys.stderr.write("stopped; everything that was started has ended\n")
        sys.exit(INTERRUPTED)

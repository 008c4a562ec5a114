"""Command line of the emulator."""

import argparse
import asyncio
import json
import signal

import emulators.functions
from emulators.command_line import port, told_in_a_line
from emulators.functions.server import serve


async def run(host: str, port: int) -> None:
    """Serves until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serve(host, port) as bound:
        print(json.dumps({"event": "functions.ready", "port": bound}), flush=True)
        await stop.wait()


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m emulators.functions",
        description=emulators.functions.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=port, default=0, help="0: any free one, see the line that is printed")
    chosen = parser.parse_args()
    with told_in_a_line():
        asyncio.run(run(chosen.host, chosen.port))


if __name__ == "__main__":
    main()

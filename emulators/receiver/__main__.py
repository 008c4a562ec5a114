"""Command line of the emulator."""

import argparse
import asyncio
import json
import signal
import sys

import emulators.receiver
from emulators.command_line import port, told_in_a_line
from emulators.receiver.server import ReceiverOptions, serve


def options_from(arguments: list[str]) -> ReceiverOptions:
    """The options that a command line asks for; leaves the process for --help and mistakes."""
    default = ReceiverOptions()
    parser = argparse.ArgumentParser(
        prog="python -m emulators.receiver",
        description=emulators.receiver.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default=default.host, help="address to listen on (default %(default)s)")
    add("--port", type=port, default=default.port, help="0: any free one, see the line that is printed")
    add(
        "--secret",
        dest="secrets",
        action="append",
        default=[],
        help="Standard Webhooks secret (whsec_…) that requests must be signed with; may be repeated",
    )
    return ReceiverOptions(**vars(parser.parse_args(arguments)))


async def run(options: ReceiverOptions) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serve(options) as receiver:
        print(json.dumps({"event": "receiver.ready", "port": receiver.port, "url": receiver.url}), flush=True)
        await stop.wait()


def main() -> None:
    """Entry point."""
    with told_in_a_line():
        asyncio.run(run(options_from(sys.argv[1:])))


if __name__ == "__main__":
    main()

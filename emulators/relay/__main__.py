"""Command line of the relays."""

import argparse
import asyncio
import contextlib
import json
import signal
from collections.abc import Mapping

import uvloop

import emulators.relay
from emulators.command_line import port as port_of
from emulators.relay.server import Target, serve


def main() -> None:
    """Relay until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m emulators.relay",
        description=emulators.relay.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--relay", action="append", required=True, metavar="NAME=HOST:PORT", type=_target)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_run(dict(parser.parse_args().relay)))


def _target(text: str) -> tuple[str, Target]:
    name, equals, address = text.partition("=")
    host, colon, port = address.rpartition(":")
    if not (name and equals and host and colon):
        raise argparse.ArgumentTypeError(f"{text} is not NAME=HOST:PORT")
    return name, Target(host, port_of(port))


async def _run(targets: Mapping[str, Target]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(targets) as running:
        ports = {name: relay.port for name, relay in running.relays.items()}
        print(json.dumps({"event": "relay.ready", "port": running.port, "relays": ports}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    main()

"""Command line of the emulator."""

import argparse
import asyncio
import contextlib
import json
import signal
import sys

import uvloop

import emulators.kvs
from emulators.command_line import port, told_in_a_line
from emulators.kvs.options import KvsOptions
from emulators.kvs.server import serve


def options_from(arguments: list[str]) -> KvsOptions:
    """The options that a command line asks for; leaves the process for --help and mistakes."""
    default = KvsOptions()
    parser = argparse.ArgumentParser(
        prog="python -m emulators.kvs",
        description=emulators.kvs.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default=default.host, help="address to listen on (default %(default)s)")
    add("--port", type=port, default=default.port, help="0: any free one, see the line that is printed")
    add("--region", default=default.region, help="in ARNs (default %(default)s)")
    add("--account-id", default=default.account_id, help="in ARNs (default %(default)s)")
    add("--data-endpoint", help="what GetDataEndpoint answers (default: the address it was called under)")
    add(
        "--delivery",
        choices=["trickled", "whole"],
        default=default.delivery,
        help="fragments block by block as they grow, or when complete (default %(default)s)",
    )
    add("--idle-s", type=float, default=default.idle_s, help="a body ends after so long without a block")
    add(
        "--body-limit-s",
        type=float,
        default=default.body_limit_s,
        help="the longest body (default 45 minutes)",
    )
    add("--max-connections", type=int, default=default.max_connections, help="GetMedia bodies per stream")
    add("--calls-per-s", type=int, default=default.calls_per_s, help="calls per API and stream")
    add("--retention-s", type=float, default=default.retention_s, help="how long fragments are kept")
    add("--retention-bytes", type=int, default=default.retention_bytes, help="per stream")
    add("--total-retention-bytes", type=int, default=default.total_retention_bytes, help="all streams")
    add("--max-streams", type=int, default=default.max_streams, help="streams of the account")
    add("--reuse-after-s", type=float, default=default.reuse_after_s, help="rest between two contacts")
    return KvsOptions(**vars(parser.parse_args(arguments)))


async def run(options: KvsOptions) -> None:
    """Serve until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with serve(options) as kvs:
        ready = {"event": "kvs.ready", "port": kvs.port, "url": kvs.base_url, "delivery": options.delivery}
        print(json.dumps(ready), flush=True)
        await stop.wait()


def main() -> None:
    """Entry point."""
    with told_in_a_line(), contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run(options_from(sys.argv[1:])))


if __name__ == "__main__":
    main()

"""`python -m emulators.deepgram`: a Deepgram-compatible server on this machine."""

import argparse
import asyncio
import contextlib
import json
import signal
import ssl
from collections.abc import AsyncGenerator

import uvloop

from emulators.command_line import port, told_in_a_line
from emulators.deepgram.ears import CODEC_EARS, Ears
from emulators.deepgram.server import Options, serve


def main() -> None:
    """Run the server until SIGTERM or Ctrl-C."""
    arguments = _arguments()
    with told_in_a_line(), contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_run(arguments))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m emulators.deepgram",
        description="A server that speaks Deepgram's live streaming protocol, with embedded recognisers.",
        epilog='Prints {"event": "deepgram.ready", "port": N} once it listens. '
        "Admin API: GET /_emulator/connections; POST "
        "/_emulator/faults?kind=drop|close|stall|block|refuse|no_metadata&scope=next|every|one|all"
        "&after_s=…&code=…&status=…&tag=…&count=…; DELETE /_emulator/faults.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=port, default=0, help="port to listen on; 0 takes a free one (the default)"
    )
    parser.add_argument(
        "--recogniser",
        choices=("pocketsphinx", "codec"),
        default="pocketsphinx",
        help="pocketsphinx: real recognition with a demo vocabulary; codec: exact, for generated calls "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--workers", type=int, default=2, help="processes that recognise (default: %(default)s)"
    )
    parser.add_argument("--key", help="the one API key that is accepted (default: any)")
    parser.add_argument(
        "--max-connections", type=int, default=150, help="more are refused with 429 (default: %(default)s)"
    )
    parser.add_argument(
        "--enforce-pace", action="store_true", help="close what sends faster than 1.25 times real time"
    )
    parser.add_argument(
        "--interim-ms", type=int, default=500, help="audio between two interim results (default: %(default)s)"
    )
    parser.add_argument("--tls-cert", help="PEM file of the certificate chain; makes the server speak wss")
    parser.add_argument("--tls-key", help="PEM file of the certificate's key")
    arguments = parser.parse_args()
    if bool(arguments.tls_cert) != bool(arguments.tls_key):
        parser.error("--tls-cert and --tls-key go together")
    return arguments


async def _run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tls = None
    if arguments.tls_cert:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(arguments.tls_cert, arguments.tls_key)
    options = Options(
        key=arguments.key,
        max_connections=arguments.max_connections,
        enforce_pace=arguments.enforce_pace,
        interim_ms=arguments.interim_ms,
    )
    async with (
        _ears(arguments.recogniser, arguments.workers) as ears,
        serve(host=arguments.host, port=arguments.port, ears=ears, options=options, tls=tls) as emulator,
    ):
        print(json.dumps({"event": "deepgram.ready", "port": emulator.port}), flush=True)
        await stop.wait()


@contextlib.asynccontextmanager
async def _ears(recogniser: str, workers: int) -> AsyncGenerator[Ears]:
    if recogniser == "codec":
        yield CODEC_EARS
        return
    from emulators.deepgram.sphinx.pool import sphinx_ears  # noqa: PLC0415  the codec needs none of it

    async with sphinx_ears(workers=workers) as ears:
        yield ears


if __name__ == "__main__":
    main()

"""The command line of `make demo`: calls become words at a callback, on this machine alone."""

import argparse
import os
import shutil
import socket
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from demo.calls import plan
from demo.run import Options, run
from embedded.aws import without_proxy
from embedded.process import ProcessFailed
from embedded.system import LOOPBACK, Deepgram
from embedded.terraform import TerraformFailed
from emulators.connect.audio import UnreadableAudio

DEEPGRAM_API = "wss://api.deepgram.com/v1/listen"
FOLDER = Path(".demo")
REACH_S = 5
_PROXIES = {"http", "https", "socks", "all"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 all went well, 1 a call was not wholly transcribed, 2 bad input."""
    parser = argparse.ArgumentParser(prog="make demo", description="Plays calls through the whole system.")
    parser.add_argument("audio", type=Path, nargs="?", help="a call of your own: left customer, right agent")
    parser.add_argument("--terraform", action="store_true", help="make queues, bus and table by Terraform")
    chosen = parser.parse_args(arguments)
    console = Console()
    os.environ.update(without_proxy(LOOPBACK))
    try:
        options = Options(plan(chosen.audio), _fresh_folder(), _deepgram(), with_terraform=chosen.terraform)
        return run(options, console)
    except (UnreadableAudio, UnreachableDeepgram) as error:
        console.print(f"[bold red]{error}[/bold red]", highlight=False, soft_wrap=True)
        return 2
    except (ProcessFailed, TerraformFailed) as error:
        console.print(f"[bold red]{error}[/bold red]", highlight=False, soft_wrap=True)
        return 1


class UnreachableDeepgram(ValueError):
    """The Deepgram that the user chose; the message says what is wrong with it."""


def _deepgram() -> Deepgram | None:
    """The Deepgram of the environment, once it was reached; None: no key, so the embedded one.

    Raises:
        UnreachableDeepgram: nobody listens there, or the address is none.
    """
    key = os.environ.get("DEEPGRAM_API_KEY", "").strip()
    if not key:
        return None
    api = os.environ.get("DEEPGRAM_API", "").strip() or DEEPGRAM_API
    try:
        parts = urlsplit(api)
        if parts.scheme not in {"ws", "wss"} or not parts.hostname:
            raise UnreachableDeepgram(f"DEEPGRAM_API is {api}; it must be like {DEEPGRAM_API}")
        if not urllib.request.getproxies().keys() & _PROXIES:  # a proxy may know the way
            address = (parts.hostname, parts.port or (443 if parts.scheme == "wss" else 80))
            socket.create_connection(address, REACH_S).close()
    except OSError as error:
        raise UnreachableDeepgram(f"Deepgram cannot be reached at {api}: {error}") from error
    return Deepgram(api, key)


def _fresh_folder() -> Path:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    return FOLDER

"""The command line of `make demo`: calls become words at a callback, on this machine alone."""

import argparse
import fcntl
import os
import shutil
import socket
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from demo.calls import plan
from demo.run import Options, run
from demo.screen import console_of
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
    console = console_of()
    os.environ.update(without_proxy(LOOPBACK))
    try:
        planned, deepgram = plan(chosen.audio), _deepgram()
        with fresh_folder() as folder:
            return run(Options(planned, folder, deepgram, with_terraform=chosen.terraform), console)
    except (UnreadableAudio, UnreachableDeepgram, UnusableFolder) as error:
        console.print(str(error), style="bold red", soft_wrap=True)
        return 2
    except (ProcessFailed, TerraformFailed) as error:
        console.print(str(error), style="bold red", soft_wrap=True)
        return 1
    except ExceptionGroup as group:  # of the tasks of the call
        failed, others = group.split(ProcessFailed)
        if failed is None or others is not None:
            raise
        console.print(str(failed.exceptions[0]), style="bold red", soft_wrap=True)
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
    unusable = f"DEEPGRAM_API is {api}; it must be like {DEEPGRAM_API}"
    try:
        parts = urlsplit(api)
        port = parts.port or (443 if parts.scheme == "wss" else 80)
    except ValueError as error:
        raise UnreachableDeepgram(unusable) from error
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise UnreachableDeepgram(unusable)
    try:
        if not urllib.request.getproxies().keys() & _PROXIES:  # a proxy may know the way
            socket.create_connection((parts.hostname, port), REACH_S).close()
    except (OSError, UnicodeError) as error:  # the latter: of a name that no name server would take
        raise UnreachableDeepgram(f"Deepgram cannot be reached at {api}: {error}") from error
    return Deepgram(api, key)


class UnusableFolder(ValueError):
    """Where a run would leave what it saw; the message says what is wrong with it."""


@contextmanager
def fresh_folder() -> Generator[Path]:
    """The folder, empty and this run's alone.

    Raises:
        UnusableFolder: another run has it, or the system refuses it.
    """
    try:
        FOLDER.mkdir(exist_ok=True)
        opened = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise UnusableFolder(f"the folder {FOLDER} cannot be used: {error}") from error
    try:
        _empty(opened)
        yield FOLDER
    finally:
        os.close(opened)


def _empty(opened: int) -> None:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until this process ends, however it does
        for left in FOLDER.iterdir():
            shutil.rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()
    except BlockingIOError as error:
        busy = f"another demo runs here and writes to {FOLDER}: end it first, or use another clone"
        raise UnusableFolder(busy) from error
    except OSError as error:
        raise UnusableFolder(f"the folder {FOLDER} cannot be emptied: {error}") from error

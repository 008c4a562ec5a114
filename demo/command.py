"""The command line of `make demo`: calls become words at a callback, on this machine alone."""

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from demo.calls import plan
from demo.run import Options, run
from embedded.process import ProcessFailed
from embedded.system import Deepgram
from embedded.terraform import TerraformFailed
from emulators.connect.audio import UnreadableAudio

DEEPGRAM_API = "wss://api.deepgram.com/v1/listen"
FOLDER = Path(".demo")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 0 all went well, 1 a call was not wholly transcribed, 2 bad input."""
    parser = argparse.ArgumentParser(prog="make demo", description="Plays calls through the whole system.")
    parser.add_argument("audio", type=Path, nargs="?", help="a call of your own: left customer, right agent")
    parser.add_argument("--terraform", action="store_true", help="make queues, bus and table by Terraform")
    chosen = parser.parse_args(arguments)
    console = Console()
    try:
        options = Options(plan(chosen.audio), _fresh_folder(), _deepgram(), with_terraform=chosen.terraform)
        return run(options, console)
    except UnreadableAudio as error:
        console.print(f"[bold red]{error}[/bold red]", highlight=False)
        return 2
    except (ProcessFailed, TerraformFailed) as error:
        console.print(f"[bold red]{error}[/bold red]", highlight=False)
        return 1


def _deepgram() -> Deepgram | None:
    key = os.environ.get("DEEPGRAM_API_KEY", "").strip()
    return Deepgram(os.environ.get("DEEPGRAM_API", "").strip() or DEEPGRAM_API, key) if key else None


def _fresh_folder() -> Path:
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    return FOLDER

"""`python -m demo.containers`: plays the demo on the containers of docker-compose.yml.

The environment says where they are: `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_LAMBDA`, `KVS_URL`, `DEEPGRAM_URL`
(of the emulator's admin API), `CALLBACK_URL` (this process, as delivery sees it).
"""

import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from demo.calls import plan
from demo.run import Options, Surroundings, run_elsewhere
from demo.screen import console_of
from embedded.aws import AwsEndpoint
from embedded.elsewhere import endpoint, find
from embedded.process import Children
from embedded.resources import Resources
from embedded.system import Deepgram, System
from emulators.receiver.server import ReceiverOptions

PATIENCE_S = 180
_POLL_S = 1.0


def main() -> int:
    """Exit code: 0 all went well, 1 a call was not wholly transcribed, 3 a container did not come."""
    console = console_of(width=110)
    aws = endpoint()
    stack = find(aws)
    kvs_url, deepgram_url = os.environ["KVS_URL"], os.environ["DEEPGRAM_URL"]
    callback_url = os.environ["CALLBACK_URL"]
    for what, answers in {
        "embedded AWS": lambda: _has_stack(aws, stack),
        "Kinesis Video Streams": lambda: _answers(f"{kvs_url}/_emulator/health"),
        "Deepgram": lambda: _answers(f"{deepgram_url}/_emulator/connections"),
    }.items():
        if not _until(answers):
            console.print(f"{what} did not answer within {PATIENCE_S} s", style="bold red")
            return 3
    folder = Path(tempfile.mkdtemp())
    with Children(folder) as nobody:
        system = System(
            aws=aws,
            resources=stack,
            kvs_url=kvs_url,
            deepgram=Deepgram(deepgram_url, ""),
            deepgram_emulator_url=deepgram_url,
            relay_url=None,
            emulators=nobody,
            services=nobody,
            logs=folder / "logs",
        )
        surroundings = Surroundings(
            ReceiverOptions(host="0.0.0.0", port=urlsplit(callback_url).port or 80),  # noqa: S104 -- a container
            callback_url,
            os.environ["AWS_ENDPOINT_URL_LAMBDA"],
        )
        return run_elsewhere(Options(plan(None), folder, None), system, surroundings, console)


def _has_stack(aws: AwsEndpoint, stack: Resources) -> bool:
    """Whether the last part of the stack is there."""
    try:
        aws.dynamodb().describe_table(TableName=stack.table_name)
    except (BotoCoreError, ClientError):
        return False
    return True


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 -- http, an emulator
            return answer.status == 200
    except OSError:
        return False


def _until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


if __name__ == "__main__":
    sys.exit(main())

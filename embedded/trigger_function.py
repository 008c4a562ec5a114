"""The trigger as a Lambda function of the embedded AWS emulator.

MiniStack runs a Python function as a child process of its own interpreter: libraries come from the
environment that MiniStack itself is installed in, so the archive holds our code alone. Each concurrent
invocation takes a process of its own, kept warm, as on AWS. What the function prints is in the log group
`/aws/lambda/<name>`.
"""

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_lambda.client import LambdaClient

NAME = "connect-transcription-trigger"
CONTACT_EVENTS_NAME = "connect-transcription-contact-events"
"""The same code, as the target of a rule for Connect's contact events."""
HANDLER = "services.trigger.handler.handler"
CONTACT_EVENTS_HANDLER = "services.trigger.handler.contact_event"
TIMEOUT_S = 8
"""Connect waits no longer (Amazon Connect: "Invoke AWS Lambda functions")."""
CONCURRENCY = 4
"""Processes at most; further invocations are throttled with 429, which SDKs and Connect retry. A cold start
costs about a second of CPU, so that one process per concurrent call would be the slower way."""
_PACKAGES = ("contracts", "telemetry", "services/trigger")
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a ZIP entry can have."""


def build_zip(root: Path) -> bytes:
    """The function's archive, the same bytes for the same sources; `root` is the repository."""
    return pack(root, sources(root))


def pack(root: Path, files: Iterable[Path]) -> bytes:
    """An archive of `files` below `root`, the same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(root).as_posix(), _EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def create(
    client: "LambdaClient", name: str, code: bytes, environment: Mapping[str, str], handler: str = HANDLER
) -> str:
    """Makes the function and returns its ARN; it can be invoked from then on, the first time slowly.

    Args:
        client: Of the emulator.
        name: Name of the function.
        code: The archive.
        environment: The trigger's settings and `AWS_ENDPOINT_URL`; credentials and region are the runtime's.
        handler: The one for contact flows, or the one for contact events.
    """
    created = client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Handler=handler,
        Role="arn:aws:iam::000000000000:role/trigger",
        Code={"ZipFile": code},
        Environment={"Variables": dict(environment)},
        Timeout=TIMEOUT_S,
        MemorySize=512,
    )
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=CONCURRENCY)
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return created["FunctionArn"]


def warm(client: "LambdaClient", name: str, processes: int = 1) -> None:
    """Pays for cold starts now, with events that are refused: as many processes are warm afterwards.

    A flow waits 8 s at most, and a busy machine may need as long for a cold start.
    """
    with ThreadPoolExecutor(processes) as at_once:
        for _ in range(processes):
            at_once.submit(client.invoke, FunctionName=name, Payload=json.dumps({"Name": "warm"}))


def sources(root: Path) -> Iterator[Path]:
    """The trigger's own modules, in the repository at `root`."""
    yield root / "services" / "__init__.py"
    for package in _PACKAGES:
        yield from sorted((root / package).rglob("*.py"))

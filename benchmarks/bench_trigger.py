"""`make bench-trigger`: the trigger's cold start from its archive for Lambda, and nothing else importable."""

import io
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import override

from tests.unit.trigger.flow_events import flow_event
from tools.package import PLATFORMS, build, install_packages

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / ".tools" / "trigger"
RUNS = 15
PHASES = ("import", "first invocation", "warm invocation")
ACCEPTED = json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}).encode()
FORBIDDEN = ("aiobotocore", "av", "boto3", "pydantic_settings", "numpy")

type Figures = dict[str, dict[str, float]]


class _Aws(BaseHTTPRequestHandler):
    """DynamoDB and EventBridge in one: everything is accepted at once."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ACCEPTED)))
        self.end_headers()
        self.wfile.write(ACCEPTED)

    @override
    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextmanager
def _aws() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Aws)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()


def install() -> None:
    """Unpacks the archive of `make package`, for this machine's processor, at `PACKAGE`."""
    shutil.rmtree(PACKAGE, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder)
        install_packages(packages, PLATFORMS["arm64" if platform.machine() == "aarch64" else "x86_64"])
        with zipfile.ZipFile(io.BytesIO(build(packages, ROOT))) as archive:
            archive.extractall(PACKAGE)


def cold_start(url: str, bytecode: Path | None) -> Figures:
    """One run; `bytecode` is an empty folder for a start without any byte code."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-2",
        "AWS_DEFAULT_REGION": "eu-west-2",
        "SESSIONS_TABLE": "sessions",
        "EVENT_BUS_NAME": "bus",
    }
    prefix = ("-X", f"pycache_prefix={bytecode}") if bytecode else ()
    program = str(ROOT / "benchmarks" / "trigger_cold_start.py")
    interpreter = str(getattr(sys, "_base_executable", sys.executable))
    done = subprocess.run(
        (interpreter, "-I", "-S", *prefix, program, json.dumps(flow_event()), str(PACKAGE)),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stderr)


def report(title: str, runs: list[Figures]) -> None:
    """Medians of some runs, as rows of the table."""
    for phase in PHASES:
        wall, cpu = (statistics.median(run[phase][kind] for run in runs) for kind in ("wall", "cpu"))
        print(f"| {title}: {phase} | {wall:.0f} ms | {cpu:.0f} ms |", flush=True)
    total = [sum(run[phase]["cpu"] for phase in PHASES[:2]) for run in runs]
    wall = [sum(run[phase]["wall"] for phase in PHASES[:2]) for run in runs]
    print(
        f"| **{title}: cold start** | **{statistics.median(wall):.0f} ms** | "
        f"**{statistics.median(total):.0f} ms** |"
    )


def main() -> None:
    """Prints the table."""
    install()
    heavy = [name for name in FORBIDDEN if (PACKAGE / name).exists()]
    if heavy:
        sys.exit(f"the function's package holds {heavy}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; p50 of {RUNS} processes")
    print("\n| trigger | wall | CPU |\n|---|---|---|")
    with _aws() as url, tempfile.TemporaryDirectory() as empty:
        cold_start(url, None)
        report("with byte code", [cold_start(url, None) for _ in range(RUNS)])
        folders = [Path(empty) / str(number) for number in range(3)]
        report("without byte code", [cold_start(url, folder) for folder in folders])


if __name__ == "__main__":
    main()

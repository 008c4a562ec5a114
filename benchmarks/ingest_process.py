"""One ingest process under load: CPU, memory and added latency, printed as one JSON object.

`python -m benchmarks.ingest_process SESSIONS SECONDS`: everything of the service but SQS, between a feeder in
a process of its own and the same feeder's end of the link.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import uvloop
from pydantic import SecretStr

from benchmarks.ingest_feeder import CHUNK_MS, SECRET, STREAM, Times
from benchmarks.ingest_stages import request
from services.ingest.adapters.dial import tls_offers
from services.ingest.adapters.kinesis_video import KinesisVideo
from services.ingest.adapters.links import TranscribeLinks
from services.ingest.adapters.shared_media import SharedMedia
from services.ingest.lease import Request
from services.ingest.service import Ingest
from services.ingest.settings import Endpoint, Settings
from telemetry import log

WARM_UP_S = 12


class Queue:
    """All requests at once, and nothing after them."""

    def __init__(self, sessions: int) -> None:
        self._requests = [request(str(number), STREAM.format(number)) for number in range(sessions)]
        self._never = asyncio.Event()

    async def receive(self, room: int) -> list[Request]:
        """As `ports.Requests`."""
        if not self._requests:
            await self._never.wait()
        requests, self._requests = self._requests[:room], self._requests[room:]
        return requests

    async def extend(self, requests: Iterable[Request], visibility_s: int) -> None:
        """As `ports.Requests`."""

    async def delete(self, request: Request) -> None:
        """As `ports.Requests`."""

    async def put_back(self, request: Request, delay_s: int) -> None:
        """As `ports.Requests`."""


def memory_bytes() -> int:
    """Resident memory of this process alone: without files, such as the one that holds the times."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def scheduled_s(pid: int | str) -> tuple[float, float]:
    """Seconds that a process (its first thread) ran, and that it was ready to while others had the cores."""
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()
    return int(ran) / 1e9, int(waited) / 1e9


async def _measure(sessions: int, seconds: int, ports: tuple[int, int], times: Times, feeder: int) -> None:
    media_port, link_port = ports
    os.environ |= {
        "AWS_ENDPOINT_URL_KINESIS_VIDEO": f"http://127.0.0.1:{media_port}",
        "AWS_REGION": "eu-west-2",
        "AWS_DEFAULT_REGION": "eu-west-2",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
    }
    settings = Settings(
        session_requests_queue_url="none",
        transcribe_endpoints=(Endpoint("127.0.0.1", link_port),),
        link_secret=SecretStr(SECRET),
        max_sessions=sessions,
    )
    stop = asyncio.Event()
    async with KinesisVideo(read_timeout_s=10, max_bodies=sessions) as streams, asyncio.TaskGroup() as tasks:
        links = TranscribeLinks(settings.transcribe_endpoints, tls_offers(lambda: [SECRET]), "bench")
        ingest = Ingest(settings, SharedMedia(streams), Queue(sessions), links, settings.limits)
        tasks.create_task(ingest.run(stop))
        await asyncio.sleep(WARM_UP_S)
        before = scheduled_s("self"), scheduled_s(feeder)
        cpu, begun = time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        cpu, elapsed = time.process_time() - cpu, time.monotonic() - begun
        after = scheduled_s("self"), scheduled_s(feeder)
        memory = memory_bytes()
        stop.set()
    late_ms = sorted(times.late_ms(begun, begun + elapsed))
    result = {
        "sessions": sessions,
        "cpu_us": cpu * 1e6 / sessions / elapsed,
        "heard_s": len(late_ms) * CHUNK_MS / 1000 / sessions / elapsed,
        "memory_bytes": memory,
        "waited": (after[0][1] - before[0][1]) / elapsed,
        "feeder_ran": (after[1][0] - before[1][0]) / elapsed,
        "feeder_waited": (after[1][1] - before[1][1]) / elapsed,
        "p50_ms": statistics.median(late_ms),
        "p99_ms": late_ms[len(late_ms) * 99 // 100],
    }
    print(json.dumps(result))


def main(sessions: int, seconds: int) -> None:
    """Starts the feeder, and measures."""
    log.configure("ingest", "ERROR")
    call_s = WARM_UP_S + seconds + 10
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "times"
        times = Times(path, sessions, call_s)
        command = [sys.executable, "-m", "benchmarks.ingest_feeder", str(sessions), str(call_s), str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as feeder:
            assert feeder.stdout is not None  # noqa: S101  # for the type
            ports = json.loads(feeder.stdout.readline())
            try:
                uvloop.run(_measure(sessions, seconds, ports, times, feeder.pid))
            finally:
                feeder.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

"""`make bench-transcribe`: what a call costs in transcribe, as the table of docs/performance.md.

The process of a deployment, between one link that is fed in real time and a Deepgram and an AWS that stand in
(see `transcribe_deepgram`, `transcribe_store`), each a process of its own, all over TLS. CPU time and memory
are the operating system's account of the process. `python -m benchmarks.bench_transcribe 100 interims` runs
one case and prints it as JSON.
"""

import itertools
import json
import os
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.transcribe_feeder import SECRET
from embedded.process import Child, Children, Program

SESSIONS = (100, 500)
CASES: dict[str, tuple[tuple[str, str], ...]] = {
    "silence": (("silence", "true"),),
    "finals": (),
    "interims": (("interim_results", "true"),),
}
"""Deepgram parameters of the calls."""
WARM_UP_S = 9
"""Longer than two turns of the script: every call has had finals."""
WINDOWS, WINDOW_S = 3, 5
_EXTENSIONS = (
    "subjectAltName=IP:127.0.0.1",
    "basicConstraints=critical,CA:TRUE",
    "keyUsage=critical,digitalSignature,keyCertSign",
    "subjectKeyIdentifier=hash",
)
_CONFIG = "[req]\ndistinguished_name = name\n[name]\n"


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run."""

    cpu_us: tuple[float, ...]
    """Per second of call, by window."""
    memory_bytes: int
    """Resident."""
    backlog_bytes: float
    """Audio per session that no final covers yet."""
    heard: float
    """Audio that Deepgram had, of what was spoken: below 1 transcribe (or the machine) did not keep up."""
    results: float
    """Per second of call."""
    calls: dict[str, float]
    """AWS requests per second of call."""


class Bench:
    """Runs cases; its files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._certificate, self._key = folder / "certificate.pem", folder / "key.pem"
        self._authorities = folder / "authorities.pem"
        _make_certificate(folder, self._certificate, self._key)
        system = ssl.get_default_verify_paths().cafile
        known = Path(system).read_text(encoding="utf-8") if system and Path(system).exists() else ""
        self._authorities.write_text(known + self._certificate.read_text(encoding="ascii"), encoding="utf-8")
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=self._authorities)),
        )
        self._runs = itertools.count()

    def run(self, case: str, sessions: int) -> Figures:
        """Measures one case in processes of its own."""
        with self._world(case, sessions) as (transcribe, deepgram, store):
            time.sleep(WARM_UP_S)
            cpu_us: list[float] = []
            before, calls_before, began = self._figures(deepgram), self._figures(store), time.monotonic()
            memory, backlog = [0], [0.0]
            for _ in range(WINDOWS):
                cpu_s, heard_s = _cpu_s(transcribe.pid), self._figures(deepgram)["seconds"]
                time.sleep(WINDOW_S)
                transcribe.check()
                now = self._figures(deepgram)
                cpu_us.append((_cpu_s(transcribe.pid) - cpu_s) * 1e6 / (now["seconds"] - heard_s))
                memory.append(_memory_bytes(transcribe.pid))
                backlog.append(now["backlog_bytes"])
            after, calls, elapsed_s = self._figures(deepgram), self._figures(store), time.monotonic() - began
            transcribe.signal(signal.SIGKILL)
        if after["connections"] != sessions:
            raise RuntimeError(f"{after['connections']} connections for {sessions} sessions: some were lost")
        heard_s = after["seconds"] - before["seconds"]
        return Figures(
            tuple(cpu_us),
            memory[-1],
            statistics.mean(backlog[1:]),
            heard_s / elapsed_s / sessions,
            (after["results"] - before["results"]) / heard_s,
            {name: (n - calls_before["calls"].get(name, 0)) / heard_s for name, n in calls["calls"].items()},
        )

    @contextmanager
    def _world(self, case: str, sessions: int) -> Generator[tuple[Child, str, str]]:
        """Everything running and every call open; yields transcribe and the addresses of the other two."""
        pem = (str(self._certificate), str(self._key))
        with Children(self._folder / str(next(self._runs))) as children:
            deepgram = children.start(_program("deepgram", "benchmarks.transcribe_deepgram", *pem))
            parameters = json.dumps(CASES[case])
            store = children.start(_program("store", "benchmarks.transcribe_store", *pem, parameters))
            deepgram_at, store_at = (f"127.0.0.1:{child.ready()['port']}" for child in (deepgram, store))
            environment = _environment(deepgram_at, store_at, str(self._authorities), sessions)
            transcribe = children.start(
                Program("transcribe", (sys.executable, "-m", "services.transcribe"), environment)
            )
            port = str(transcribe.ready()["port"])
            feeder = children.start(_program("feeder", "benchmarks.transcribe_feeder", port, str(sessions)))
            feeder.ready()
            yield transcribe, deepgram_at, store_at

    def _figures(self, address: str) -> dict[str, Any]:
        with self._opener.open(f"https://{address}/figures", timeout=10) as answer:
            return json.load(answer)


def _program(name: str, module: str, *arguments: str) -> Program:
    return Program(name, (sys.executable, "-m", module, *arguments), {})


def _environment(deepgram: str, store: str, authorities: str, sessions: int) -> dict[str, str]:
    return {
        "DEEPGRAM_API": f"wss://{deepgram}/v1/listen",
        "DEEPGRAM_API_KEY": "bench",
        "SSL_CERT_FILE": authorities,
        "AWS_CA_BUNDLE": authorities,
        "AWS_ENDPOINT_URL": f"https://{store}",
        "AWS_REGION": "eu-west-2",
        "AWS_DEFAULT_REGION": "eu-west-2",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_SESSION_TOKEN": "bench" * 60,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "LINK_SECRET": SECRET,
        "LINK_HOST": "127.0.0.1",
        "LINK_PORT": "0",
        "MAX_SESSIONS": str(sessions),
        "SESSIONS_TABLE": "sessions",
        "EVENT_BUS_NAME": "bus",
        "TRANSCRIPTS_QUEUE_URL": f"https://{store}/1/transcripts.fifo",
        "SESSION_REQUESTS_QUEUE_URL": f"https://{store}/1/requests",
        "SESSION_REQUESTS_DLQ_URL": f"https://{store}/1/requests-dlq",
    }


def _make_certificate(folder: Path, certificate: Path, key: Path) -> None:
    config = folder / "request.cnf"
    config.write_text(_CONFIG, encoding="ascii")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
               "-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=bench",
               "-config", str(config)]  # fmt: skip
    for extension in _EXTENSIONS:
        command += ["-addext", extension]
    subprocess.run(command, check=True, capture_output=True, timeout=30)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _print_table(bench: Bench) -> None:
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before the runs", flush=True)
    alone = bench.run("interims", 1).memory_bytes
    print(
        "\n| calls | case | CPU us per second of call (least - most) | memory | per call beyond the first"
        " | of that, backlog | results/s | AWS requests/s | audio that kept up |\n" + "|---" * 9 + "|",
        flush=True,
    )
    for sessions, case in itertools.product(SESSIONS, CASES):
        run = bench.run(case, sessions)
        cpu = f"{statistics.median(run.cpu_us):.0f} ({min(run.cpu_us):.0f} - {max(run.cpu_us):.0f})"
        each = (run.memory_bytes - alone) / (sessions - 1)
        print(
            f"| {sessions} | {case} | {cpu} | {run.memory_bytes / 1e6:.0f} MB | {each / 1e3:.0f} kB"
            f" | {run.backlog_bytes / 1e3:.0f} kB | {run.results:.2f} | {sum(run.calls.values()):.2f}"
            f" | {run.heard:.1%} |",
            flush=True,
        )


def main(arguments: Sequence[str]) -> int:
    """All cases as a table in Markdown, or the one that is named."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        if arguments:
            print(json.dumps(asdict(bench.run(arguments[1], int(arguments[0])))))
        else:
            _print_table(bench)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

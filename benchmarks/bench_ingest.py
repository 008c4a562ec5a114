"""`make bench-ingest`: what a call costs in ingest, as the table of docs/performance.md.

`python -m benchmarks.bench_ingest [SESSIONS…]`: for these numbers of calls. Where other work shares the
machine, `chrt -f 10` before it keeps the cores for what is measured.
"""

import json
import os
import statistics
import subprocess
import sys
from typing import Any

SESSIONS = tuple(map(int, sys.argv[1:])) or (1, 100, 500)
ALONE = 1
"""Further calls' memory is counted from this one's."""
RUNS = 3
SECONDS = 10


def main() -> None:
    """Runs everything in processes of its own, one after the other, and prints the table."""
    load = os.getloadavg()[0]
    stages = {sessions: _json("ingest_stages", sessions) for sessions in SESSIONS}
    print(f"{os.cpu_count()} cores, load {load:.1f} before the runs")
    calls = " | ".join(f"{n} calls" for n in SESSIONS)
    print(f"\n| microseconds of CPU per second of a call | {calls} |")
    print("|---|" + "---|" * len(SESSIONS))
    for stage in stages[SESSIONS[0]]:
        print(f"| {stage} | " + " | ".join(f"{stages[n][stage]:.0f}" for n in SESSIONS) + " |", flush=True)
    runs = {n: [_json("ingest_process", n, SECONDS) for _ in range(RUNS)] for n in {ALONE, *SESSIONS}}

    def median(sessions: int, key: str) -> float:
        return statistics.median(run[key] for run in runs[sessions])

    alone = median(ALONE, "memory_bytes")
    cpu = (f"{median(n, 'cpu_us'):.0f}" for n in SESSIONS)
    print("| the whole process: GetMedia, path, link | " + " | ".join(cpu) + " |")
    print(f"\n| the process | {calls} |")
    print("|---|" + "---|" * len(SESSIONS))
    memory = (f"{median(n, 'memory_bytes') / 1e6:.0f} MB" for n in SESSIONS)
    print("| resident memory | " + " | ".join(memory) + " |")
    more = (f"{(median(n, 'memory_bytes') - alone) / max(1, n - ALONE) / 1e3:.0f} kB" for n in SESSIONS)
    print("| of that, per call beyond the first | " + " | ".join(more) + " |")
    for name, row in (
        ("waited", "ready to run, without a core"),
        ("feeder_ran", "the feeder's own CPU time"),
    ):
        shares = (f"{100 * median(n, name):.1f} %" for n in SESSIONS)
        print(f"| {row} | " + " | ".join(shares) + " |")
    for name in ("p50_ms", "p99_ms"):
        late = (f"{median(n, name):.1f} ms" for n in SESSIONS)
        print(f"| block in to chunk out, {name.removesuffix('_ms')} | " + " | ".join(late) + " |")


def _json(module: str, *arguments: int) -> dict[str, Any]:
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()

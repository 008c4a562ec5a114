"""`make chaos-sample`: the sample that is among the tests, again and again; says of each run how it went."""

import subprocess
import sys
import time

COMMAND = (sys.executable, "-m", "pytest", "-q", "-m", "", "tests/chaos/test_chaos.py")
DEFAULT_RUNS = 10


def main() -> int:
    """Exit code 0 when every run passed."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_RUNS
    failed = 0
    for number in range(1, runs + 1):
        begun_at = time.monotonic()
        done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
        verdict = "passed" if done.returncode == 0 else "FAILED"
        print(f"run {number}: {verdict} in {time.monotonic() - begun_at:.0f} s", flush=True)
        if done.returncode:
            failed += 1
            print(done.stdout, flush=True)
    print(f"{runs - failed} of {runs} runs passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""One cold start of the trigger in an interpreter of its own: prints milliseconds as JSON.

`python -I -S trigger_cold_start.py EVENT PATH`; the path is the unpacked archive. Nothing else is
importable.
"""

import json
import sys
import time

sys.path[:0] = sys.argv[2:]


class Context:
    """Lambda's."""

    aws_request_id = "r-1"


def _timed(began: tuple[float, float]) -> dict[str, float]:
    return {"wall": (time.perf_counter() - began[0]) * 1e3, "cpu": (time.process_time() - began[1]) * 1e3}


def main() -> None:
    """Imports the handler, invokes it twice."""
    began = time.perf_counter(), time.process_time()
    from services.trigger.handler import handler  # noqa: PLC0415 -- the import is what is measured

    figures = {"import": _timed(began)}
    event = json.loads(sys.argv[1])
    began = time.perf_counter(), time.process_time()
    first = handler(event, Context())
    figures["first invocation"] = _timed(began)
    began = time.perf_counter(), time.process_time()
    second = handler(event, Context())
    figures["warm invocation"] = _timed(began)
    if first["lambdaResult"] != "success" or second["lambdaResult"] != "success":
        sys.exit(f"the flow was refused: {first}")
    print(json.dumps(figures), file=sys.stderr)


if __name__ == "__main__":
    main()

"""`python -m telemetry.health [/live|/ready]`: asks the process beside; exit code 0: well.

Prints the answer. For health checks of containers, which have no other client. `HEALTH_PORT` is the port.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException

DEFAULT_PORT = 8081
TIMEOUT_S = 4


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Exit code: 0 when the answer is 200."""
    path = arguments[0] if arguments else "/live"
    host = environment.get("HEALTH_HOST", "")
    port = int(environment.get("HEALTH_PORT", str(DEFAULT_PORT)))
    connection = HTTPConnection(_reachable(host), port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        sys.stdout.write(answer.read(65_536).decode(errors="replace"))
    except (OSError, HTTPException) as error:
        sys.stdout.write(f"no answer: {type(error).__name__}\n")
        return 1
    finally:
        connection.close()
    return 0 if answer.status == 200 else 1


def _reachable(host: str) -> str:
    """An address to ask of a server that listens at `host`."""
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- not bound here


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

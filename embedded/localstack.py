"""LocalStack without Docker: a second emulator for SQS, EventBridge and Secrets Manager, for tests.

It has an environment of its own, which `make test-localstack` makes from requirements/localstack.txt. Version
4.14.0 is the last one that starts without a token. What it does otherwise than AWS is left to tests: rules
that are disabled deliver, a target's dead-letter queue is not used, and a short poll right after a visibility
time-out is empty, so that tests poll long.
"""

import os
import urllib.request
from pathlib import Path

from embedded.process import Child, Children, Program

VARIABLE = "EMBEDDED_LOCALSTACK"
"""Names the folder of LocalStack's virtual environment; set, it serves those three beside MiniStack."""
START_TIMEOUT_S = 60


def chosen() -> Path | None:
    """The environment to start it from, if it was asked for."""
    folder = os.environ.get(VARIABLE)
    return Path(folder).absolute() if folder else None


def start(children: Children, environment: Path, port: int) -> Child:
    """Starts it on loopback; call `wait` before use."""
    scratch = children.folder.absolute() / "localstack"
    scratch.mkdir(parents=True, exist_ok=True)
    settings = {
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_SERVER": "hypercorn",  # the default one ignores the host and listens everywhere
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "DNS_ADDRESS": "0",
        "FILESYSTEM_ROOT": str(scratch),
        "SERVICES": "sqs,events,secretsmanager",
        "EAGER_SERVICE_LOADING": "1",
        "PYTHONPATH": "",
    }
    command = (str(environment / "bin" / "python"), "-m", "localstack.runtime.main")
    return children.start(Program("localstack", command, settings))


def wait(child: Child, port: int) -> None:
    """Until it answers. Raises: ProcessFailed."""

    def healthy() -> bool | None:
        try:
            url = f"http://127.0.0.1:{port}/_localstack/health"
            with urllib.request.urlopen(url, timeout=1) as answer:
                return answer.status == 200 or None
        except OSError:
            return None

    child.wait_until(healthy, START_TIMEOUT_S)

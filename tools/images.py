"""`make images`, `make images-check`, `make push`: build the images, start each of them, push them to ECR.

Variables: `IMAGE_TAG` (default `dev`), `PLATFORM` (`linux/arm64`, `linux/amd64`; default: this machine's),
`BASE_IMAGE` (in place of Python's own), and for `push` `AWS_REGION`, `AWS_ACCOUNT_ID` and `PREFIX`.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager

from tools.containers import IMAGES, ROOT, SERVICES, Engine, EngineFailed, engine, run
from tools.locks import locked

NAME = "connect-transcription"
PATIENCE_S = 300 if os.environ.get("PLATFORM") else 30
"""Another processor is emulated, which takes its time."""
NOWHERE = "http://127.0.0.1:9"
"""An AWS that does not answer: services start and say so."""
UNWANTED: Mapping[str, Sequence[str]] = {
    "trigger": ("av", "aiobotocore", "websockets"),
    "transcribe": ("av",),
    "delivery": ("av",),
}
_LIST = (
    "import importlib.metadata as m, json;"
    "print(json.dumps({d.name: d.version for d in m.distributions(path=['/app/packages'])}))"
)


def tag() -> str:
    """Of the images."""
    return os.environ.get("IMAGE_TAG") or "dev"


def image(name: str) -> str:
    """Name with tag."""
    return f"{NAME}/{name}:{tag()}"


def build(chosen: Engine) -> None:
    """Builds the images; for a platform that is named those that are deployed, without the emulators."""
    platform = os.environ.get("PLATFORM") or None
    for name in IMAGES if platform is None else SERVICES:
        began_at = time.monotonic()
        chosen.build(image(name), IMAGES[name], platform)
        size = int(chosen.command("image", "inspect", image(name), "--format", "{{.Size}}"))
        print(f"{image(name)}: {size / 1e6:.0f} MB, {time.monotonic() - began_at:.0f} s", flush=True)


def check(chosen: Engine) -> None:
    """Looks into each service's image and starts it."""
    for name in SERVICES:
        print(f"{name}: {', '.join(_checked(chosen, name))}", flush=True)


def _checked(chosen: Engine, name: str) -> Iterator[str]:
    (described,) = json.loads(chosen.command("image", "inspect", image(name)))
    if described["Config"]["User"] != "10001:10001":
        raise EngineFailed(f"{name} does not run as 10001")
    yield "not root"
    health = described["Config"].get("Healthcheck") or described.get("Healthcheck")
    if not health:
        raise EngineFailed(f"{name} has no health check")
    yield f"{_packages(chosen, name)} packages, all of the lock"
    yield _served_trigger(chosen) if name == "trigger" else _served(chosen, name, health["Test"][1:])


def _packages(chosen: Engine, name: str) -> int:
    lock = "trigger-image" if name == "trigger" else name
    wanted = locked((ROOT / "requirements" / f"{lock}.txt").read_text())
    listing = chosen.command("run", "--rm", *_hardening(), "--entrypoint", "python", image(name), "-c", _LIST)
    found: dict[str, str] = json.loads(listing)
    for package, version in found.items():
        if str(wanted.get(package.lower().replace("_", "-").replace(".", "-"))) != version:
            raise EngineFailed(f"{name} has {package} {version}, the lock {wanted.get(package)}")
    for package in UNWANTED.get(name, ()):
        if package in found:
            raise EngineFailed(f"{name} has {package}, which it does not use")
    return len(found)


def _hardening() -> tuple[str, ...]:
    return ("--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")


@contextmanager
def _running(chosen: Engine, name: str, environment: Mapping[str, str]) -> Generator[str]:
    settings = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
    container = chosen.command("run", "--detach", *_hardening(), *settings, image(name)).strip()
    try:
        yield container
    finally:
        chosen.command("rm", "--force", container)


def _served(chosen: Engine, name: str, health: Sequence[str]) -> str:
    """Starts a service: ready, healthy, and gone with exit code 0 after SIGTERM."""
    with _running(chosen, name, _settings()) as container:
        _until(
            lambda: '.ready"' in _logs(container, chosen),
            f"{name} is ready",
            lambda: _logs(container, chosen),
        )
        chosen.command("exec", container, *health)
        chosen.command("stop", "--time", str(PATIENCE_S), container)
        code = chosen.command("inspect", container, "--format", "{{.State.ExitCode}}").strip()
        if code != "0":
            raise EngineFailed(f"{name} ended with {code}:\n{_logs(container, chosen)}")
    return "ready, healthy, ended by SIGTERM"


def _served_trigger(chosen: Engine) -> str:
    """Starts the function at Lambda's runtime API and invokes it with an event that it refuses."""
    port = _free_port()
    command = (sys.executable, "-m", "emulators.functions", "--port", str(port))
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, cwd=ROOT, stdout=log) as functions:
        try:
            _until(lambda: _listens(port), "Lambda's runtime API listens", lambda: "")
            settings = {**_settings(), "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"}
            with _running(chosen, "trigger", settings) as container:
                url = f"http://127.0.0.1:{port}/2015-03-31/functions/{NAME}-trigger/invocations"
                _until(lambda: _refuses(url), "the trigger answers", lambda: _logs(container, chosen))
        finally:
            functions.terminate()
    return "answers an invocation"


def _refuses(url: str) -> bool:
    request = urllib.request.Request(url, data=b'{"Name": "no contact flow"}', method="POST")  # noqa: S310 -- http
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- http, on this machine
            return json.load(answer).get("lambdaResult") == "fail"
    except OSError:
        return False


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _until(holds: Callable[[], bool], what: str, logs: Callable[[], str]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise EngineFailed(f"not within {PATIENCE_S} s: {what}\n{logs()}")
        time.sleep(0.2)


def _logs(container: str, chosen: Engine) -> str:
    return chosen.command("logs", container)


def _settings() -> dict[str, str]:
    """Enough for any service to start."""
    port = str(_free_port())
    queue = f"{NOWHERE}/000000000000/queue"
    return {
        "AWS_ENDPOINT_URL": NOWHERE,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "SESSION_REQUESTS_QUEUE_URL": queue,
        "SESSION_REQUESTS_DLQ_URL": queue,
        "TRANSCRIPTS_QUEUE_URL": queue,
        "TRANSCRIPTS_DLQ_URL": queue,
        "EVENT_BUS_NAME": "bus",
        "SESSIONS_TABLE": "table",
        "LINK_SECRET": "not-a-secret-0123456789-0123456789",
        "LINK_PORT": port,
        "HEALTH_PORT": str(_free_port()),
        "TRANSCRIBE_ENDPOINTS": f"127.0.0.1:{port}",
        "DEEPGRAM_API": "ws://127.0.0.1:9/v1/listen",
        "DEEPGRAM_API_KEY": "any-key-will-do",
    }


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return probe.getsockname()[1]


def push(chosen: Engine) -> None:
    """Logs in to the account's registry and pushes the services' images."""
    region, account = os.environ["AWS_REGION"], os.environ["AWS_ACCOUNT_ID"]
    registry = f"{account}.dkr.ecr.{region}.amazonaws.com"
    password = run(("aws", "ecr", "get-login-password", "--region", region))
    login = (chosen.name, "login", "--username", "AWS", "--password-stdin", registry)
    subprocess.run(login, input=password, text=True, check=True, stdout=subprocess.DEVNULL)
    for name in SERVICES:
        remote = f"{registry}/{os.environ.get('PREFIX') or NAME}/{name}:{tag()}"
        chosen.command("tag", image(name), remote)
        chosen.command("push", remote)
        print(remote, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Exit code: 1 when the engine fails, 2 when a variable is missing."""
    steps = {"build": build, "check": check, "push": push}
    try:
        chosen = engine()
        print(f"engine: {chosen.name}", flush=True)
        for step in arguments:
            steps[step](chosen)
    except EngineFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    except KeyError as missing:
        print(f"{missing} is not set", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make compose-check`: plays the demo on docker-compose.yml in its MiniStack variant, and ends it again.

With Docker Compose as it stands. With podman-compose (on the PATH, or named by `COMPOSE`) every container
gets this machine's network, since networks of their own need more rights than a build machine gives.
"""

import json
import os
import shutil
import subprocess
import sys

from tools.containers import ROOT, EngineFailed, engine
from tools.images import image

NAMES = (
    "aws",
    "stack",
    "kvs",
    "deepgram",
    "functions",
    "trigger",
    "ingest",
    "transcribe",
    "delivery",
    "demo",
)
PORTS = {"aws": 4566, "kvs": 4600, "deepgram": 4700, "demo": 4800, "functions": 4900, "transcribe": 8443}
HEALTH_PORTS = {"ingest": 8081, "transcribe": 8082, "delivery": 8083}
"""On one network they cannot share theirs."""
TIMEOUT_S = 400


def _host_network() -> str:
    """An override that puts every container on the machine's own network, under its name."""
    hosts = [f"{name}:127.0.0.1" for name in PORTS]
    services: dict[str, dict[str, object]] = {
        name: {"network_mode": "host", "extra_hosts": hosts} for name in NAMES
    }
    for name, port in HEALTH_PORTS.items():
        services[name]["environment"] = {"HEALTH_PORT": str(port)}
    path = ROOT / ".build" / "compose-host.yml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"services": services}))
    return str(path)


def _compose() -> tuple[str, ...]:
    if engine().name == "docker":
        return ("docker", "compose")
    program = os.environ.get("COMPOSE") or shutil.which("podman-compose")
    if not program:
        raise EngineFailed("podman-compose is not on the PATH, and COMPOSE does not name it")
    return (program, "--file", "docker-compose.yml", "--file", _host_network())


def main() -> int:
    """The demo's exit code: 0 when both sides of every call arrived."""
    try:
        return _play(_compose())
    except EngineFailed as failed:
        print(failed, file=sys.stderr)
        return 1


def _play(compose: tuple[str, ...]) -> int:
    environment = {**os.environ, "AWS_IMAGE": image("emulators")}
    is_docker = compose[0] == "docker"
    demo = "connect-transcription-demo-1" if is_docker else "connect-transcription_demo_1"

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, env=environment, timeout=TIMEOUT_S, check=False, text=True, capture_output=True
        )

    try:
        up = run(*compose, "up", "--detach")
        if up.returncode != 0:
            raise EngineFailed(up.stdout + up.stderr)
        engine_name = "docker" if is_docker else "podman"
        code = run(engine_name, "wait", demo).stdout.strip()
        told = run(engine_name, "logs", demo)
        print(told.stdout, flush=True)
        if code != "0":
            print(told.stderr, file=sys.stderr)
            services = ("stack", "trigger", "ingest", "transcribe", "delivery")
            print(run(*compose, "logs", *services).stdout[-8_000:], file=sys.stderr)
        return int(code or 1)
    finally:
        run(*compose, "down", "--timeout", "10")


if __name__ == "__main__":
    sys.exit(main())

"""What ingest and delivery say of themselves, as processes, and the command that asks them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from embedded import resources
from embedded.aws import AwsEndpoint, embedded_aws
from embedded.process import Child, Children, Program
from embedded.resources import Resources

LINK = {"LINK_SECRET": "a-secret-of-at-least-thirty-two-characters", "TRANSCRIBE_ENDPOINTS": "127.0.0.1:9"}


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsEndpoint]:
    with embedded_aws(tmp_path_factory.mktemp("aws")) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def stack(aws: AwsEndpoint) -> Resources:
    return resources.create(aws, "health")


def start(children: Children, name: str, environment: Mapping[str, str]) -> Child:
    return children.start(Program(name, (sys.executable, "-m", f"services.{name}"), environment))


def asked(child: Child, path: str) -> tuple[int, list[str]]:
    """Exit code of the command, and the reasons that it printed."""
    port = child.wait_until(lambda: port_of(child))
    answer = subprocess.run(
        (sys.executable, "-m", "telemetry.health", path),
        env={"HEALTH_PORT": str(port)},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.returncode, json.loads(answer.stdout)["reasons"]


def port_of(child: Child) -> int | None:
    for line in child.log.read_text().splitlines():
        if '"health.listening"' in line:
            return json.loads(line)["port"]
    return None


def until_said(child: Child, said: str) -> tuple[int, list[str]]:
    def answer() -> tuple[int, list[str]] | None:
        code, reasons = asked(child, "/ready")
        return (code, reasons) if any(reason.startswith(said) for reason in reasons) else None

    return child.wait_until(answer)


def test_an_ingest_that_finds_no_transcribe_is_alive_and_not_ready(
    aws: AwsEndpoint, stack: Resources, tmp_path: Path
) -> None:
    with Children(tmp_path) as children:
        child = start(children, "ingest", {**aws.environment, **stack.environment, **LINK})
        assert until_said(child, "no transcribe") == (1, ["no transcribe peer answers"])
        assert asked(child, "/live") == (0, [])


def test_a_delivery_is_ready_when_queue_and_table_answer(
    aws: AwsEndpoint, stack: Resources, tmp_path: Path
) -> None:
    with Children(tmp_path) as children:
        child = start(children, "delivery", {**aws.environment, **stack.environment})
        child.ready()
        assert asked(child, "/ready") == (0, [])


@pytest.mark.parametrize(
    ("setting", "said"), [("SESSIONS_TABLE", "table not found"), ("TRANSCRIPTS_QUEUE_URL", "queue not found")]
)
def test_a_delivery_says_what_it_does_not_find(
    aws: AwsEndpoint, stack: Resources, tmp_path: Path, setting: str, said: str
) -> None:
    wrong = {**stack.environment, setting: stack.environment[setting].replace("health", "elsewhere")}
    with Children(tmp_path) as children:
        child = start(children, "delivery", {**aws.environment, **wrong})
        code, reasons = until_said(child, said)
        assert (code, len(reasons)) == (1, 1)
        assert asked(child, "/live") == (0, [])

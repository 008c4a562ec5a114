"""How the servers' command lines refuse what cannot be."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

SERVERS = ("kvs", "deepgram", "receiver", "functions")


@pytest.fixture
def taken() -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


def refusal(name: str, *arguments: str) -> str:
    command = (sys.executable, "-m", f"emulators.{name}", *arguments)
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    return ended.stderr


@pytest.mark.parametrize("name", SERVERS)
def test_a_taken_port_is_told_in_one_line(name: str, taken: int) -> None:
    said = refusal(name, "--port", str(taken))
    assert said.count("\n") == 1
    assert str(taken) in said
    assert "address already in use" in said


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("port", ["99999", "-1", "http"])
def test_a_port_that_is_none_is_refused(name: str, port: str) -> None:
    assert f"{port} is not a port" in refusal(name, f"--port={port}")


def test_a_relay_to_a_port_that_is_none_is_refused() -> None:
    assert "99999 is not a port" in refusal("relay", "--relay=aws=127.0.0.1:99999")

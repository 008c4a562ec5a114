"""What a process says of itself, and how it is asked."""

import asyncio
import json
import socket
from contextlib import closing

import pytest

from telemetry.health import BEATS, HUNG_S, LATE_S, Health, why
from telemetry.health.__main__ import main
from telemetry.health.server import MAX_HEAD_BYTES, listening

HOST = "127.0.0.1"


class Clock:
    def __init__(self) -> None:
        self.s = 1_000.0

    def __call__(self) -> float:
        return self.s


class Refused(Exception):
    """As botocore's: it has AWS's answer."""

    def __init__(self, code: str) -> None:
        super().__init__("a message with a secret")
        self.response = {"Error": {"Code": code, "Message": "a secret"}}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(steady=clock, wall=lambda: 1_700_000_000 + clock.s)


def test_a_process_of_which_nothing_is_known_lives_and_is_ready(health: Health) -> None:
    assert (health.not_live(), health.not_ready()) == ([], [])


def test_a_full_process_is_not_ready_but_lives(health: Health) -> None:
    full = ["full: 100 of 100 sessions"]
    health.ready_unless(lambda: full[0] if full else None)
    assert (health.not_live(), health.not_ready()) == ([], ["full: 100 of 100 sessions"])
    full.clear()
    assert health.not_ready() == []


def test_a_peer_that_fails_is_named_with_the_moment_of_its_first_failure(
    health: Health, clock: Clock
) -> None:
    health.failing("queue", "unreachable")
    clock.s += 60
    health.failing("queue", "refuses access")
    assert health.not_ready() == ["queue refuses access since 2023-11-14T22:30:00Z"]
    assert health.not_live() == []
    health.works("queue")
    assert health.not_ready() == []


def test_a_loop_that_hangs_is_not_live_until_it_goes_round_again(health: Health, clock: Clock) -> None:
    health.goes_round("receiving")
    clock.s += HUNG_S
    assert health.not_live() == []
    clock.s += 1
    assert health.not_live() == ["receiving hangs: it did nothing for 181 s"]
    assert health.not_ready() == health.not_live()
    health.goes_round("receiving")
    assert health.not_live() == []


def test_a_loop_that_ended_as_it_should_does_not_hang(health: Health, clock: Clock) -> None:
    health.goes_round("receiving")
    health.over("receiving")
    clock.s += 10 * HUNG_S
    assert health.not_live() == []


def test_only_an_event_loop_that_is_late_time_after_time_is_not_live(health: Health) -> None:
    for _ in range(BEATS - 1):
        health.late(LATE_S + 1)
    health.late(0.0)  # a process that was frozen for a while lives
    assert health.not_live() == []
    for _ in range(BEATS):
        health.late(LATE_S + 1)
    assert health.not_live() == ["the event loop is late by 1.5 s and more"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ResourceNotFoundException", "not found"),
        ("AWS.SimpleQueueService.NonExistentQueue", "not found"),
        ("AccessDeniedException", "refuses access"),
        ("InternalError", "answers InternalError"),
    ],
)
def test_an_answer_of_aws_is_told_by_its_code_and_without_its_message(code: str, said: str) -> None:
    ours = RuntimeError("ours")
    ours.__cause__ = Refused(code)
    assert why(ours) == said


def test_no_answer_is_unreachable() -> None:
    assert why(OSError("connection refused to a secret")) == "unreachable"


async def ask(port: int, path: str) -> tuple[int, dict[str, object]]:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), json.loads(body)


async def test_the_endpoints_answer_200_or_503_with_the_reasons(health: Health) -> None:
    async with listening(health, HOST, 0) as port:
        assert await ask(port, "/live") == (200, {"ok": True, "reasons": []})
        health.ready_unless(lambda: "draining")
        assert await ask(port, "/live") == (200, {"ok": True, "reasons": []})
        assert await ask(port, "/ready?verbose") == (503, {"ok": False, "reasons": ["draining"]})
        assert (await ask(port, "/metrics"))[0] == 404


@pytest.mark.parametrize(
    "request_", [b"", b"GET /live", b"x" * 2 * MAX_HEAD_BYTES, b"\r\n\r\n", b"POST /live HTTP/1.1\r\n\r\n"]
)
async def test_whoever_speaks_no_http_does_no_harm(health: Health, request_: bytes) -> None:
    async with listening(health, HOST, 0) as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(request_)
        writer.write_eof()
        answer = await reader.read()
        assert not answer or answer.startswith(b"HTTP/1.1 405 ")
        writer.close()
        assert (await ask(port, "/live"))[0] == 200


async def test_a_port_that_is_taken_is_an_error_and_not_silence(health: Health) -> None:
    async with listening(health, HOST, 0) as port:
        with pytest.raises(OSError, match=str(port)):
            async with listening(health, HOST, port):
                raise AssertionError


async def test_the_command_tells_by_its_exit_code_how_the_process_is(
    health: Health, capsys: pytest.CaptureFixture[str]
) -> None:
    async with listening(health, HOST, 0) as port:
        environment = {"HEALTH_PORT": str(port), "HEALTH_HOST": "0.0.0.0"}  # noqa: S104 -- what a container has
        assert await asyncio.to_thread(main, [], environment) == 0
        health.ready_unless(lambda: "full: 1 of 1 sessions")
        assert await asyncio.to_thread(main, ["/live"], environment) == 0
        assert await asyncio.to_thread(main, ["/ready"], environment) == 1
    assert "full: 1 of 1 sessions" in capsys.readouterr().out


def test_the_command_fails_where_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(socket.create_server((HOST, 0))) as probe:
        port = probe.getsockname()[1]
    assert main([], {"HEALTH_PORT": str(port)}) == 1
    assert "no answer" in capsys.readouterr().out

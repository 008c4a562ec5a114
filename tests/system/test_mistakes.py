"""What is wrong is said where it can be seen, and nothing hangs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from embedded.system import Configuration, System, running
from emulators.connect.audio import PcmSource
from emulators.connect.call import Call
from emulators.connect.event import Mistake
from emulators.connect.functions import LambdaFunction
from emulators.deepgram.script import encode_call
from tests.system.run import Gathered, play, trigger_of

SECONDS = 2
pytestmark = pytest.mark.timeout(90)


async def one_call(
    system: System,
    trigger: LambdaFunction,
    mistake: Mistake | None = None,
    attributes: Mapping[str, str] | None = None,
) -> tuple[Mapping[str, str], str, Gathered]:
    """Plays a short call; the flow's answer, the contact and what was gathered."""
    pcm = encode_call(77, SECONDS).samples.astype("<i2").tobytes()

    def calls(callback: str) -> list[Call]:
        chosen = {"dg_callback": callback, **(attributes or {})}
        return [Call(source=PcmSource(pcm), attributes=chosen, mistake=mistake)]

    gathered = await play(system, trigger, calls)
    (played,) = gathered.played
    return played.answers[0].external, played.started.contact_id, gathered


@pytest.mark.parametrize(
    ("mistake", "reason"),
    [
        (Mistake.NO_MEDIA_STREAMS, "no_media_stream"),
        (Mistake.MALFORMED_STREAM, "malformed_media_stream"),
    ],
)
async def test_a_flow_without_usable_media_stream_is_told_so(
    system: System, trigger: LambdaFunction, mistake: Mistake, reason: str
) -> None:
    answer, contact_id, gathered = await one_call(system, trigger, mistake)
    assert (answer["lambdaResult"], answer["reason"]) == ("fail", reason)
    assert answer["message"].endswith(".")
    assert gathered.requests[contact_id] == []


async def test_a_forbidden_parameter_is_named_to_the_flow(system: System, trigger: LambdaFunction) -> None:
    answer, _, _ = await one_call(system, trigger, attributes={"dg_encoding": "mulaw"})
    assert (answer["lambdaResult"], answer["reason"]) == ("fail", "forbidden_parameter")
    assert "dg_encoding" in answer["message"]


async def test_an_event_that_is_none_of_connects_is_refused(trigger: LambdaFunction) -> None:
    answer = await trigger({"Name": "SomethingElse"})
    assert answer.external["lambdaResult"] == "fail"
    assert answer.external["reason"] == "not_a_contact_flow_event"


async def test_a_stream_that_does_not_exist_fails_the_session_with_its_reason(
    system: System, trigger: LambdaFunction
) -> None:
    answer, contact_id, gathered = await one_call(system, trigger, Mistake.UNKNOWN_STREAM)
    assert answer["lambdaResult"] == "success"
    failed = gathered.event(contact_id, "Session Failed")
    assert failed is not None
    assert failed["session_id"] == answer["sessionId"]
    assert failed["reason"] == "stream_not_found"
    assert gathered.requests[contact_id] == []


async def test_a_request_that_cannot_be_read_is_logged_and_does_not_stop_the_others(
    system: System, trigger: LambdaFunction
) -> None:
    queue = system.resources.session_requests_url
    sent = system.aws.sqs().send_message(
        QueueUrl=queue, MessageBody='{"detail-type": "Unknown", "detail": {}}'
    )
    answer, contact_id, gathered = await one_call(system, trigger)
    assert answer["lambdaResult"] == "success"
    assert gathered.event(contact_id, "Session Ended") is not None
    logged = [
        line for line in log_lines(system.logs / "ingest.log") if line.get("message_id") == sent["MessageId"]
    ]
    assert logged
    assert logged[0]["level"] in {"warning", "error"}


async def test_a_key_that_deepgram_refuses_fails_the_session_with_deepgrams_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"transcribe": {"DEEPGRAM_API_KEY": "wrong"}}
    with running(Configuration(folder=tmp_path, settings=settings)) as system:
        async with trigger_of(system, monkeypatch) as trigger:
            answer, contact_id, gathered = await one_call(system, trigger)
    assert answer["lambdaResult"] == "success"
    failed = gathered.event(contact_id, "Session Failed")
    assert failed is not None
    assert failed["reason"] == "deepgram_rejected"
    assert "401" in failed["explanation"]
    logged = [
        line
        for line in log_lines(tmp_path / "logs" / "transcribe.log")
        if line.get("reason") == failed["reason"]
    ]
    assert logged
    assert "wrong" not in (tmp_path / "logs" / "transcribe.log").read_text()


def log_lines(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text().splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]

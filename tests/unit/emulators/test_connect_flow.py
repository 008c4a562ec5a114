import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulators.connect.event import Answer
from emulators.connect.flow import Flow, MalformedFlow, read_flow
from emulators.connect.flow_run import FlowRun, Invoke, Listen, Reply, Said, Stream

FLOWS = Path(__file__).parents[3] / "contact-flows"
TRANSCRIBE = (FLOWS / "transcribe-call.json").read_text()
SUCCESS = Answer("success", {"lambdaResult": "success", "sessionId": "s"})
REFUSED = Answer("success", {"lambdaResult": "fail", "reason": "no_media_stream", "message": "Do this."})
BROKEN = Answer("error", error="timeout")


def flow(name: str) -> Flow:
    return read_flow((FLOWS / f"{name}.json").read_text())


def run(of: Flow, *answers: Answer, digits: bool = True) -> tuple[FlowRun, list[object]]:
    """Runs a flow; the last answer is given again and again."""
    done = FlowRun(of, {})
    steps, performed, left = done.steps(), list[object](), list(answers)
    reply: Reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration:
            return done, performed
        performed.append(step)
        match step:
            case Invoke():
                reply = left.pop(0) if len(left) > 1 else left[0]
            case Listen():
                reply = digits
            case _:
                reply = None


@pytest.mark.parametrize("path", sorted(FLOWS.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_flow_is_one_that_connect_imports(path: Path) -> None:
    assert read_flow(path.read_text()).actions


def test_there_are_the_three_sample_flows() -> None:
    assert {path.stem for path in FLOWS.glob("*.json")} == {"transcribe-call", "load-test", "pause-for-card"}


def actions(document: dict[str, Any]) -> dict[str, Any]:
    return {action["Identifier"]: action for action in document["Actions"]}


def no_action(document: dict[str, Any]) -> None:
    actions(document)["is-transcribed"]["Transitions"]["NextAction"] = "nowhere"


def no_error_branch(document: dict[str, Any]) -> None:
    actions(document)["start-transcription"]["Transitions"]["Errors"] = []


def no_parameter(document: dict[str, Any]) -> None:
    del actions(document)["start-transcription"]["Parameters"]["InvocationTimeLimitSeconds"]


def unknown_type(document: dict[str, Any]) -> None:
    actions(document)["hang-up"]["Type"] = "HangUp"


def twice(document: dict[str, Any]) -> None:
    document["Actions"].append(copy.deepcopy(document["Actions"][0]))


def no_place(document: dict[str, Any]) -> None:
    del document["Metadata"]["ActionMetadata"]["listen"]


def unreachable(document: dict[str, Any]) -> None:
    document["StartAction"] = "listen"


def no_start(document: dict[str, Any]) -> None:
    document["StartAction"] = "nowhere"


def another_version(document: dict[str, Any]) -> None:
    document["Version"] = "2030-01-01"


def half_a_loop(document: dict[str, Any]) -> None:
    del actions(document)["listen"]["Transitions"]["Conditions"][1]


def nothing_said(document: dict[str, Any]) -> None:
    actions(document)["say-refused"]["Parameters"] = {}


def dead_end(document: dict[str, Any]) -> None:
    actions(document)["say-refused"]["Transitions"] = {}


def a_name_too_long(document: dict[str, Any]) -> None:
    actions(document)["hang-up"]["Identifier"] = "x" * 51


@pytest.mark.parametrize(
    ("damage", "fault"),
    [
        (no_action, "leads to nowhere"),
        (no_error_branch, "start-transcription: no branch for NoMatchingError"),
        (no_parameter, "no parameter InvocationTimeLimitSeconds"),
        (unknown_type, "HangUp is no type"),
        (twice, "one identifier"),
        (no_place, "listen: an action without a place"),
        (unreachable, "no way leads to"),
        (no_start, "StartAction names no action"),
        (another_version, "the version is not"),
        (half_a_loop, "two branches"),
        (nothing_said, "says nothing"),
        (dead_end, "do not go together"),
        (a_name_too_long, "1 to 50 characters"),
    ],
)
def test_a_flow_that_connect_would_not_import_is_told_why(
    damage: Callable[[dict[str, Any]], None], fault: str
) -> None:
    document = json.loads(TRANSCRIBE)
    damage(document)
    with pytest.raises(MalformedFlow, match=fault):
        read_flow(json.dumps(document))


def test_a_transcribed_call_is_told_so_and_listened_to() -> None:
    done, steps = run(flow("transcribe-call"), SUCCESS)
    assert Stream(("From", "To")) in steps
    assert Invoke({"action": "start"}) in steps
    assert Said("This call is being transcribed. Please speak.") in steps
    assert done.path.count("listen-ten-seconds") == 60
    assert done.path[-1] == "hang-up"
    assert done.attributes["dg_model"] == "nova-3"


def test_a_refused_call_hears_the_reason() -> None:
    done, steps = run(flow("transcribe-call"), REFUSED)
    assert Said("This call is not transcribed. Reason: no_media_stream. Do this.") in steps
    assert "say-transcribed" not in done.path


def test_a_function_that_fails_is_told_as_well() -> None:
    done, _ = run(flow("transcribe-call"), BROKEN)
    assert "say-flow-error" in done.path
    assert "is-transcribed" not in done.path


def test_the_load_test_asks_for_ninety_sessions_and_counts_on_when_one_fails() -> None:
    done, steps = run(flow("load-test"), SUCCESS, SUCCESS, BROKEN, SUCCESS)
    assert sum(isinstance(step, Invoke) for step in steps) == 90
    assert done.attributes["dg_callback"] == "UNSET"
    assert done.attributes["dgintegrator_enforcerealtime"] == "true"
    assert done.path.count("count-on") == 1


def test_a_card_is_taken_only_when_the_pause_is_certain() -> None:
    done, steps = run(flow("pause-for-card"), SUCCESS)
    assert [step for step in steps if isinstance(step, Invoke)] == [
        Invoke({"action": "pause"}),
        Invoke({"action": "resume"}),
    ]
    assert "take-card" in done.path
    for uncertain in (REFUSED, BROKEN):
        done, steps = run(flow("pause-for-card"), uncertain)
        assert "take-card" not in done.path
        assert done.path[-3:] == ["resume-uncertain", "say-no-card", "go-on"]
        assert Invoke({"action": "resume"}) in steps


def test_the_transcription_is_resumed_when_no_card_comes() -> None:
    done, _ = run(flow("pause-for-card"), SUCCESS, digits=False)
    assert "say-resumed" in done.path


def test_a_flow_that_goes_round_for_ever_is_ended() -> None:
    document = json.loads(TRANSCRIBE)
    actions(document)["say-refused"]["Transitions"]["NextAction"] = "start-transcription"
    with pytest.raises(MalformedFlow, match="more than"):
        run(read_flow(json.dumps(document)), REFUSED)

"""What contact flows and Connect ask of running sessions: card data is never heard, ends are noticed."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from contracts.intents import ContactIntents
from contracts.model import ContactId
from contracts.session import intents_key
from embedded import trigger_function
from embedded.system import Configuration, Deepgram, System, running
from emulators.connect.audio import PcmSource
from emulators.connect.blocks import Cut
from emulators.connect.call import Call
from emulators.connect.event import Answer
from emulators.connect.flow import Flow, read_flow
from emulators.connect.flow_player import Caller
from emulators.connect.functions import LambdaFunction, RuleTarget, lambda_client
from emulators.deepgram.script import CallScript, ScriptWord, encode_call
from emulators.deepgram.server import DeepgramEmulator, Options, serve
from emulators.deepgram.verdict import judge, received_words
from tests.system.run import Gathered, play, trigger_of

FLOWS = Path(__file__).parents[2] / "contact-flows"
KEY = "key-of-the-emulated-deepgram"
BLOCK_SAMPLES = 512
GUARD_MS = 2_000
pytestmark = pytest.mark.timeout(170)


@pytest.fixture
async def deepgram() -> AsyncIterator[DeepgramEmulator]:
    async with serve(options=Options(key=KEY, keep_messages=True)) as emulator:
        yield emulator


@pytest.fixture
async def commanded(tmp_path: Path, deepgram: DeepgramEmulator) -> AsyncGenerator[System]:
    """A system with its ordinary limits, whose Deepgram is this process's: all it hears is known."""
    api = Deepgram(deepgram.url, KEY)
    context = running(Configuration(folder=tmp_path, deepgram=api))
    system = await asyncio.to_thread(context.__enter__)
    try:
        yield system
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


@pytest.fixture
async def function(commanded: System, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[LambdaFunction]:
    async with trigger_of(commanded, monkeypatch) as opened:
        yield opened


@dataclass
class Watched:
    """The trigger; tells when it has answered which action."""

    inner: LambdaFunction
    answered: list[tuple[str, Answer, int]] = field(default_factory=list[tuple[str, Answer, int]])
    """Action, answer, and the epoch ms of the answer."""
    event: Mapping[str, object] = field(default_factory=dict[str, object])
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __call__(self, event: Mapping[str, object]) -> Answer:
        answer = await self.inner(event)
        action = parameters_of(event).get("action", "start")
        async with self.changed:
            self.event = event
            self.answered.append((action, answer, time.time_ns() // 1_000_000))
            self.changed.notify_all()
        return answer

    async def until(self, action: str) -> tuple[Answer, int]:
        async with asyncio.timeout(60), self.changed:
            await self.changed.wait_for(lambda: any(a == action for a, _, _ in self.answered))
        return next((answer, at_ms) for a, answer, at_ms in self.answered if a == action)


def parameters_of(event: Mapping[str, Any]) -> dict[str, str]:
    return event["Details"]["Parameters"]


def flow(name: str) -> Flow:
    return read_flow((FLOWS / f"{name}.json").read_text())


def transcribe_to(callback: str) -> Flow:
    document = json.loads((FLOWS / "transcribe-call.json").read_text())
    for action in document["Actions"]:
        if action["Type"] == "UpdateContactAttributes":
            action["Parameters"]["Attributes"]["dg_callback"] = callback
    return read_flow(json.dumps(document))


def source(script: CallScript, seconds: float | None = None) -> PcmSource:
    """The call, which then ends in silence; or cut off after some seconds."""
    pcm = script.samples.astype("<i2").tobytes()
    return PcmSource(pcm + bytes(8_000 * 4) if seconds is None else pcm[: int(seconds * 8_000) * 4])


def intents(system: System, contact_id: str) -> ContactIntents:
    key = intents_key(ContactId(contact_id))
    answer = system.aws.dynamodb().get_item(
        TableName=system.resources.table_name, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}}
    )
    return ContactIntents.model_validate_json(answer["Item"]["body"]["S"])  # pyright: ignore[reportTypedDictNotRequiredAccess]


def recognised(deepgram: DeepgramEmulator) -> set[str]:
    """Every word that reached Deepgram whole on any connection, in a final or an interim result."""
    words: set[str] = set()
    for observation in deepgram.observations:
        for sent in observation.sent:
            if sent.type == "Results" and sent.message is not None:
                words |= {word["word"] for word in sent.message["channel"]["alternatives"][0]["words"]}
    return words


@pytest.mark.parametrize(
    "killed",
    [False, pytest.param(True, marks=pytest.mark.slow)],
    ids=["undisturbed", "transcribe-is-killed-in-mid-pause"],
)
async def test_what_is_said_in_a_pause_never_reaches_deepgram_and_all_the_rest_is_transcribed(
    commanded: System, function: LambdaFunction, deepgram: DeepgramEmulator, *, killed: bool
) -> None:
    script = encode_call(91 + killed, 40)
    watched = Watched(function)

    def calls(callback: str) -> list[Call]:
        flows = (transcribe_to(callback), flow("pause-for-card"))
        return [Call(source=source(script), flows=flows, between_flows_s=5, caller=Caller(input_s=10))]

    async def kill() -> None:
        paused, _ = await watched.until("pause")
        assert paused.external["lambdaResult"] == "success", paused
        if killed:
            victim = commanded.services["transcribe"]
            victim.signal(signal.SIGKILL)
            await asyncio.to_thread(victim.wait)
            successor = commanded.services.start(victim.program)
            await asyncio.to_thread(successor.ready)

    gathered = await play(commanded, watched, calls, beside=kill)
    [played] = gathered.played
    contact_id = played.started.contact_id
    assert [answer.external["lambdaResult"] for answer in played.answers] == ["success"] * 3

    t0_ms = played.started.start_at_ms
    [asked] = intents(commanded, contact_id).pauses
    assert asked.to_ms is not None
    _, paused_at_ms = await watched.until("pause")
    _, resumed_at_ms = await watched.until("resume")
    assert asked.to_ms - GUARD_MS <= resumed_at_ms
    quiet = ((asked.from_ms - t0_ms) * 8, (asked.to_ms - t0_ms) * 8)
    [(began, ended)] = told_pauses(gathered, contact_id)
    assert ended == quiet[1]
    assert quiet[0] <= began <= (paused_at_ms - t0_ms) * 8

    inside = [word for word in script.words if word.start_sample >= began and word.end_sample <= ended]
    outside = [word for word in script.words if not overlaps(word, quiet)]
    assert len(inside) > 5
    assert len(outside) > 20
    assert not {word.text for word in inside} & recognised(deepgram)
    texts = {word.text for word in outside}
    received = received_words(gathered.messages(contact_id))
    verdict = judge(outside, [one for one in received if one.text in texts], tolerance_samples=BLOCK_SAMPLES)
    assert verdict.clean, str(verdict)
    allowed = [word for word in script.words if overlaps(word, quiet) and word not in inside]
    for one in received:
        if one.text not in texts:
            assert any(one.start < word.end_sample and word.start_sample < one.end for word in allowed), one


def overlaps(word: ScriptWord, span: tuple[int, int]) -> bool:
    return word.start_sample < span[1] and word.end_sample > span[0]


def told_pauses(gathered: Gathered, contact_id: str) -> list[tuple[int, int]]:
    """In samples, from the bus; each moment is told once."""
    told = {e["detail"]["event_id"]: e for e in gathered.events[contact_id]}.values()
    began = [e["detail"]["from_s"] for e in told if e["detail-type"] == "Transcription Paused"]
    ended = [e["detail"]["from_s"] for e in told if e["detail-type"] == "Transcription Resumed"]
    return [(round(a * 8_000), round(b * 8_000)) for a, b in zip(began, ended, strict=True)]


async def test_no_card_is_taken_while_nobody_confirms(
    commanded: System, function: LambdaFunction, deepgram: DeepgramEmulator
) -> None:
    """transcribe is dead when the flow asks for the pause, and comes back only after the answer."""
    script = encode_call(95, 24)
    watched = Watched(function)

    def calls(callback: str) -> list[Call]:
        flows = (transcribe_to(callback), flow("pause-for-card"))
        return [Call(source=source(script), flows=flows, between_flows_s=5, caller=Caller(input_s=1))]

    async def kill() -> None:
        await watched.until("start")
        await deepgram.until(lambda seen: any(one.samples > 8_000 for one in seen), timeout_s=20)
        victim = commanded.services["transcribe"]
        victim.signal(signal.SIGKILL)
        await asyncio.to_thread(victim.wait)
        refused, _ = await watched.until("pause")
        assert refused.external["reason"] == "not_confirmed"
        assert refused.elapsed_ms < 8_000
        await asyncio.to_thread(commanded.services.start(victim.program).ready)

    gathered = await play(commanded, watched, calls, beside=kill)
    assert [action for action, _, _ in watched.answered] == ["start", "pause", "resume"]
    contact_id = gathered.played[0].started.contact_id
    assert gathered.event(contact_id, "Session Ended") is not None


async def test_a_stopped_session_ends_while_the_call_goes_on(
    commanded: System, function: LambdaFunction
) -> None:
    script = encode_call(96, 20)
    watched = Watched(function)

    def calls(callback: str) -> list[Call]:
        return [Call(source=source(script), attributes={"dg_callback": callback})]

    stopped_at_ms: list[int] = []

    async def stop() -> None:
        await watched.until("start")
        details: Any = watched.event["Details"]
        event = {**watched.event, "Details": {**details, "Parameters": {"action": "stop"}}}
        answer = await function(event)
        assert answer.external == {"lambdaResult": "success", "sessions": "1"}
        stopped_at_ms.append(time.time_ns() // 1_000_000)

    gathered = await play(commanded, watched, calls, beside=stop)
    [played] = gathered.played
    ended = gathered.event(played.started.contact_id, "Session Ended")
    assert ended is not None
    assert ended["reason"] == "stopped"
    assert ended["duration_s"] <= (stopped_at_ms[0] - played.started.start_at_ms) / 1_000 + 2


async def test_the_end_of_a_call_is_noticed_by_connects_event(
    commanded: System, function: LambdaFunction
) -> None:
    """The audio ends in mid-word, after which ingest would wait a minute for more."""
    script = encode_call(97, 12)
    word = script.words[len(script.words) // 2]
    cut_s = (word.start_sample + word.end_sample) / 2 / 8_000

    def calls(callback: str) -> list[Call]:
        return [Call(source=source(script, cut_s), attributes={"dg_callback": callback})]

    async with lambda_client() as client:
        events = RuleTarget(client, trigger_function.CONTACT_EVENTS_NAME)
        gathered = await play(commanded, function, calls, contact_events=events, last_words_s=25)
    [played] = gathered.played
    contact_id = played.started.contact_id
    ended = gathered.event(contact_id, "Session Ended")
    assert ended is not None
    assert ended["reason"] == "disconnected"
    assert intents(commanded, contact_id).ended_at_ms is not None


@pytest.mark.slow
async def test_without_an_event_the_last_words_wait_ten_seconds_and_the_session_a_minute(
    commanded: System, function: LambdaFunction
) -> None:
    script = encode_call(98, 10)
    last = max(script.words, key=lambda word: word.end_sample)
    cut_s = (last.end_sample + 40) / 8_000

    def calls(callback: str) -> list[Call]:
        return [
            Call(source=source(script, cut_s), attributes={"dg_callback": callback}, cut=Cut(odd_samples=0))
        ]

    gathered = await play(commanded, function, calls, last_words_s=80)
    [played] = gathered.played
    contact_id = played.started.contact_id
    verdict = judge(
        script.words, received_words(gathered.messages(contact_id)), tolerance_samples=BLOCK_SAMPLES
    )
    assert verdict.clean, str(verdict)
    finals = [one for one in gathered.requests[contact_id] if json.loads(one.body).get("is_final")]
    heard = next(one for one in finals if last.text in one.body)
    assert heard.received_at_ms - played.ended.ended_at_ms < 10_000

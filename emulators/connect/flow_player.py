"""Runs contact flows for a call: invokes the function, waits as long as a caller takes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from emulators.connect.event import Answer
from emulators.connect.flow import Flow
from emulators.connect.flow_run import FlowRun, Invoke, Listen, Reply, Said, Step, Stream

type Invocation = Callable[[Mapping[str, str], Mapping[str, str], bool], Awaitable[Answer]]
"""Contact attributes, parameters of the block, whether media is streamed."""


@dataclass(frozen=True, slots=True)
class Caller:
    """What a caller does about the flow."""

    input_s: float | None = None
    """How long the caller takes to enter digits; None: none come."""


@dataclass(slots=True)
class Heard:
    """What came of a contact's flows."""

    attributes: dict[str, str]
    streaming: bool = False
    answers: list[Answer] = field(default_factory=list[Answer])
    said: list[str] = field(default_factory=list[str])
    path: list[str] = field(default_factory=list[str])


async def play_flow(flow: Flow, heard: Heard, invoke: Invocation, caller: Caller) -> None:
    """Runs a flow to its end; `heard` grows meanwhile. Spoken messages take no time."""
    run = FlowRun(flow, heard.attributes, heard.path)
    steps = run.steps()
    reply: Reply = None
    while True:
        try:
            step = steps.send(reply)
        except StopIteration:
            return
        reply = await _perform(step, heard, invoke, caller)


async def _perform(step: Step, heard: Heard, invoke: Invocation, caller: Caller) -> Reply:
    match step:
        case Invoke(parameters=parameters):
            answer = await invoke(heard.attributes, parameters, heard.streaming)
            heard.answers.append(answer)
            return answer
        case Stream(directions=directions):
            heard.streaming = bool(directions)
        case Said(text=text):
            heard.said.append(text)
        case Listen(text=text, limit_s=limit_s):
            heard.said.append(text)
            comes = caller.input_s is not None and caller.input_s <= limit_s
            await asyncio.sleep(caller.input_s if comes and caller.input_s is not None else 0)
            return comes
    return None

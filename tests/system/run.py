"""Plays calls through a running system and gathers what the callback and an extra consumer of the bus get."""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from embedded import trigger_function
from embedded.system import System
from emulators.connect.call import Call, Played
from emulators.connect.functions import ContactEvents, Function, LambdaFunction, lambda_function
from emulators.connect.instance import open_instance
from emulators.receiver.recorder import Received, Recorder
from emulators.receiver.server import ReceiverOptions, serve

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef

LAST_WORDS_S = 40


@dataclass(slots=True)
class Gathered:
    """Of each contact, in the order of arrival."""

    played: Sequence[Played] = ()
    requests: defaultdict[str, list[Received]] = field(default_factory=lambda: defaultdict(list))
    events: defaultdict[str, list[Mapping[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def messages(self, contact_id: str) -> list[dict[str, Any]]:
        """Deepgram's messages as the callback received them."""
        return [json.loads(request.body) for request in self.requests[contact_id]]

    def event(self, contact_id: str, *detail_types: str) -> Mapping[str, Any] | None:
        """Detail of the contact's first event of one of these types."""
        return next(
            (e["detail"] for e in self.events[contact_id] if e["detail-type"] in detail_types),
            None,
        )

    async def until(self, condition: Callable[[], bool], timeout_s: float = LAST_WORDS_S) -> None:
        """Waits; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


async def play(
    system: System,
    function: Function,
    make: Callable[[str], Sequence[Call]],
    *,
    stagger_s: float = 0.2,
    last_words_s: float = LAST_WORDS_S,
    beside: Callable[[], Awaitable[None]] | None = None,
    contact_events: ContactEvents | None = None,
    gathered: Gathered | None = None,
    is_over: Callable[[Gathered, str], bool] | None = None,
) -> Gathered:
    """Plays the calls that `make` gives for a callback URL, until every session has ended or was refused.

    `beside` is awaited while they are played. What comes is in `gathered` at once, also when this raises.
    `is_over` says when a contact's session has nothing more to tell: as a rule, when it failed, or ended and
    the callback has the closing Metadata. Raises TimeoutError when a session is not over `last_words_s` after
    the last call.
    """
    gathered = gathered or Gathered()
    is_over = is_over or _over
    async with (
        serve(ReceiverOptions()) as receiver,
        open_instance(kvs_url=system.kvs_url, function=function, contact_events=contact_events) as instance,
        asyncio.TaskGroup() as tasks,
    ):
        watching = [
            tasks.create_task(_follow_events(system, gathered)),
            tasks.create_task(_listen(receiver.recorder, gathered)),
        ]
        calls = make(f"{receiver.url}/calls/{{contact-id}}")
        disturbing = asyncio.ensure_future(beside()) if beside else None
        gathered.played = await instance.play_all(calls, stagger_s=stagger_s)
        if disturbing is not None:
            await disturbing
        live = {played.started.contact_id for played in gathered.played if _accepted(played)}

        def all_over() -> bool:
            live.difference_update([contact for contact in live if is_over(gathered, contact)])
            return not live

        try:
            await gathered.until(all_over, last_words_s)
        finally:
            for task in watching:
                task.cancel()
    return gathered


def _accepted(played: Played) -> bool:
    return bool(played.answers) and played.answers[0].external.get("lambdaResult") == "success"


def _over(gathered: Gathered, contact_id: str) -> bool:
    """The session failed; or it ended, and the callback has the closing Metadata."""
    if gathered.event(contact_id, "Session Failed"):
        return True
    requests = gathered.requests[contact_id]
    return bool(
        gathered.event(contact_id, "Session Ended") and requests and '"Metadata"' in requests[-1].body
    )


async def _listen(recorder: Recorder, gathered: Gathered) -> None:
    async for request in recorder.watch():
        gathered.requests[request.headers["x-contact-id"]].append(request)
        gathered.changed.set()


async def _follow_events(system: System, gathered: Gathered) -> None:
    sqs, url = system.aws.sqs(), system.resources.events_url
    while True:
        answer = await asyncio.to_thread(
            sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1
        )
        messages = answer.get("Messages", [])
        for message in messages:
            envelope = json.loads(message.get("Body", "{}"))
            gathered.events[envelope["detail"]["contact_id"]].append(envelope)
        if messages:
            entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
                {"Id": str(n), "ReceiptHandle": message.get("ReceiptHandle", "")}
                for n, message in enumerate(messages)
            ]
            await asyncio.to_thread(sqs.delete_message_batch, QueueUrl=url, Entries=entries)
        gathered.changed.set()


@asynccontextmanager
async def trigger_of(system: System, environment: pytest.MonkeyPatch) -> AsyncGenerator[LambdaFunction]:
    """The system's trigger, as a contact flow invokes it."""
    for name, value in system.aws.environment.items():
        environment.setenv(name, value)
    async with lambda_function(trigger_function.NAME) as function:
        yield function

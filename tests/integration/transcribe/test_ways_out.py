"""Queue, bus and lease on the emulated AWS, and the batches before them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

from contracts.events import AudioGap
from contracts.model import ContactId, SessionId
from contracts.queue import TranscriptMessage
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.transcribe.adapters import batches as module
from services.transcribe.adapters.batches import Batches
from services.transcribe.adapters.event_bus import EventBridgeBus
from services.transcribe.adapters.request_lease import SqsRequestLease
from services.transcribe.adapters.transcript_queue import SqsTranscriptQueue
from services.transcribe.ports import Answer, BusEntry, QueueEntry, refused
from tests.integration.transcribe.outcome import events_of, messages_of

YES = Answer(accepted=True)

NOWHERE = "http://127.0.0.1:9"
QUICK = AioConfig(retries={"mode": "standard", "total_max_attempts": 2})


def message(session: str, n: int, text: str | None = "{}") -> QueueEntry:
    whole = TranscriptMessage(
        session_id=SessionId(session),
        contact_id=ContactId("c"),
        epoch=1,
        n=n,
        k=0,
        kind="final",
        message=text,
        received_at_ms=1,
    )
    return QueueEntry.of(whole)


def gap(n: int) -> BusEntry:
    whole = AudioGap(
        event_id=f"s-{n}",
        session_id=SessionId("s"),
        contact_id=ContactId("c"),
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        from_s=n,
        to_s=n + 1,
        cause="lost",
    )
    return BusEntry.of(whole)


async def test_messages_of_a_session_stay_in_order_and_one_sent_twice_comes_once(
    aws: AwsEndpoint, stack: Resources
) -> None:
    async with get_session().create_client("sqs") as client:
        queue = SqsTranscriptQueue(client, stack.transcripts_url)
        for n in range(1, 4):
            assert await queue.send([message("a", n), message("b", n)]) == [YES, YES]
        assert await queue.send([message("a", 2)]) == [YES]
    received = messages_of(aws, stack)
    for session in "ab":
        assert [one.n for one in received if one.session_id == session] == [1, 2, 3]


async def test_events_reach_whoever_subscribed(aws: AwsEndpoint, stack: Resources) -> None:
    async with get_session().create_client("events") as client:
        bus = EventBridgeBus(client, stack.bus_name)
        assert await bus.put([gap(1), gap(2)]) == [YES, YES]
    received = events_of(aws, stack)
    assert [kind for kind, _ in received] == ["Audio Gap"] * 2
    assert {detail["event_id"] for _, detail in received} == {"s-1", "s-2"}


async def test_a_way_that_is_away_accepts_nothing_and_is_tried_again(stack: Resources) -> None:
    async with get_session().create_client("sqs", endpoint_url=NOWHERE, config=QUICK) as client:
        [answer] = await SqsTranscriptQueue(client, stack.transcripts_url).send([message("a", 1)])
    assert (answer.accepted, answer.rejected) == (False, False)
    async with get_session().create_client(
        "events", endpoint_url="http://127.0.0.1:9", config=QUICK
    ) as client:
        [answer] = await EventBridgeBus(client, stack.bus_name).put([gap(1)])
    assert (answer.accepted, answer.rejected) == (False, False)


async def test_a_freed_request_is_visible_at_once(aws: AwsEndpoint, stack: Resources) -> None:
    sqs, url = aws.sqs(), stack.session_requests_url
    sqs.send_message(QueueUrl=url, MessageBody="request")
    [held] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    async with get_session().create_client("sqs") as client:
        lease = SqsRequestLease(client, url)
        await lease.free(held.get("ReceiptHandle", ""))
        await lease.free("no such handle")  # nobody learns of a lost lease from SQS
    [again] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
    assert again.get("MessageId") == held.get("MessageId")


class Sent:
    """A way out that holds each request until it is let go."""

    def __init__(self) -> None:
        self.requests: list[list[int]] = []
        self.gate = asyncio.Event()

    async def send(self, entries: Sequence[int]) -> list[Answer]:
        self.requests.append(list(entries))
        await self.gate.wait()
        return [YES] * len(entries)


@pytest.mark.parametrize(("size", "expected"), [(1, module.MAX_ENTRIES), (module.MAX_BYTES // 3, 3)])
async def test_entries_are_gathered_up_to_ten_and_up_to_the_size_of_a_request(
    size: int, expected: int
) -> None:
    sent, answered = Sent(), asyncio.Queue[Answer]()
    batches = Batches("test", sent.send)
    async with asyncio.TaskGroup() as tasks, asyncio.timeout(5):
        running = tasks.create_task(batches.run())
        for n in range(25):
            batches.submit(n, size, answered.put_nowait)
        sent.gate.set()
        for _ in range(25):
            assert await answered.get() == YES
        running.cancel()
    assert [n for request in sent.requests for n in request] == list(range(25))
    assert max(len(request) for request in sent.requests) == expected


async def test_a_lone_entry_goes_at_once() -> None:
    sent, answered = Sent(), asyncio.Queue[Answer]()
    sent.gate.set()
    batches = Batches("test", sent.send)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(batches.run())
        began = asyncio.get_running_loop().time()
        batches.submit(1, 1, answered.put_nowait)
        await answered.get()
        assert asyncio.get_running_loop().time() - began < module.WAIT_S
        running.cancel()


async def test_a_request_that_breaks_is_sent_again_and_takes_nobody_with_it() -> None:
    answers: list[Answer] = []
    answered = asyncio.Event()

    async def send(entries: Sequence[str]) -> list[Answer]:
        if "odd" in entries:
            raise AttributeError("nobody thought of this")
        return [YES] * len(entries)

    def done(answer: Answer) -> None:
        answers.append(answer)
        answered.set()

    batches = Batches[str]("queue", send)
    running = asyncio.create_task(batches.run())
    for body in ("odd", "fine"):
        answered.clear()
        batches.submit(body, 1, done)
        async with asyncio.timeout(5):
            await answered.wait()
    running.cancel()
    assert answers == [Answer(accepted=False, reason="AttributeError"), YES]


def test_a_request_is_no_larger_than_sqs_and_eventbridge_take() -> None:
    assert module.MAX_BYTES <= 256 * 1_024


def test_entries_are_measured_in_bytes_with_all_they_hold() -> None:
    one = message("a", 1, '"ä"')
    assert one.size == len(one.body.encode()) > len(one.body)
    other = gap(1)
    assert other.size >= len(other.detail.encode()) + len("Audio Gap")


@pytest.mark.parametrize(
    ("code", "rejected"), [("ValidationException", True), ("413", True), ("AccessDeniedException", False)]
)
async def test_of_a_request_refused_for_what_it_holds_the_others_go_on_and_the_one_is_given_up(
    code: str, rejected: bool
) -> None:
    answers: dict[str, Answer] = {}
    done = asyncio.Event()

    async def send(entries: Sequence[str]) -> list[Answer]:
        if "odd" not in entries:
            return [YES] * len(entries)
        return [refused(ClientError({"Error": {"Code": code}}, "PutEvents"))] * len(entries)

    def answered(name: str, answer: Answer) -> None:
        answers[name] = answer
        if len(answers) == 3:
            done.set()

    batches = Batches[str]("bus", send)
    for name in ("a", "odd", "b"):
        batches.submit(name, 1, partial(answered, name))
    running = asyncio.create_task(batches.run())
    async with asyncio.timeout(5):
        await done.wait()
    running.cancel()
    assert (answers["odd"].accepted, answers["odd"].rejected, answers["odd"].reason) == (
        False,
        rejected,
        code,
    )
    assert {answers["a"].accepted, answers["b"].accepted} == {rejected}

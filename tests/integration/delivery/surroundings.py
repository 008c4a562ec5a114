"""What delivery works with: queues, store and bus of an emulated AWS, and delivery itself as a process."""

import asyncio
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field, JsonValue

from contracts.audio import Channel
from contracts.delivery import UNDELIVERED_PREFIX, ParkedSession, endpoint_key, parked_key
from contracts.events import DeliveryFailed
from contracts.model import SessionId
from contracts.queue import ReplayCause, ReplayRequest, TranscriptMessage
from contracts.session import (
    Callback,
    CallbackMethod,
    Contract,
    DeliveryMark,
    Final,
    MediaStream,
    SessionHeader,
    SessionState,
    StoreKey,
    delivery_mark_key,
    header_key,
    record_key,
)
from embedded.aws import AwsEndpoint
from embedded.process import Child, Program
from embedded.resources import Resources
from emulators.receiver.recorder import Received
from emulators.receiver.server import Receiver
from tests.unit.delivery.messages import CONTACT, message

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import MessageTypeDef

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STATE = SessionState(writer=None, epoch=1, t0_ms=0, covered_samples=(0, 0))
WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is on the dead-letter queue."""

    session: str
    reason: str
    body: str


class Envelope(Contract):
    """What EventBridge passes on."""

    detail_type: str = Field(alias="detail-type")
    detail: dict[str, JsonValue]


class Surroundings:
    """A stack and what a test does to it."""

    def __init__(self, aws: AwsEndpoint, stack: Resources) -> None:
        self.aws = aws
        self.stack = stack
        self._sqs = aws.sqs()
        self._dynamodb = aws.dynamodb()
        self._dead_letters: list[DeadLetter] = []
        self._events: list[Envelope] = []

    def add_session(
        self, session: str, url: str | None, method: CallbackMethod = CallbackMethod.POST
    ) -> None:
        header = SessionHeader(
            session_id=SessionId(session),
            contact_id=CONTACT,
            requested_at_ms=1,
            media=MediaStream(stream_arn="arn", start_fragment_number="1", start_timestamp_ms=1),
            deepgram_parameters=(),
            callback=Callback(url=url, method=method) if url else None,
        )
        self.put(header_key(header.session_id), header)

    def put(self, key: StoreKey, model: BaseModel, **numbers: int) -> None:
        self._dynamodb.put_item(
            TableName=self.stack.table_name,
            Item={
                "pk": {"S": key.pk},
                "sk": {"S": key.sk},
                "body": {"S": model.model_dump_json()},
                **{name: {"N": str(value)} for name, value in numbers.items()},
            },
        )

    def log(self, session: str, n: int) -> TranscriptMessage:
        """Writes final `n` to the session's log; it is to be queued as it is returned."""
        announced = message(n, session=session)
        final = Final(
            session_id=announced.session_id,
            n=n,
            written_at_ms=time.time_ns() // 1_000_000,
            state=STATE,
            segment_id=str(n),
            channel=Channel.CUSTOMER,
            start_samples=0,
            end_samples=8,
            transcript="a",
            message=announced.message or "",
        )
        self.put(record_key(final.session_id, n), final)
        return announced.model_copy(update={"received_at_ms": final.written_at_ms})

    def say(self, session: str, *numbers: int) -> None:
        """As transcribe does: first the log, then the queue."""
        self.send(*(self.log(session, n) for n in numbers))

    def ask_for_replay(self, session: str, cause: ReplayCause) -> None:
        request = ReplayRequest(
            session_id=SessionId(session), contact_id=CONTACT, cause=cause, requested_at_ms=0
        )
        self.send_text(request.model_dump_json(), session, uuid.uuid4().hex)

    def parked(self, session: str) -> ParkedSession | None:
        body = self.body(parked_key(SessionId(session)))
        return ParkedSession.model_validate_json(body) if body else None

    def undelivered(self, session: str) -> list[int]:
        answer = self._dynamodb.query(
            TableName=self.stack.table_name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :sk)",
            ExpressionAttributeValues={
                ":pk": {"S": f"session#{session}"},
                ":sk": {"S": UNDELIVERED_PREFIX},
            },
        )
        return [int(item["sk"].get("S", "").removeprefix(UNDELIVERED_PREFIX)) for item in answer["Items"]]

    def disabled(self, receiver: Receiver) -> bool:
        return self.body(endpoint_key(receiver.url)) is not None

    def body(self, key: StoreKey) -> str | None:
        answer = self._dynamodb.get_item(
            TableName=self.stack.table_name,
            Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}},
            ConsistentRead=True,
        )
        return answer["Item"].get("body", {}).get("S") if "Item" in answer else None

    def mark(self, session: str) -> tuple[int, int] | None:
        body = self.body(delivery_mark_key(SessionId(session)))
        mark = DeliveryMark.model_validate_json(body) if body else None
        return (mark.n, mark.k) if mark else None

    def send(self, *messages: TranscriptMessage) -> None:
        for each in messages:
            self.send_text(each.model_dump_json(), each.session_id, each.webhook_id)

    def send_text(self, body: str, group: str, deduplication: str) -> None:
        self._sqs.send_message(
            QueueUrl=self.stack.transcripts_url,
            MessageBody=body,
            MessageGroupId=group,
            MessageDeduplicationId=deduplication,
        )

    def waiting(self) -> int:
        """Messages on the transcripts queue, in hand or not, of all sessions."""
        answer = self._sqs.get_queue_attributes(QueueUrl=self.stack.transcripts_url, AttributeNames=["All"])
        attributes = answer["Attributes"]
        return sum(
            int(attributes.get(name, "0"))
            for name in ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        )

    def dead_letters(self, session: str) -> list[str]:
        """Why messages of the session are on the dead-letter queue."""
        for letter in self._take(self.stack.transcripts_dlq_url):
            reason = letter.get("MessageAttributes", {})["reason"].get("StringValue", "")
            group = letter.get("Attributes", {}).get("MessageGroupId", "")
            self._dead_letters.append(DeadLetter(group, reason, letter.get("Body", "")))
        return [letter.reason for letter in self._dead_letters if letter.session == session]

    def failures(self, session: str) -> list[DeliveryFailed]:
        """The session's Delivery Failed events that the bus passed on."""
        self._hear()
        told = [DeliveryFailed.model_validate(each.detail) for each in self._events if "n" in each.detail]
        return [failed for failed in told if failed.session_id == session]

    def endpoint_events(self, receiver: Receiver) -> list[str]:
        """What the bus passed on about the endpoint."""
        self._hear()
        return [each.detail_type for each in self._events if each.detail.get("endpoint") == receiver.url]

    def _hear(self) -> None:
        for event in self._take(self.stack.events_url):
            self._events.append(Envelope.model_validate_json(event.get("Body", "")))

    def _take(self, url: str) -> "Iterator[MessageTypeDef]":
        answer = self._sqs.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["MessageGroupId"],
        )
        for received in answer.get("Messages", []):
            self._sqs.delete_message(QueueUrl=url, ReceiptHandle=received.get("ReceiptHandle", ""))
            yield received


class Process:
    """`python -m services.delivery`."""

    _begun: ClassVar[list[Child]] = []

    def __init__(
        self, surroundings: Surroundings, folder: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._program = Program(
            "delivery",
            (sys.executable, "-m", "services.delivery"),
            {
                **surroundings.aws.environment,
                **surroundings.stack.environment,
                "SIGNING_SECRETS": SECRET,
                "CALLBACK_ALLOWED_NETWORKS": "127.0.0.0/8",
                "CALLBACK_ALLOWED_PORTS": "1-65535",
                "RETRY_SCHEDULE_S": "0.1",
                "RETRY_FOR_S": "2",
                "PROBE_SCHEDULE_S": "0.3",
                "LOOK_EVERY_S": "0.2",
                **(settings or {}),
            },
        )
        self._folder = folder
        self.child: Child

    @classmethod
    def end_all(cls) -> None:
        """Ends what a failed test left running."""
        for child in cls._begun:
            if child.is_running:
                os.kill(child.pid, signal.SIGKILL)
                child.stop()
        cls._begun.clear()

    def start(self) -> None:
        """Returns when it is ready."""
        self.begin()
        self.child.ready()

    def begin(self) -> None:
        """Returns at once."""
        self.child = Child(self._program, self._folder)
        self._begun.append(self.child)

    def kill(self) -> None:
        """Ends it as the death of its machine does."""
        os.kill(self.child.pid, signal.SIGKILL)
        self.child.stop()

    def freeze(self) -> None:
        os.kill(self.child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.child.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Ends it as a deployment does; it must end well."""
        assert self.child.stop() == 0, self.log

    @property
    def log(self) -> str:
        return self.child.log.read_text()


def ids(requests: Iterable[Received]) -> list[str]:
    """Webhook ids without the session."""
    return [
        request.headers["webhook-id"].removeprefix(f"{request.headers['x-session-id']}-").replace("-", ".")
        for request in requests
    ]


async def arrive(receiver: Receiver, count: int, path: str | None = None, after: int = 0) -> list[Received]:
    """The first `count` requests (to `path`) after number `after`."""
    found: list[Received] = []
    async with asyncio.timeout(WITHIN_S):
        async for request in receiver.recorder.watch(after):
            if path in {None, request.path}:
                found.append(request)
            if len(found) == count:
                break
    return found


async def become[T](ask: Callable[[], T], expected: T, within_s: float = WITHIN_S) -> None:
    """Waits until `ask()`, which may block, returns what is expected."""
    deadline = time.monotonic() + within_s
    while (found := await asyncio.to_thread(ask)) != expected:
        assert time.monotonic() < deadline, f"{found} is not {expected}"

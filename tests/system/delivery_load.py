"""Many calls at once for delivery: finals go to the log and the queue, interim results to the queue."""

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from contracts.audio import Channel
from contracts.model import SessionId
from contracts.queue import TranscriptMessage
from contracts.session import Final, record_key
from tests.integration.delivery.surroundings import STATE, Surroundings
from tests.unit.delivery.messages import CONTACT

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import WriteRequestTypeDef

BODY_BYTES = 1_000
SQS_BATCH = 10
DYNAMODB_BATCH = 25


@dataclass(slots=True)
class LoadedCall:
    """One session."""

    session: str
    finals: int = 0
    interims: int = 0
    """Since the last final."""


@dataclass
class Load:
    """Calls that speak."""

    surroundings: Surroundings
    interims_per_final: int = 3
    calls: list[LoadedCall] = field(default_factory=list[LoadedCall])

    def __post_init__(self) -> None:
        self._dynamodb = self.surroundings.aws.dynamodb()
        self._sqs = self.surroundings.aws.sqs()

    def begin(self, session: str, url: str) -> None:
        """A call; its callback is `url`."""
        self.surroundings.add_session(session, url)
        self.calls.append(LoadedCall(session))

    async def speak(self, duration_s: float, messages_per_call_s: float) -> None:
        """Every call has messages at this rate, spread evenly; the calls do not speak in step."""
        began_s = time.monotonic()
        ticks = int(duration_s * messages_per_call_s)
        slices = list(itertools.batched(self.calls, SQS_BATCH, strict=False))
        for tick in range(ticks):
            for at, calls in enumerate(slices):
                due_s = began_s + (tick + at / len(slices)) / messages_per_call_s
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                await asyncio.to_thread(self.put, [self._next(call) for call in calls])

    def finals(self, count: int) -> None:
        """Every call has so many finals at once."""
        for _ in range(count):
            for calls in itertools.batched(self.calls, SQS_BATCH, strict=False):
                for call in calls:
                    call.interims = self.interims_per_final
                self.put([self._next(call) for call in calls])

    def _next(self, call: LoadedCall) -> TranscriptMessage:
        if call.finals == 0 or call.interims >= self.interims_per_final:
            call.finals, call.interims = call.finals + 1, 0
        else:
            call.interims += 1
        return _message(call)

    def put(self, messages: Sequence[TranscriptMessage]) -> None:
        """Logs what is final, then queues it all; one message per session."""
        finals = [_record(message) for message in messages if message.k == 0]
        for batch in itertools.batched(finals, DYNAMODB_BATCH, strict=False):
            self._dynamodb.batch_write_item(RequestItems={self.surroundings.stack.table_name: list(batch)})
        self._sqs.send_message_batch(
            QueueUrl=self.surroundings.stack.transcripts_url,
            Entries=[
                {
                    "Id": str(at),
                    "MessageBody": message.model_dump_json(),
                    "MessageGroupId": message.session_id,
                    "MessageDeduplicationId": message.webhook_id,
                }
                for at, message in enumerate(messages)
            ],
        )


def _message(call: LoadedCall) -> TranscriptMessage:
    result = {
        "type": "Results",
        "channel_index": [0, 2],
        "is_final": call.interims == 0,
        "start": call.finals,
        "padding": "",
    }
    result["padding"] = "x" * (BODY_BYTES - len(json.dumps(result)))
    return TranscriptMessage(
        session_id=SessionId(call.session),
        contact_id=CONTACT,
        epoch=1,
        n=call.finals,
        k=call.interims,
        kind="interim" if call.interims else "final",
        message=json.dumps(result),
        received_at_ms=time.time_ns() // 1_000_000,
    )


def _record(message: TranscriptMessage) -> "WriteRequestTypeDef":
    final = Final(
        session_id=message.session_id,
        n=message.n,
        written_at_ms=message.received_at_ms,
        state=STATE,
        segment_id=str(message.n),
        channel=Channel.CUSTOMER,
        start_samples=0,
        end_samples=8,
        transcript="a",
        message=message.message or "",
    )
    key = record_key(message.session_id, message.n)
    item = {"pk": {"S": key.pk}, "sk": {"S": key.sk}, "body": {"S": final.model_dump_json()}}
    return {"PutRequest": {"Item": item}}


def handled_ms(log: str, sessions: set[str]) -> list[float]:
    """From the receipt of a message to its request, as delivery logged it, of these sessions."""
    return [float(str(line["elapsed_ms"])) for line in _requests(log) if line["session_id"] in sessions]


def _requests(log: str) -> Iterator[dict[str, object]]:
    for line in log.splitlines():
        if '"delivery.request"' in line:
            yield json.loads(line)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values are."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

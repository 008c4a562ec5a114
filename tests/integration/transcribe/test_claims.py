"""Claims on an emulated DynamoDB, while others write between the look and the append."""

from collections.abc import Callable, Sequence
from time import time

import pytest
from aiobotocore.session import get_session

from contracts.link import Open, Refusal
from contracts.model import SessionId
from contracts.session import Ended, LogRecord, OpenCause, Opened, Progress
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from services.transcribe.adapters.claims import MAX_LOOKS, Claimed, claim
from services.transcribe.adapters.session_store import MAX_TAIL, DynamoSessionStore
from services.transcribe.deepgram_session import Failure
from services.transcribe.inputs import Appended
from services.transcribe.session_log import Refuse, Serve, Writer, decide_claim, failed
from telemetry.metrics import Metrics
from tests.integration.transcribe.outcome import log_of, put_header, request

SESSION = SessionId("s")
THEY = Writer("they", "m1")
OTHER_REQUEST = Writer("they", "m2")
LONG_AGO_MS = 60_000

type Others = Callable[[tuple[LogRecord, ...]], LogRecord]
"""What another writer appends to this tail."""


class Overtaken(DynamoSessionStore):
    """After each look another writer comes first, as often as there are `others`."""

    others: list[Others]

    async def tail(self, session_id: SessionId, at_most: int = MAX_TAIL) -> tuple[LogRecord, ...]:
        tail = await super().tail(session_id, at_most)
        if self.others:
            assert isinstance(await self.append(self.others.pop(0)(tail)), Appended)
        return tail


async def claimed(
    aws: AwsEndpoint, stack: Resources, *others: Others, log: Sequence[LogRecord] = ()
) -> Claimed | Refuse:
    """A claim of ours of a session with this log, in which `others` write between look and append."""
    put_header(aws, stack, SESSION)
    frame = Open(handle=1, request=request(SESSION), message_id="m1", receipt_handle="r")
    async with get_session().create_client("dynamodb") as client:
        store = Overtaken(client, stack.table_name, 30)
        for record in log:
            await store.append(record)
        store.others = list(others)
        return await claim(store, frame, "we", Metrics("test", lambda _: None, stack="test"))


def their_claim(tail: tuple[LogRecord, ...], writer: Writer = OTHER_REQUEST, *, ago_ms: int = 0) -> Opened:
    decision = decide_claim(SESSION, tail, writer, int(time() * 1000) - ago_ms)
    assert isinstance(decision, Serve)
    return decision.opened


def their_old_claim(tail: tuple[LogRecord, ...]) -> Opened:
    """Of a writer that is not heard of any more; its append landed late."""
    return their_claim(tail, THEY, ago_ms=LONG_AGO_MS)


def their_release(tail: tuple[LogRecord, ...]) -> Progress:
    released = tail[-1].state.model_copy(update={"writer": None})
    return Progress(session_id=SESSION, n=tail[-1].n + 1, written_at_ms=int(time() * 1000), state=released)


def their_end(tail: tuple[LogRecord, ...]) -> Ended:
    last = tail[-1] if tail else None
    return failed(SESSION, last, THEY, Failure("theirs", "…"), int(time() * 1000))


async def test_who_loses_the_race_to_another_request_leaves_the_session_to_it(
    aws: AwsEndpoint, stack: Resources
) -> None:
    refuse = await claimed(aws, stack, their_claim)
    assert isinstance(refuse, Refuse)
    assert refuse.refusal is Refusal.ALREADY_SERVED
    [only] = log_of(aws, stack, SESSION)
    assert only.state.writer == str(OTHER_REQUEST)


async def test_who_loses_the_race_to_one_that_is_dead_looks_again_and_takes_over(
    aws: AwsEndpoint, stack: Resources
) -> None:
    ours = await claimed(aws, stack, their_old_claim)
    assert isinstance(ours, Claimed)
    assert list(ours.tail) == log_of(aws, stack, SESSION)
    theirs, last = ours.tail
    assert isinstance(last, Opened)
    assert (theirs.state.writer, last.state.writer) == (str(THEY), "we#m1")
    assert (last.n, last.cause, last.state.epoch) == (2, OpenCause.TAKEN_OVER, 2)


async def test_a_release_that_lands_after_the_look_is_found_by_the_next(
    aws: AwsEndpoint, stack: Resources
) -> None:
    ours = await claimed(aws, stack, their_release, log=[their_old_claim(())])
    assert isinstance(ours, Claimed)
    assert [record.type for record in ours.tail] == ["opened", "progress", "opened"]
    assert isinstance(ours.tail[-1], Opened)
    assert ours.tail[-1].cause is OpenCause.HANDED_OVER


async def test_a_session_that_ends_after_the_look_is_announced_and_not_opened(
    aws: AwsEndpoint, stack: Resources
) -> None:
    ours = await claimed(aws, stack, their_end)
    assert isinstance(ours, Claimed)
    assert ours.refuse is not None
    assert ours.refuse.refusal is Refusal.ENDED
    assert [record.type for record in log_of(aws, stack, SESSION)] == ["ended"]


@pytest.mark.parametrize("lost", [MAX_LOOKS - 1, MAX_LOOKS])
async def test_who_loses_time_after_time_tells_ingest_to_come_back(
    aws: AwsEndpoint, stack: Resources, lost: int
) -> None:
    outcome = await claimed(aws, stack, *[their_old_claim] * lost)
    writers = [record.state.writer for record in log_of(aws, stack, SESSION)]
    if lost < MAX_LOOKS:
        assert isinstance(outcome, Claimed)
        assert writers == [*[str(THEY)] * lost, "we#m1"]
    else:
        assert isinstance(outcome, Refuse)
        assert outcome.refusal is Refusal.BUSY
        assert outcome.retry_after_s > 0
        assert writers == [str(THEY)] * lost

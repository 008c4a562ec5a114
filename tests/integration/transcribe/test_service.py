"""The whole service in this process, between a link's peer, an emulated Deepgram and an emulated AWS."""

import asyncio
import json
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from contracts.events import (
    AudioGap,
    SessionEnded,
    SessionFailed,
    SessionResumed,
    SessionStarted,
    TranscriptSegment,
)
from contracts.link import Draining, Open, OpenedSession, Refusal, Refused, Release
from contracts.queue import TranscriptMessage
from contracts.session import Ended, Outcome
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from emulators.deepgram.faults import Fault, Kind, Order
from emulators.deepgram.script import CallScript, encode_call
from emulators.deepgram.server import DeepgramEmulator
from emulators.deepgram.verdict import judge, received_words
from services.transcribe.service import serving
from services.transcribe.settings import Settings
from tests.integration.transcribe.conftest import SECRET
from tests.integration.transcribe.link_client import Caller, Peer, dial
from tests.integration.transcribe.outcome import events_of, log_of, messages_of, put_header, request


async def play(peer: Peer, handle: int, session_id: str, script: CallScript) -> Caller:
    opened = await peer.open(handle, request(session_id))
    assert isinstance(opened, OpenedSession)
    return Caller(peer, opened, script.samples.tobytes(), int(time.time() * 1000))


async def test_a_call_becomes_a_log_messages_and_events(
    aws: AwsEndpoint, stack: Resources, settings: Settings
) -> None:
    script = encode_call(1, 6)
    put_header(aws, stack, "s1", ("interim_results", "true"), ("tag", "a b"))
    async with serving(settings) as port, dial(port, SECRET) as peer:
        caller = await play(peer, 7, "s1", script)
        closed = await caller.finish()
    assert (closed.disposition, closed.reason) == ("delete", "ended")
    log = log_of(aws, stack, "s1")
    assert [record.n for record in log] == list(range(1, len(log) + 1))
    assert [log[0].type, log[-2].type, log[-1].type] == ["opened", "ended", "announced"]
    messages = messages_of(aws, stack)
    places = [(message.n, message.k) for message in messages]
    assert places == sorted(set(places))
    finals = [json.loads(message.message or "") for message in messages if message.kind == "final"]
    assert judge(script.words, received_words(finals)).clean
    assert messages[-1].kind == "metadata"
    events = events_of(aws, stack)
    kinds = [kind for kind, _ in events]
    assert kinds[0] == SessionStarted.detail_type
    assert kinds[-1] == SessionEnded.detail_type
    assert kinds.count(TranscriptSegment.detail_type) == len(finals)


async def test_no_word_is_lost_or_doubled_when_deepgram_drops_the_call_twice(
    aws: AwsEndpoint, stack: Resources, settings: Settings, deepgram: DeepgramEmulator
) -> None:
    script = encode_call(2, 14)
    put_header(aws, stack, "s2", ("interim_results", "true"))
    await deepgram.order(Order(Fault("drop", after_s=4.03)))
    async with serving(settings) as port, dial(port, SECRET) as peer:
        caller = await play(peer, 1, "s2", script)
        await caller.play(until=5 * 8000)
        await deepgram.order(Order(Fault("close", after_s=5.7, code=1012)))
        closed = await caller.finish()
    assert closed.disposition == "delete"
    assert len(deepgram.observations) == 3
    messages = messages_of(aws, stack)
    finals = [json.loads(message.message or "") for message in messages if message.kind == "final"]
    verdict = judge(script.words, received_words(finals), tolerance_samples=1)
    assert verdict.clean, verdict
    assert [message.kind for message in messages].count("metadata") == 1
    kinds = [kind for kind, _ in events_of(aws, stack)]
    assert SessionResumed.detail_type in kinds
    assert AudioGap.detail_type not in kinds


async def test_a_bad_key_fails_the_session_with_deepgrams_own_reason(
    aws: AwsEndpoint, stack: Resources, settings: Settings, deepgram: DeepgramEmulator
) -> None:
    script = encode_call(3, 2)
    put_header(aws, stack, "s3")
    await deepgram.order(Order(Fault("refuse", status=401, reason="Invalid credentials.")))
    async with serving(settings) as port, dial(port, SECRET) as peer:
        caller = await play(peer, 1, "s3", script)
        closed = await caller.finish()
        again = await peer.open(2, request("s3"))
    assert closed.disposition == "delete"
    assert isinstance(again, Refused)
    assert again.refusal is Refusal.ENDED
    ended = log_of(aws, stack, "s3")[-2]
    assert isinstance(ended, Ended)
    assert (ended.outcome, ended.reason) == (Outcome.FAILED, "deepgram_rejected")
    assert "401" in ended.explanation
    assert "Invalid credentials." in ended.explanation
    (gap, lost), (kind, detail) = events_of(aws, stack)
    assert (gap, lost["to_s"], lost["cause"]) == ("Audio Gap", 2.0, "deepgram_rejected")
    assert kind == SessionFailed.detail_type
    assert detail["reason"] == "deepgram_rejected"


async def test_another_request_for_a_live_session_is_already_served(
    aws: AwsEndpoint, stack: Resources, settings: Settings
) -> None:
    put_header(aws, stack, "s4")
    async with serving(settings) as port, serving(settings) as other, dial(port, SECRET) as peer:
        assert isinstance(await peer.open(1, request("s4")), OpenedSession)
        here = await peer.open(2, request("s4"), message_id="m2")
        async with dial(other, SECRET) as elsewhere:
            there = await elsewhere.open(1, request("s4"), message_id="m2")
            too_soon = await elsewhere.open(2, request("s4"))
    assert isinstance(here, Refused)
    assert isinstance(there, Refused)
    assert isinstance(too_soon, Refused)
    assert [here.refusal, there.refusal] == [Refusal.ALREADY_SERVED] * 2
    assert too_soon.refusal is Refusal.BUSY


async def test_a_session_without_a_header_is_failed(
    aws: AwsEndpoint, stack: Resources, settings: Settings
) -> None:
    async with serving(settings) as port, dial(port, SECRET) as peer:
        refused = await peer.open(1, request("s5"))
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.FAILED
    [(kind, detail)] = events_of(aws, stack)
    assert (kind, detail["reason"]) == (SessionFailed.detail_type, "no_header")


async def test_a_drained_session_goes_on_in_another_process_without_a_lost_word(
    aws: AwsEndpoint, stack: Resources, settings: Settings, deepgram: DeepgramEmulator
) -> None:
    script = encode_call(6, 12)
    put_header(aws, stack, "s6", ("interim_results", "true"))
    async with serving(settings) as successor:
        async with AsyncExitStack() as links:
            async with serving(settings) as port:
                first = await links.enter_async_context(dial(port, SECRET))
                caller = await play(first, 1, "s6", script)
                await caller.play(until=6 * 8000)
                await deepgram.until(lambda seen: sum(len(list(one.finals())) for one in seen) >= 3)
            assert (await first.closed(1)).disposition == "put_back"
            assert any(isinstance(frame, Draining) for frame in first.others)
        async with dial(successor, SECRET) as peer:
            caller = await play(peer, 1, "s6", script)
            assert 0 <= caller.position <= 6 * 8000
            closed = await caller.finish()
    assert closed.disposition == "delete"
    messages = messages_of(aws, stack)
    finals = [json.loads(message.message or "") for message in messages if message.kind == "final"]
    verdict = judge(script.words, received_words(finals), tolerance_samples=1)
    assert verdict.clean, verdict
    assert sorted({message.epoch for message in messages}) == [1, 2]
    assert SessionResumed.detail_type in [kind for kind, _ in events_of(aws, stack)]


async def test_when_ingest_dies_its_request_is_visible_at_once_and_another_goes_on(
    aws: AwsEndpoint, stack: Resources, settings: Settings, deepgram: DeepgramEmulator
) -> None:
    script = encode_call(8, 10)
    put_header(aws, stack, "s8")
    sqs, url = aws.sqs(), stack.session_requests_url
    sqs.send_message(QueueUrl=url, MessageBody="request")
    [held] = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5).get("Messages", [])
    async with serving(settings) as port:
        async with dial(port, SECRET) as dying:
            opened = await dying.open(1, request("s8"), receipt=held.get("ReceiptHandle", ""))
            assert isinstance(opened, OpenedSession)
            caller = Caller(dying, opened, script.samples.tobytes(), 1)
            await caller.play(until=5 * 8000)
            await deepgram.until(lambda seen: any(True for one in seen for _ in one.finals()))
            dying.connection.transport.abort()
        again = await asyncio.to_thread(sqs.receive_message, QueueUrl=url, WaitTimeSeconds=8)
        assert [one.get("MessageId") for one in again.get("Messages", [])] == [held.get("MessageId")]
        async with dial(port, SECRET) as peer:
            caller = await play(peer, 1, "s8", script)
            closed = await caller.finish()
    assert closed.disposition == "delete"
    finals = [json.loads(one.message or "") for one in messages_of(aws, stack) if one.kind == "final"]
    verdict = judge(script.words, received_words(finals), tolerance_samples=1)
    assert verdict.clean, verdict


async def test_a_link_that_comes_back_within_its_grace_finds_deepgrams_connection(
    aws: AwsEndpoint, stack: Resources, settings: Settings, deepgram: DeepgramEmulator
) -> None:
    script = encode_call(9, 6)
    put_header(aws, stack, "s9")
    async with serving(settings) as port:
        async with dial(port, SECRET) as flapping:
            caller = await play(flapping, 1, "s9", script)
            await caller.play(until=3 * 8000)
            await deepgram.until(lambda seen: any(one.samples >= 8000 for one in seen))
            flapping.connection.transport.abort()
        async with dial(port, SECRET) as peer:
            opened = await peer.open(5, request("s9"))
            assert isinstance(opened, OpenedSession)
            assert opened.epoch == 1
            caller = Caller(peer, opened, script.samples.tobytes(), 1)
            await caller.finish()
    assert len(deepgram.observations) == 1
    finals = [json.loads(one.message or "") for one in messages_of(aws, stack) if one.kind == "final"]
    assert judge(script.words, received_words(finals)).clean


async def test_a_writer_that_was_taken_over_leaves_without_a_trace(
    aws: AwsEndpoint, stack: Resources, settings: Settings, deepgram: DeepgramEmulator
) -> None:
    script = encode_call(10, 16)
    put_header(aws, stack, "s10")
    async with (
        serving(settings) as first,
        serving(settings) as second,
        dial(first, SECRET) as stale,
        dial(second, SECRET) as peer,
    ):
        old = await play(stale, 1, "s10", script)
        await old.play(until=4 * 8000)
        await deepgram.until(lambda seen: sum(1 for one in seen for _ in one.finals()) >= 2)
        while isinstance(opened := await peer.open(1, request("s10")), Refused):
            assert opened.refusal is Refusal.BUSY
        new = Caller(peer, opened, script.samples.tobytes(), 1)
        lost, closed = await asyncio.gather(old.finish(), new.finish())
    assert lost.disposition == "leave"
    assert closed.disposition == "delete"
    messages = messages_of(aws, stack)
    mark, delivered = (0, -1), list[TranscriptMessage]()
    for message in messages:
        if (message.n, message.k) > mark:
            mark = (message.n, message.k)
            delivered.append(message)
    finals = [json.loads(one.message or "") for one in delivered if one.kind == "final"]
    verdict = judge(script.words, received_words(finals), tolerance_samples=1)
    assert verdict.clean, verdict


@pytest.mark.parametrize("kind", ["stall", "no_metadata"])
async def test_a_deepgram_that_never_answers_is_replaced(
    aws: AwsEndpoint, stack: Resources, settings: Settings, deepgram: DeepgramEmulator, kind: Kind
) -> None:
    script = encode_call(11, 3)
    put_header(aws, stack, "s11")
    await deepgram.order(Order(Fault(kind)))
    async with serving(settings) as port, dial(port, SECRET) as peer:
        caller = await play(peer, 1, "s11", script)
        closed = await caller.finish()
    assert closed.disposition == "delete"
    finals = [json.loads(one.message or "") for one in messages_of(aws, stack) if one.kind == "final"]
    assert judge(script.words, received_words(finals), tolerance_samples=1).clean


async def test_a_full_process_refuses(aws: AwsEndpoint, stack: Resources, settings: Settings) -> None:
    put_header(aws, stack, "a")
    put_header(aws, stack, "b")
    small = settings.model_copy(update={"max_sessions": 1})
    async with serving(small) as port, dial(port, SECRET) as peer:
        assert isinstance(await peer.open(1, request("a")), OpenedSession)
        refused = await peer.open(2, request("b"))
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.FULL


async def test_a_session_that_ingest_gave_up_during_the_claim_is_released(
    aws: AwsEndpoint, stack: Resources, settings: Settings
) -> None:
    put_header(aws, stack, "s12")
    async with serving(settings) as port, dial(port, SECRET) as peer:
        await peer.send(Open(handle=1, request=request("s12"), message_id="m1", receipt_handle="r1"))
        await peer.send(Release(handle=1))
        assert (await peer.closed(1)).disposition == "put_back"
        assert isinstance(await peer.open(2, request("s12")), OpenedSession)
    assert log_of(aws, stack, "s12")[1].state.writer is None


async def test_a_process_ends_in_time_even_when_the_store_does_not_answer(
    aws: AwsEndpoint, stack: Resources, settings: Settings
) -> None:
    put_header(aws, stack, "s13")
    async with serving(settings) as port, dial(port, SECRET) as peer:
        assert isinstance(await peer.open(1, request("s13")), OpenedSession)
        aws.dynamodb().delete_table(TableName=stack.table_name)
        began = time.monotonic()
    assert time.monotonic() - began < 6


async def test_a_request_that_no_header_can_be_made_of_ends_no_other_call(
    aws: AwsEndpoint, stack: Resources, settings: Settings
) -> None:
    """It was made before times are counted, and its own header is not there."""
    script = encode_call(9, 2)
    put_header(aws, stack, "s9")
    odd = request("s9-odd").model_copy(update={"occurred_at": datetime(1960, 1, 1, tzinfo=UTC)})
    async with serving(settings) as port, dial(port, SECRET) as peer:
        caller = await play(peer, 1, "s9", script)
        refused = await peer.open(2, odd)
        closed = await caller.finish()
    assert isinstance(refused, Refused)
    assert refused.refusal is Refusal.BUSY
    assert (closed.disposition, closed.reason) == ("delete", "ended")

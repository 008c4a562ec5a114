"""Delivery as a process, between an emulated AWS and a real receiver."""

import asyncio
import time

import pytest

from contracts.audio import Channel
from contracts.model import SessionId
from contracts.session import (
    CallbackMethod,
    DeliveryMark,
    Ended,
    Final,
    Outcome,
    SessionState,
    delivery_mark_key,
    record_key,
)
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver
from tests.integration.delivery.surroundings import Process, Surroundings, arrive, become, ids
from tests.unit.delivery.messages import CONTACT, message

pytestmark = pytest.mark.usefixtures("process")

STATE = SessionState(writer=None, epoch=1, t0_ms=0, covered_samples=(0, 0))


async def test_a_session_is_delivered_in_order_signed_and_marked(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    surroundings.add_session(session, f"{receiver.url}/calls/7")
    now_ms = time.time_ns() // 1_000_000
    places = ((1, 1), (1, 2), (2, 0), (2, 1), (3, 0))
    messages = [message(n, k, at_ms=now_ms, session=session) for n, k in places]
    messages.append(message(4, kind="metadata", at_ms=now_ms, session=session))
    await asyncio.to_thread(surroundings.send, *messages)
    requests = await arrive(receiver, len(messages))
    assert ids(requests) == ["1.1", "1.2", "2", "2.1", "3", "4"]
    assert [request.body for request in requests] == [sent.message for sent in messages]
    for request in requests:
        assert (request.method, request.path, request.signature) == ("POST", "/calls/7", "valid")
        assert request.headers["content-type"] == "application/json"
        assert request.headers["x-contact-id"] == CONTACT
        assert request.headers["x-session-id"] == session
    sequences = [int(request.headers["x-sequence"]) for request in requests]
    assert sequences == sorted(set(sequences))
    await become(surroundings.waiting, 0)
    assert surroundings.mark(session) == (4, 0)


async def test_put_and_basic_authentication_are_as_the_callback_says(
    surroundings: Surroundings, receiver: Receiver, process: Process, session: str
) -> None:
    url = receiver.url.replace("http://", "http://user:passphrase@") + "/put?x=1"
    surroundings.add_session(session, url, CallbackMethod.PUT)
    surroundings.send(message(1, session=session))
    [request] = await arrive(receiver, 1)
    assert (request.method, request.path) == ("PUT", "/put?x=1")
    assert request.headers["authorization"] == "Basic dXNlcjpwYXNzcGhyYXNl"
    assert "passphrase" not in process.log


async def test_a_failing_endpoint_keeps_its_order_and_delays_no_other_session(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    other = f"{session}-other"
    receiver.faults.arm(Fault(path="/slow", status=503, count=2))
    receiver.faults.arm(Fault(path="/slow", kind="drop", count=1))
    surroundings.add_session(session, f"{receiver.url}/slow")
    surroundings.add_session(other, f"{receiver.url}/fine")
    for n in (1, 2, 3):
        surroundings.send(message(n, session=session), message(n, session=other))
    assert ids(await arrive(receiver, 6, "/slow")) == ["1", "1", "1", "1", "2", "3"]
    assert ids(await arrive(receiver, 3, "/fine")) == ["1", "2", "3"]
    await become(surroundings.waiting, 0)
    assert surroundings.mark(session) == (3, 0)


async def test_what_an_endpoint_asks_for_is_waited_for(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    receiver.faults.arm(Fault(status=429, retry_after="1", count=1))
    surroundings.add_session(session, receiver.url)
    surroundings.send(message(1, session=session))
    first, second = await arrive(receiver, 2)
    assert second.received_at_ms - first.received_at_ms >= 1_000
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_what_is_given_up_is_kept_and_told_and_the_session_goes_on(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    receiver.faults.arm(Fault(status=422, count=3))
    surroundings.add_session(session, receiver.url)
    surroundings.send(message(1, session=session), message(2, session=session))
    assert ids(await arrive(receiver, 4)) == ["1", "1", "1", "2"]
    await become(lambda: surroundings.dead_letters(session), ["rejected"])
    [failed] = await asyncio.to_thread(surroundings.failures, session)
    assert (failed.n, failed.k, failed.reason, failed.attempts) == (1, 0, "rejected", 3)
    assert (failed.last_status, failed.contact_id) == (422, CONTACT)
    await become(lambda: surroundings.mark(session), (2, 0))


async def test_an_outage_longer_than_the_patience_ends_in_the_dead_letter_queue(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    receiver.faults.arm(Fault(kind="drop"))
    surroundings.add_session(session, receiver.url)
    await asyncio.to_thread(surroundings.say, session, 1, 2)
    await become(lambda: surroundings.undelivered(session), [1, 2])
    await become(lambda: surroundings.dead_letters(session), ["exhausted", "exhausted"])
    await become(lambda: surroundings.mark(session), (2, 0))
    await become(lambda: surroundings.parked(session), None)
    await become(surroundings.waiting, 0)


async def test_a_gone_endpoint_is_asked_once(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    receiver.faults.arm(Fault(status=410))
    surroundings.add_session(session, receiver.url)
    surroundings.send(*(message(n, k, session=session) for n, k in ((1, 0), (1, 1), (2, 0))))
    await become(surroundings.waiting, 0)
    assert ids(receiver.recorder.received) == ["1"]
    await become(lambda: surroundings.dead_letters(session), ["gone", "gone"])


async def test_a_redirect_is_not_followed(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    receiver.faults.arm(Fault(status=307, location=f"{receiver.url}/elsewhere", path="/here", count=1))
    surroundings.add_session(session, f"{receiver.url}/here")
    surroundings.send(message(1, session=session))
    assert [request.path for request in await arrive(receiver, 2)] == ["/here", "/here"]


async def test_what_was_delivered_before_is_not_delivered_again(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    surroundings.add_session(session, receiver.url)
    mark = DeliveryMark(session_id=SessionId(session), n=5, k=0)
    surroundings.put(delivery_mark_key(mark.session_id), mark, place=5_000_000)
    surroundings.send(*(message(n, session=session) for n in (4, 5, 6)))
    assert ids(await arrive(receiver, 1)) == ["6"]
    await become(surroundings.waiting, 0)
    assert len(receiver.recorder.received) == 1


async def test_a_body_too_large_for_the_queue_comes_from_the_log(
    surroundings: Surroundings, receiver: Receiver, session: str
) -> None:
    surroundings.add_session(session, receiver.url)
    final = Final(
        session_id=SessionId(session),
        n=2,
        written_at_ms=0,
        state=STATE,
        segment_id="s",
        channel=Channel.AGENT,
        start_samples=0,
        end_samples=8,
        transcript="a",
        message='{"large": 1}',
    )
    ended = Ended(
        session_id=SessionId(session),
        n=3,
        written_at_ms=0,
        state=STATE,
        outcome=Outcome.COMPLETED,
        reason="idle",
        explanation="The call ended.",
        end_samples=8,
        metadata_message='{"metadata": 1}',
    )
    surroundings.put(record_key(final.session_id, 2), final)
    surroundings.put(record_key(ended.session_id, 3), ended)
    surroundings.send(
        *(message(n, body=None, session=session) for n in (2, 3, 4)), message(5, session=session)
    )
    requests = await arrive(receiver, 3)
    assert [request.body for request in requests][:2] == ['{"large": 1}', '{"metadata": 1}']
    await become(lambda: surroundings.dead_letters(session), ["message_missing"])


@pytest.mark.parametrize(
    ("callback", "reason"),
    [
        ("ftp://hooks.example/x", "unsupported_scheme"),
        ("http://10.255.255.1/x", "forbidden_address"),
        ("http://169.254.169.254/latest/meta-data/", "forbidden_address"),
        (f"https://{'a' * 1_100}.example/x", "unusable_url"),
    ],
)
async def test_a_callback_that_must_not_be_called_is_given_up_with_the_reason(
    surroundings: Surroundings, process: Process, session: str, callback: str, reason: str
) -> None:
    surroundings.add_session(session, callback)
    surroundings.send(message(1, session=session), message(1, 1, session=session))
    await become(lambda: surroundings.dead_letters(session), [reason])
    await become(surroundings.waiting, 0)
    assert reason in process.log


async def test_a_session_that_nobody_knows_is_given_up(surroundings: Surroundings, session: str) -> None:
    surroundings.send(message(1, session=session))
    await become(lambda: surroundings.dead_letters(session), ["unknown_session"])


async def test_a_session_without_a_callback_is_for_the_bus_alone(
    surroundings: Surroundings, session: str
) -> None:
    surroundings.add_session(session, None)
    surroundings.send(message(1, session=session), message(2, session=session))
    await become(surroundings.waiting, 0)
    assert not await asyncio.to_thread(surroundings.dead_letters, session)


async def test_a_message_that_cannot_be_read_is_kept(surroundings: Surroundings, session: str) -> None:
    surroundings.send_text("{}", session, session)
    await become(lambda: surroundings.dead_letters(session), ["malformed_message"])
    await become(surroundings.waiting, 0)

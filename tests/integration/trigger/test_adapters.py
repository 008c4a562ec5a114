"""The store and the bus when they fail: a real HTTP peer that answers as told."""

import threading
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import boto3

from contracts.events import SessionRequested
from contracts.model import ContactId, SessionId
from contracts.session import ContactSession, MediaStream, SessionHeader
from services.trigger.adapters import event_bus, session_store
from services.trigger.adapters.event_bus import EventBus
from services.trigger.adapters.session_store import SessionStore
from services.trigger.stored import Stored
from tests.integration.trigger.http_peer import Answer as Scripted
from tests.integration.trigger.http_peer import serving

MEDIA = MediaStream(stream_arn="arn", start_fragment_number="1", start_timestamp_ms=1)
REQUESTED = SessionRequested(
    event_id="s.requested",
    session_id=SessionId("s"),
    contact_id=ContactId("c"),
    occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    media=MEDIA,
)
HEADER = SessionHeader(
    session_id=SessionId("s"),
    contact_id=ContactId("c"),
    requested_at_ms=1,
    media=MEDIA,
    deepgram_parameters=(),
    callback=None,
)
ENTRY = ContactSession(contact_id=ContactId("c"), session_id=SessionId("s"), requested_at_ms=1)

ACCEPTED: Scripted = (200, {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})
REFUSED_ENTRY: Scripted = (
    200,
    {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}]},
)
NOT_THE_BUS: Scripted = (200, {"message": "a page of a proxy"})
UNAVAILABLE: Scripted = (503, {"__type": "ServiceUnavailable"})


class Peer:
    """An AWS endpoint that gives the scripted answers in turn."""

    def __init__(self, *answers: Scripted) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.released = threading.Event()

    @contextmanager
    def serve(self) -> Generator[str]:
        with serving(lambda _: self._answer()) as url:
            try:
                yield url
            finally:
                self.released.set()

    def _answer(self) -> Scripted:
        answer = self.answers[self.asked] if self.asked < len(self.answers) else None
        self.asked += 1
        if answer is None:
            self.released.wait(20)
        return answer


def session() -> boto3.Session:
    return boto3.Session("test", "test", region_name="us-east-1")


def publishes(peer: Peer, patience_s: float = 10) -> bool:
    with (
        peer.serve() as url,
        closing(session().client("events", endpoint_url=url, config=event_bus.CONFIG)) as client,
    ):
        return EventBus(client, "bus").publish(REQUESTED, time.monotonic() + patience_s)


def puts(peer: Peer, patience_s: float = 10) -> Stored:
    with (
        peer.serve() as url,
        closing(session().client("dynamodb", endpoint_url=url, config=session_store.CONFIG)) as client,
    ):
        return SessionStore(client, "table", 30).put(HEADER, ENTRY, time.monotonic() + patience_s)


def cancelled(*codes: str) -> Scripted:
    return (
        400,
        {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "CancellationReasons": [{"Code": code} for code in codes],
        },
    )


def test_an_entry_that_failed_once_is_published_by_the_retry() -> None:
    peer = Peer(REFUSED_ENTRY, ACCEPTED)
    assert publishes(peer)
    assert peer.asked == 2


def test_what_is_no_answer_of_the_bus_is_tried_again() -> None:
    peer = Peer(NOT_THE_BUS, ACCEPTED)
    assert publishes(peer)
    assert peer.asked == 2


def test_an_entry_that_fails_twice_is_not_published() -> None:
    peer = Peer(UNAVAILABLE, REFUSED_ENTRY, ACCEPTED)
    assert not publishes(peer)
    assert peer.asked == 2


def test_a_bus_that_never_answers_is_given_up_within_five_seconds() -> None:
    began = time.monotonic()
    assert not publishes(Peer(None, None))
    assert time.monotonic() - began < 5


def test_a_second_attempt_is_not_made_when_the_flow_could_not_wait_for_it() -> None:
    peer = Peer(UNAVAILABLE, ACCEPTED)
    assert not publishes(peer, patience_s=2.5)
    assert peer.asked == 1


def test_a_header_that_is_there_already_counts_as_put() -> None:
    assert puts(Peer(cancelled("ConditionalCheckFailed", "ConditionalCheckFailed"))) is Stored.KNOWN


def test_a_transaction_that_met_another_is_tried_again() -> None:
    peer = Peer(cancelled("TransactionConflict", "None"), (200, {}))
    assert puts(peer) is Stored.NEW
    assert peer.asked == 2


def test_a_store_that_never_answers_is_given_up_within_three_seconds() -> None:
    began = time.monotonic()
    assert puts(Peer(None, None)) is Stored.UNAVAILABLE
    assert time.monotonic() - began < 3

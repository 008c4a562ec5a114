"""What an ingest process lives among: SQS, KVS, and a transcribe on the link."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from contracts.link import End
from contracts.queue import SessionRequestMessage
from embedded.aws import AwsEndpoint
from embedded.resources import Resources
from emulators.connect.uplink import Uplink
from services.ingest.adapters.dial import tls_offers
from services.ingest.adapters.kinesis_video import KinesisVideo
from services.ingest.adapters.links import TranscribeLinks
from services.ingest.adapters.request_queue import RequestQueue
from services.ingest.adapters.shared_media import SharedMedia
from services.ingest.ports import MediaBody, MediaStreams
from services.ingest.service import Ingest
from services.ingest.settings import Endpoint, Settings
from tests.integration.ingest.transcribe_peer import SECRET, Heard, TranscribePeer
from tests.integration.kvs_client import START_MS

CONTACT = "contact-1"


class Surroundings:
    """What an ingest process lives among."""

    def __init__(self, aws: AwsEndpoint, stack: Resources, peer: TranscribePeer) -> None:
        self.aws = aws
        self.stack = stack
        self.peer = peer
        self.bodies = 0
        """GetMedia bodies that ingest opened."""

    def settings(self, **changes: Any) -> Settings:
        defaults: dict[str, Any] = {
            "session_requests_queue_url": self.stack.session_requests_url,
            "transcribe_endpoints": (Endpoint("127.0.0.1", self.peer.port),),
            "link_secret": SecretStr(SECRET),
            "idle_silent_s": 1.5,
            "idle_s": 1.5,
            "transfer_grace_s": 0.1,
        }
        return Settings(**(defaults | changes))

    @contextlib.asynccontextmanager
    async def ingest(self, limits: Any = None, **changes: Any) -> AsyncGenerator[asyncio.Event]:
        """A running ingest; it stops with the context, or when the event is set."""
        settings = self.settings(**changes)
        limits = replace(settings.limits, **(limits or {}))
        stop = asyncio.Event()
        streams = KinesisVideo(read_timeout_s=5, max_bodies=10)
        async with streams, RequestQueue(settings.session_requests_queue_url, 1) as queue:
            offers = tls_offers(lambda: [SECRET])
            links = TranscribeLinks(settings.transcribe_endpoints, offers, "ingest-test")
            async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
                tasks.create_task(
                    Ingest(settings, SharedMedia(_Counted(streams, self)), queue, links, limits).run(stop)
                )
                yield stop
                stop.set()

    def ask(self, uplink: Uplink | None = None, **changes: Any) -> None:
        """Puts a request on the queue, as the bus does."""
        media = {
            "stream_arn": uplink.opened.stream_arn
            if uplink
            else "arn:aws:kinesisvideo:eu-west-2:1:stream/no/1",
            "start_fragment_number": uplink.opened.start_fragment_number if uplink else "1",
            "start_timestamp_ms": START_MS,
        }
        detail = {
            "event_id": "s.requested",
            "session_id": "session-1",
            "contact_id": CONTACT,
            "occurred_at": "2026-01-01T00:00:00Z",
            "media": media,
        } | changes
        envelope = {"detail-type": "Session Requested", "detail": detail}
        SessionRequestMessage.model_validate(envelope)
        self.aws.sqs().send_message(
            QueueUrl=self.stack.session_requests_url, MessageBody=json.dumps(envelope)
        )

    def waiting(self) -> tuple[int, int]:
        """Requests that can be received now, and those that are invisible."""
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer: Any = self.aws.sqs().get_queue_attributes(
            QueueUrl=self.stack.session_requests_url, AttributeNames=names
        )["Attributes"]
        return int(answer[names[0]]), int(answer[names[1]])

    async def ended(self, number: int = 0) -> Heard:
        """The session, when its end was heard."""
        await self.peer.until(lambda: len(self.peer.sessions) > number and self.peer.sessions[number].of(End))
        return self.peer.sessions[number]


class _Counted:
    """Streams whose bodies are counted."""

    def __init__(self, streams: MediaStreams, around: Surroundings) -> None:
        self._streams = streams
        self._around = around

    @contextlib.asynccontextmanager
    async def open(self, stream_arn: str, start_ms: int) -> AsyncGenerator[MediaBody]:
        async with self._streams.open(stream_arn, start_ms) as body:
            self._around.bodies += 1
            yield body

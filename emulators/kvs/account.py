"""The state that the handlers share: streams, quotas, faults, and the bodies that are open."""

import asyncio
import contextlib
import time
import uuid
from collections import defaultdict
from collections.abc import Generator, Sequence

from aiohttp import web

from emulators.kvs.errors import AwsError
from emulators.kvs.faults import EVERY_STREAM, Fault, Faults
from emulators.kvs.fragments import Block
from emulators.kvs.options import KvsOptions
from emulators.kvs.quota import Quota
from emulators.kvs.stream import ContactRecord, Stream
from emulators.kvs.streams import Streams
from emulators.kvs.uplink import Open


def now_ms() -> int:
    """Wall clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


class OpenBody:
    """A GetMedia connection: woken when its stream grows or a fault strikes it."""

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.struck: Fault | None = None

    def strike(self, fault: Fault) -> None:
        """Let the body end as the fault says."""
        self.struck = fault
        self.wake.set()


class Account:
    """One emulated account and region."""

    def __init__(self, options: KvsOptions) -> None:
        self.options = options
        self.streams = Streams(options)
        self.faults = Faults()
        self.uplinks: dict[str, web.Request] = {}
        """The producers' websockets, by stream."""
        self._bodies: defaultdict[str, set[OpenBody]] = defaultdict(set)
        self._quotas = {api: Quota(options.calls_per_s) for api in ("GetDataEndpoint", "GetMedia")}

    def open_contact(self, wish: Open) -> tuple[Stream, ContactRecord]:
        """See `Streams.open_contact`."""
        return self.streams.open_contact(wish, now_ms=now_ms(), token=str(uuid.uuid4()))

    def push(self, stream: Stream, record: ContactRecord, blocks: Sequence[Block]) -> None:
        """Add the blocks of a contact to its stream, and wake the readers."""
        if stream.audio is None or not blocks:
            return
        at_ms = now_ms()
        if record.first_block_at_ms is None:
            record.first_block_at_ms = at_ms
            record.first_producer_ms = min(block.at_ms for block in blocks)
        last_index = stream.last_index
        stream.audio.push(blocks, now_ms=at_ms)
        record.fragments += stream.last_index - last_index
        record.blocks += len(blocks)
        record.audio_bytes += sum(len(block.pcm) for block in blocks)
        record.last_block_at_ms = stream.last_block_at_ms = at_ms
        self._wake(stream)

    def end_contact(self, stream: Stream) -> None:
        """No more audio of the contact that the stream carries."""
        stream.end_contact(now_ms=now_ms())
        self._wake(stream)

    def admit(self, api: str, stream: Stream) -> None:
        """Count a call of `GetDataEndpoint` or `GetMedia` on a stream.

        Raises:
            AwsError: a fault refuses it, or it is one too many.
        """
        if (fault := self.faults.denial(stream.name)) is not None:
            raise AwsError(
                fault.error, f"not authorized to perform: kinesisvideo:{api} on resource: {stream.arn}"
            )
        if not self._quotas[api].allows(stream.name, now_ms=now_ms()):
            raise AwsError(
                "ClientLimitExceededException",
                f"Limit exceeded on number of requests for {api} API for resource '{stream.name}'",
            )

    @contextlib.contextmanager
    def open_body(self, stream: Stream) -> Generator[OpenBody]:
        """Hold one of the stream's GetMedia connections.

        Raises:
            AwsError: all are held.
        """
        bodies = self._bodies[stream.name]
        if len(bodies) >= self.options.max_connections:
            raise AwsError(
                "ConnectionLimitExceededException",
                f"Limit exceeded on number of connections for GetMedia API for resource '{stream.name}'",
            )
        body = OpenBody()
        if (fault := self.faults.body(stream.name)) is not None:
            body.strike(fault)
        bodies.add(body)
        try:
            yield body
        finally:
            bodies.discard(body)

    def connections(self, stream: Stream) -> int:
        """How many GetMedia bodies of the stream are open."""
        return len(self._bodies[stream.name])

    def arm(self, stream_name: str, fault: Fault) -> int:
        """Let a fault happen; returns how many open bodies it struck."""
        self.faults.arm(stream_name, fault, now_ms=now_ms())
        struck = self._open(stream_name)
        for body in struck:
            if fault.kind in ("drop", "end", "error"):
                body.strike(fault)
            body.wake.set()
        return len(struck)

    def close(self) -> None:
        """End all bodies and cut the producers off: the server stops."""
        for request in self.uplinks.values():
            if request.transport is not None:
                request.transport.abort()
        for body in self._open(EVERY_STREAM):
            body.strike(Fault(kind="end"))

    def _open(self, stream_name: str) -> list[OpenBody]:
        if stream_name == EVERY_STREAM:
            return [body for bodies in self._bodies.values() for body in bodies]
        return list(self._bodies[stream_name])

    def _wake(self, stream: Stream) -> None:
        for body in self._bodies[stream.name]:
            body.wake.set()

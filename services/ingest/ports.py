"""What a session's shell needs of the world; adapters provide it."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from contracts.link import AudioChunk, FromIngest, FromTranscribe
from services.ingest.lease import Request


class MediaBody(Protocol):
    """The bytes of one GetMedia call."""

    async def read(self) -> bytes:
        """The next bytes, as soon as there are any; none at the body's end.

        Raises:
            MediaFailure: the body broke off, or nothing came in time.
        """
        ...


class MediaStreams(Protocol):
    """Kinesis video streams."""

    def open(self, stream_arn: str, start_ms: int) -> AbstractAsyncContextManager[MediaBody]:
        """A body from the fragment on that contains the producer time `start_ms`; closed on leaving.

        Raises:
            MediaFailure: on entering, when there is none.
        """
        ...


class LinkUser(Protocol):
    """A session, as its link sees it."""

    def receive(self, frame: FromTranscribe) -> None:
        """A frame for the session's handle."""
        ...

    def link_lost(self, *, given_up: bool) -> None:
        """Nothing can be sent or will come any more; `given_up`: the peer lives, and took us for dead."""
        ...


class Link(Protocol):
    """An open link to one transcribe process."""

    def send(self, frame: FromIngest) -> None:
        """Takes a control frame; it goes after everything taken before."""
        ...

    def send_audio(self, chunk: AudioChunk) -> None:
        """Takes audio; it goes with the next tick's frame."""
        ...

    def leave(self, handle: int) -> None:
        """Nothing is delivered for this handle any more."""
        ...


class Links(Protocol):
    """The links to all transcribe processes."""

    @property
    def ready(self) -> bool:
        """Whether any link may take a session now."""
        ...

    async def run(self) -> None:
        """Keeps the links until it is cancelled."""
        ...

    def assign(self, user: LinkUser) -> tuple[Link, int] | None:
        """The link that has most room, and a handle on it; None: there is none now."""
        ...


class Requests(Protocol):
    """The queue of session requests, whose messages are the sessions' leases."""

    async def receive(self, room: int) -> list[Request]:
        """At most `room` requests, each ours for `VISIBILITY_S`; may wait, and may be none.

        Raises:
            QueueFailure: ask again later.
        """
        ...

    async def extend(self, requests: Iterable[Request], visibility_s: int) -> None:
        """Keeps the messages invisible for `visibility_s` from now on; what fails is tried again later.

        Each request is asked for when it is its turn.
        """
        ...

    async def delete(self, request: Request) -> None:
        """The session is in the log to its end.

        Raises:
            QueueFailure: it shows itself again.
        """
        ...

    async def put_back(self, request: Request, delay_s: int) -> None:
        """Others may receive it after `delay_s`.

        Raises:
            QueueFailure: they receive it when its visibility ends.
        """
        ...

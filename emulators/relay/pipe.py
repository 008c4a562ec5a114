"""One relayed connection: two sockets, and what comes on one goes out on the other."""

import asyncio
import random
from collections.abc import Callable
from typing import Protocol, cast

from emulators.relay.conversation import ERRORS, Conversation, Fate


class Terms(Protocol):
    """What holds for all connections of a relay."""

    is_held: bool

    def fate(self) -> Fate:
        """Of the HTTP request that begins now."""
        ...

    def lost(self, pipe: "Pipe") -> None:
        """The connection is over."""
        ...


class Side(asyncio.Protocol):
    """One of the two sockets."""

    def __init__(self, pipe: "Pipe", take: Callable[[bytes], None]) -> None:
        self._pipe = pipe
        self._take = take
        self._far_is_full = False
        self._kept: list[bytes] = []
        """Came although nothing was to be read: uvloop begins to read whatever `connection_made` asked."""
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open; reading waits until both are."""
        self.transport = cast("asyncio.Transport", transport)  # of a stream; uvloop's is another class
        self.transport.pause_reading()
        self._pipe.opened()

    def data_received(self, data: bytes) -> None:
        """Bytes for the other side."""
        if self._pipe.is_held or self._kept:
            self._kept.append(data)
            self.flow()
        else:
            self._take(data)

    def write(self, data: bytes) -> None:
        """Sends, unless the socket is gone."""
        if data and self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def pause_writing(self) -> None:
        """The peer is slow: the other side's peer has to wait."""
        if self.other is not None:
            self.other.flow(far_is_full=True)

    def resume_writing(self) -> None:
        """The peer took what there was."""
        if self.other is not None:
            self.other.flow(far_is_full=False)

    def flow(self, *, far_is_full: bool | None = None) -> None:
        """Reads or not, as the other side's room and the relay's terms allow."""
        if far_is_full is not None:
            self._far_is_full = far_is_full
        if self.transport is None or self.transport.is_closing():
            return
        if self._far_is_full or self._pipe.is_held:
            self.transport.pause_reading()
            return
        kept, self._kept = self._kept, []
        for data in kept:
            self._take(data)
        self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- why does not matter
        """It is gone, and so is the other."""
        self._pipe.close()

    def close(self, *, reset: bool) -> None:
        """After what was written has been sent, or at once."""
        if self.transport is not None:
            if reset:
                self.transport.abort()
            else:
                self.transport.close()


class Pipe:
    """A client's connection and the one to the server."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._conversation = Conversation()
        self.near = Side(self, self._from_client)
        self.far = Side(self, self._from_server)
        self.near.other, self.far.other = self.far, self.near
        self._closed = False

    @property
    def is_held(self) -> bool:
        """Whether nothing passes: the relay holds, or the server is not reached yet."""
        return self._terms.is_held or self.near.transport is None or self.far.transport is None

    def opened(self) -> None:
        """One of the sockets is open."""
        if self.near.transport is not None and self.far.transport is not None:
            self.flow()

    def flow(self) -> None:
        """The terms have changed."""
        self.near.flow()
        self.far.flow()

    def close(self, *, reset: bool = False) -> None:
        """Ends both connections."""
        if not self._closed:
            self._closed = True
            self.near.close(reset=reset)
            self.far.close(reset=reset)
            self._terms.lost(self)

    def _from_client(self, data: bytes) -> None:
        if self._conversation.begins():
            self._conversation.begin(self._terms.fate())
        onward, back = self._conversation.client(data, random.choice(ERRORS))
        self.far.write(onward)
        self.near.write(back)

    def _from_server(self, data: bytes) -> None:
        if self._conversation.server():
            self.near.write(data)
        else:
            self.close(reset=True)

"""How a link begins and ends: TLS by the shared key, both sides' hello, the version, the closing code."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.frames import CloseCode

from contracts.link import (
    DEAD_AFTER_S,
    HEARTBEAT_S,
    MAX_FRAME_BYTES,
    PATH,
    Hello,
    agreed,
    offered_keys,
)
from services.ingest.adapters.link import TranscribeLink, parsed
from services.ingest.errors import LinkFailed

OPEN_TIMEOUT_S: Final = 3.0
"""For the connection and TLS, and again for the peer's hello."""
CLOSE_TIMEOUT_S: Final = 0.2
"""A dead peer does not answer the closing handshake either."""


type Offers = Callable[[int], ssl.SSLContext]
"""The context for an attempt, by how many failed before it."""


def tls_offers(secrets: Callable[[], Sequence[str]]) -> Offers:
    """Offers one key after the other: while a secret is rotated, the peer may know only one of them."""

    def offer(failed: int) -> ssl.SSLContext:
        offers = offered_keys(secrets())
        return _context(*offers[failed % len(offers)])

    return offer


def _context(identity: str, key: bytes) -> ssl.SSLContext:
    """TLS 1.3 with the pre-shared key: a peer without it, or with a certificate in its place, is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED  # and no authorities
    context.set_psk_client_callback(lambda _hint: (identity, key))
    return context


@asynccontextmanager
async def dial(host: str, port: int, context: ssl.SSLContext, peer: str) -> AsyncGenerator[TranscribeLink]:
    """A link to the transcribe process at this address, its version agreed.

    Raises:
        LinkFailed: nobody there, no such key, no common version.
    """
    address = f"[{host}]" if ":" in host else host
    connecting = connect(
        f"wss://{address}:{port}{PATH}",
        ssl=context,
        proxy=None,
        compression=None,
        open_timeout=OPEN_TIMEOUT_S,
        close_timeout=CLOSE_TIMEOUT_S,
        ping_interval=HEARTBEAT_S,
        ping_timeout=DEAD_AFTER_S - HEARTBEAT_S - CLOSE_TIMEOUT_S,
        max_size=MAX_FRAME_BYTES,
    )
    try:
        connection = await connecting
    except (OSError, WebSocketException, TimeoutError) as error:
        raise LinkFailed("not connected") from error
    code = CloseCode.INTERNAL_ERROR
    try:
        yield TranscribeLink(connection, await _greet(connection, peer))
        code = CloseCode.NORMAL_CLOSURE
    except asyncio.CancelledError:
        code = CloseCode.GOING_AWAY  # the process stops; it is no fault
        raise
    finally:
        await connection.close(code)


async def _greet(connection: ClientConnection, peer: str) -> str:
    """Both sides' hello; gives the peer's name."""
    try:
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            await connection.send(Hello(peer=peer).model_dump_json())
            hello = parsed(await connection.recv())
    except (WebSocketException, TimeoutError) as error:
        raise LinkFailed("no hello") from error
    if not isinstance(hello, Hello):
        raise LinkFailed("no hello")
    if agreed(hello.versions) is None:
        msg = f"no common version in {hello.versions}"
        raise LinkFailed(msg)
    return hello.peer

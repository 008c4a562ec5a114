"""A peer of what is measured, in a process of its own: a protocol over TLS until SIGTERM."""

import asyncio
import json
import signal
import ssl
from collections.abc import Callable

BACKLOG = 2_000


async def serve(name: str, protocol: Callable[[], asyncio.Protocol], certificate: str, key: str) -> None:
    """Listens on a port of loopback, and prints it as `name.ready`."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls, backlog=BACKLOG)
    print(json.dumps({"event": f"{name}.ready", "port": server.sockets[0].getsockname()[1]}), flush=True)
    await stop.wait()

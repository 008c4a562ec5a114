"""A real HTTP peer on a thread of its own, for clients that block."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import override

type Answer = tuple[int, object] | None
"""Status and JSON; None: none is ever given."""


@contextmanager
def serving(answer: Callable[[str], Answer]) -> Generator[str]:
    """The URL of a peer that asks `answer` about each POST, by its `X-Amz-Target`; it may block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            given = answer(self.headers["X-Amz-Target"])
            if given is None:
                return
            body = json.dumps(given[1]).encode()
            self.send_response(given[0])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @override
        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A Deepgram that only counts: websockets over TLS, and results from a script at Deepgram's usual rate.

`python -m benchmarks.transcribe_deepgram CERTIFICATE KEY`: prints the port. The emulator listens to every
sample, which at 500 calls would cost more than what is measured. `GET /figures` tells what was heard so far.

One side talks for `TURN_SAMPLES`, then the other: at the end of a turn a final result of ten words, and an
empty one of the other side; with `interim_results=true` in the query an interim result every
`INTERIM_SAMPLES`. With `silence=true` nobody talks: all finals are empty.
"""

import asyncio
import base64
import hashlib
import json
import struct
import sys
from typing import cast, override
from urllib.parse import parse_qs, urlsplit

import uvloop

from benchmarks.tls_peer import serve
from contracts.audio import CHANNELS, SAMPLE_RATE_HZ, STEREO_SAMPLE_BYTES

TURN_SAMPLES = 4 * SAMPLE_RATE_HZ
INTERIM_SAMPLES = SAMPLE_RATE_HZ // 2
WORDS = "thank you for calling how can I help you today".split()
_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455, 1.3."""
_METADATA = {
    "request_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "model_info": {"name": "2-general-nova", "version": "2024-01-11.36317", "arch": "nova-2"},
    "model_uuid": "c0d1a568-ce81-4fea-97e7-bd45cb1fdf3c",
}
_BINARY, _CLOSE, _PING, _PONG = 2, 8, 9, 10


class Script:
    """What is said on one connection, by the audio that came."""

    def __init__(self, number: int, *, interims: bool, silent: bool) -> None:
        self._interims = interims
        self._silent = silent
        self._talker = number % CHANNELS
        self._began = 0
        self._ends = INTERIM_SAMPLES * (1 + number * 5 % 8)  # connections out of step
        self._told = 0
        self.final = 0

    def hear(self, samples: int) -> list[bytes]:
        """The messages that are due when `samples` have come."""
        messages: list[bytes] = []
        while samples >= self._told + INTERIM_SAMPLES:
            self._told += INTERIM_SAMPLES
            if self._told >= self._ends:
                messages += [
                    self._result(self._talker, final=True),
                    self._result(1 - self._talker, final=True),
                ]
                self._talker, self.final = 1 - self._talker, self._ends
                self._began, self._ends = self._ends, self._ends + TURN_SAMPLES
            elif self._interims and not self._silent:
                messages.append(self._result(self._talker, final=False))
        return messages

    def _result(self, channel: int, *, final: bool) -> bytes:
        start, length = self._began / SAMPLE_RATE_HZ, (self._told - self._began) / SAMPLE_RATE_HZ
        count = round(len(WORDS) * length * SAMPLE_RATE_HZ / TURN_SAMPLES)
        words = [] if self._silent or channel != self._talker else WORDS[:count]
        step = length / max(1, len(words))
        return json.dumps(
            {
                "type": "Results",
                "channel_index": [channel, CHANNELS],
                "duration": length,
                "start": start,
                "is_final": final,
                "speech_final": final,
                "channel": {
                    "alternatives": [
                        {
                            "transcript": " ".join(words),
                            "confidence": 0.9985,
                            "words": [
                                {
                                    "word": word.lower(),
                                    "start": round(start + at * step, 3),
                                    "end": round(start + (at + 0.8) * step, 3),
                                    "confidence": 0.9991,
                                    "punctuated_word": word,
                                }
                                for at, word in enumerate(words)
                            ],
                        }
                    ]
                },
                "metadata": _METADATA,
                "from_finalize": False,
            },
            separators=(",", ":"),
        ).encode()


class Figures:
    """Of all connections."""

    def __init__(self) -> None:
        self.streams: list[Stream] = []
        self.samples = 0
        self.results = 0

    def as_json(self) -> bytes:
        """Sums since the start; the mean audio per connection that no final result covers yet."""
        unheard = sum(each.samples - each.script.final for each in self.streams if each.script)
        figures = {
            "connections": len(self.streams),
            "seconds": self.samples / SAMPLE_RATE_HZ,
            "results": self.results,
            "backlog_bytes": unheard * STEREO_SAMPLE_BYTES / max(1, len(self.streams)),
        }
        return json.dumps(figures).encode()


class Stream(asyncio.Protocol):
    """One connection, by hand: a library would cost more than what is measured."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._buffer = bytearray()
        self._transport: asyncio.WriteTransport | None = None
        self.script: Script | None = None
        self.samples = 0

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.script is None:
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            self._buffer[:] = rest
            self._answer(head.decode("latin-1"))
        if self.script is not None:
            self._read()

    def _answer(self, head: str) -> None:
        assert self._transport is not None  # noqa: S101 -- connected
        first, *lines = head.split("\r\n")
        path = first.split(" ")[1]
        if path == "/figures":
            body = self._figures.as_json()
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            self._transport.close()
            return
        key = next(
            line.partition(":")[2].strip() for line in lines if line.lower().startswith("sec-websocket-key")
        )
        accept = base64.b64encode(hashlib.sha1(f"{key}{_MAGIC}".encode()).digest())  # noqa: S324 -- RFC 6455
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: %b\r\n\r\n" % accept
        )
        query = parse_qs(urlsplit(path).query)
        self.script = Script(
            len(self._figures.streams), interims="interim_results" in query, silent="silence" in query
        )
        self._figures.streams.append(self)

    def _read(self) -> None:
        """Audio is counted, and not unmasked (RFC 6455, 5.2)."""
        buffer = self._buffer
        while len(buffer) >= 14:
            opcode, length, head = buffer[0] & 15, buffer[1] & 127, 6
            if length == 126:
                length, head = struct.unpack_from(">H", buffer, 2)[0], 8
            elif length == 127:
                length, head = struct.unpack_from(">Q", buffer, 2)[0], 14
            if len(buffer) < head + length:
                return
            if opcode == _PING and self._transport is not None:
                mask, masked = buffer[head - 4 : head], buffer[head : head + length]
                told = bytes(byte ^ mask[at % 4] for at, byte in enumerate(masked))
                self._transport.write(struct.pack(">BB", 0x80 | _PONG, length) + told)
            del buffer[: head + length]
            if opcode == _BINARY:
                self._hear(length // STEREO_SAMPLE_BYTES)
            elif opcode == _CLOSE and self._transport is not None:
                self._transport.close()

    def _hear(self, samples: int) -> None:
        assert self.script is not None  # noqa: S101 -- opened
        assert self._transport is not None  # noqa: S101 -- connected
        self.samples += samples
        self._figures.samples += samples
        for message in self.script.hear(self.samples):
            self._figures.results += 1
            length = len(message)
            head = (
                struct.pack(">BB", 0x81, length) if length < 126 else struct.pack(">BBH", 0x81, 126, length)
            )
            self._transport.write(head + message)


def _main(certificate: str, key: str) -> None:
    figures = Figures()
    uvloop.run(serve("deepgram", lambda: Stream(figures), certificate, key))


if __name__ == "__main__":
    _main(*sys.argv[1:])

"""The ingest of the benchmark: one real link, and calls in real time in chunks of 100 ms, out of phase.

`python -m benchmarks.transcribe_feeder PORT SESSIONS`: says that it is ready once every call is open.
"""

import asyncio
import hashlib
import json
import sys
import time
import uuid
from datetime import UTC, datetime

import uvloop

from contracts.audio import SAMPLE_RATE_HZ, STEREO_SAMPLE_BYTES
from contracts.events import SessionRequested
from contracts.link import (
    AudioChunk,
    Credit,
    FromTranscribe,
    Open,
    OpenedSession,
    Started,
)
from contracts.model import ContactId, SessionId
from contracts.session import MediaStream
from services.ingest.adapters.dial import dial, tls_offers
from services.ingest.adapters.link import TranscribeLink

SECRET = "s" * 32
CHUNK_SAMPLES = SAMPLE_RATE_HZ // 10
OPEN_PER_S = 60
STEP_S = 0.004
_NOISE = hashlib.shake_128(b"noise").digest(1 << 20)


class Call:
    """One call, played from when it is open; no further than transcribe gives credit."""

    def __init__(self, link: TranscribeLink) -> None:
        self._link = link
        self._handle = link.join(self)
        self._position = 0
        self._credit = 0
        self._begun: float | None = None
        self.opened = asyncio.Event()

    def ask(self) -> None:
        """Asks for the session."""
        session_id = uuid.uuid4().hex
        request = SessionRequested(
            event_id=f"{session_id}.requested",
            session_id=SessionId(session_id),
            contact_id=ContactId(session_id),
            occurred_at=datetime.now(UTC),
            media=MediaStream(stream_arn="arn:stream", start_fragment_number="1", start_timestamp_ms=1),
        )
        self._link.send(
            Open(handle=self._handle, request=request, message_id=session_id, receipt_handle=session_id)
        )

    def receive(self, frame: FromTranscribe) -> None:
        """As `ports.LinkUser`."""
        match frame:
            case OpenedSession():
                self._begun = time.monotonic()
                self.opened.set()
                self._link.send(Started(handle=self._handle, t0_ms=time.time_ns() // 1_000_000))
            case Credit():
                self._credit = max(self._credit, frame.until_samples)
            case _:
                raise RuntimeError(f"not what a call without disturbance is told: {frame.type}")

    def link_lost(self, *, given_up: bool) -> None:
        """As `ports.LinkUser`."""

    def play(self, now: float) -> None:
        """Sends the chunks whose time has come."""
        if self._begun is None:
            return
        due = min(int((now - self._begun) * SAMPLE_RATE_HZ), self._credit)
        while self._position + CHUNK_SAMPLES <= due:
            size = CHUNK_SAMPLES * STEREO_SAMPLE_BYTES
            at = (self._position + self._handle * 997) * 7 % (len(_NOISE) - size)
            self._link.send_audio(AudioChunk(self._handle, self._position, _NOISE[at : at + size]))
            self._position += CHUNK_SAMPLES


async def _play(calls: list[Call]) -> None:
    while True:
        now = time.monotonic()
        for call in calls:
            call.play(now)
        await asyncio.sleep(STEP_S)


async def _main(port: int, sessions: int) -> None:
    async with (
        dial("127.0.0.1", port, tls_offers(lambda: [SECRET])(0), "bench") as link,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(link.run())
        calls = [Call(link) for _ in range(sessions)]
        tasks.create_task(_play(calls))
        for call in calls:
            call.ask()
            await asyncio.sleep(1 / OPEN_PER_S)
        for call in calls:
            await call.opened.wait()
        print(json.dumps({"event": "feeder.ready"}), flush=True)


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]), int(sys.argv[2])))

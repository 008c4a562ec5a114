"""CPU of ingest's stages, each alone and all together, on one call that comes block by block."""

import itertools
import statistics
import time
from collections.abc import Callable

from benchmarks.connect_stream import BLOCK_MS, CONTACT, T0_MS, pieces
from contracts.audio import samples_of_ms
from contracts.events import SessionRequested
from contracts.link import Credit, OpenedSession
from contracts.model import ContactId
from services.ingest.adapters.pcm_decoder import PcmDecoder
from services.ingest.call_audio import CallAudio
from services.ingest.contact_gate import ContactGate
from services.ingest.fragment_scanner import FragmentScanner
from services.ingest.lease import Request
from services.ingest.limits import Limits
from services.ingest.scanned import Block
from services.ingest.session import Session
from services.ingest.timeline import Timeline

CALL_S = 180
RUNS = 7
CHUNK = samples_of_ms(100)


def measure() -> dict[str, float]:
    """Microseconds of CPU per second of a call, by stage: the median of `RUNS`, stages taking turns."""
    call = [piece.data for piece in itertools.islice(pieces(), 2 * CALL_S * 1000 // BLOCK_MS)]
    blocks = [
        value
        for data in [b"".join(call)]
        for value in FragmentScanner().feed(data)
        if isinstance(value, Block)
    ]
    stages: dict[str, Callable[[], Callable[[], None]]] = {
        "scanner": lambda: _scanner(call),
        "decoder (PyAV)": lambda: _decoder(blocks),
        "timeline and interleave": lambda: _timeline(blocks),
        "path: scanner, gate, PyAV, timeline": lambda: _path(call),
        "session: path, credit, commands": lambda: _session(call),
    }
    taken: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(RUNS):
        for name, prepare in stages.items():
            run = prepare()
            begun = time.process_time()
            run()
            taken[name].append((time.process_time() - begun) * 1e6 / CALL_S)
    return {name: statistics.median(values) for name, values in taken.items()}


def _scanner(call: list[bytes]) -> Callable[[], None]:
    scanner = FragmentScanner()

    def run() -> None:
        for data in call:
            scanner.feed(data)

    return run


def _decoder(blocks: list[Block]) -> Callable[[], None]:
    decoder = PcmDecoder()

    def run() -> None:
        for block in blocks:
            decoder.decode(block.channel, block.payload)

    return run


def _timeline(blocks: list[Block]) -> Callable[[], None]:
    timeline = Timeline(CHUNK)

    def run() -> None:
        for block in blocks:
            timeline.push(block.channel, block.payload, block.at_ms)

    return run


def _path(call: list[bytes]) -> Callable[[], None]:
    audio = CallAudio(ContactGate([ContactId(CONTACT)]), Timeline(CHUNK), PcmDecoder)

    def run() -> None:
        for data in call:
            audio.feed(data)

    return run


def request(session_id: str, stream_arn: str = "arn:x") -> Request:
    """A session request for the one contact there is."""
    detail = SessionRequested.model_validate(
        {
            "event_id": f"{session_id}.requested",
            "session_id": session_id,
            "contact_id": CONTACT,
            "occurred_at": "2026-01-01T00:00:00Z",
            "media": {
                "stream_arn": stream_arn,
                "start_fragment_number": "1",
                "start_timestamp_ms": T0_MS,
            },
        }
    )
    return Request(detail, f"message-{session_id}", "receipt")


def _session(call: list[bytes]) -> Callable[[], None]:
    session = Session(request("s"), Limits(), PcmDecoder, 0.0)
    session.start(0.0)
    session.assigned(1, 0.0)
    session.receive(OpenedSession(handle=1, epoch=1, t0_ms=None, position_samples=0), 0.0)
    session.receive(Credit(handle=1, until_samples=1 << 40), 0.0)
    session.media_opened(0.0)

    def run() -> None:
        for number, data in enumerate(call):
            session.media(data, number * BLOCK_MS / 2000)

    return run


if __name__ == "__main__":
    for stage, microseconds in measure().items():
        print(f"{stage:<40} {microseconds:6.0f} us")

"""CPU of ingest's stages, each alone and all together, on calls that come block by block.

`python -m benchmarks.ingest_stages SESSIONS`: prints one JSON object.
"""

import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.connect_stream import BLOCK_MS, BLOCKS_PER_TRACK, CONTACT, T0_MS, pieces
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

FRAGMENT = 2 * BLOCKS_PER_TRACK
WARM_BLOCKS = FRAGMENT
"""The call's first fragment, which waits for its contact."""
SECONDS = 360
"""Of calls, in one run: one call's six minutes, or less than a second of each of 500."""
RUNS = 7
CHUNK = samples_of_ms(100)

type Step[Item] = Callable[[Item], object]


def measure(sessions: int) -> dict[str, float]:
    """Microseconds of CPU per second of a call, by stage: the median of `RUNS`, stages taking turns.

    The calls' blocks come in turn, as they do in real time: what one call left in the processor's caches,
    the others have replaced by the time of its next block.
    """
    count = max(SECONDS * 1000 // BLOCK_MS * 2 // sessions // FRAGMENT, 2) * FRAGMENT
    call = [piece.data for piece in itertools.islice(pieces(), WARM_BLOCKS + count)]
    blocks = [value for value in FragmentScanner().feed(b"".join(call)) if isinstance(value, Block)]
    taken: dict[str, list[float]] = {}
    for _ in range(RUNS):
        for stage, us in (
            ("scanner", _run(sessions, call, lambda: FragmentScanner().feed)),
            ("decoder (PyAV)", _run(sessions, blocks, _decode)),
            ("timeline and interleave", _run(sessions, blocks, _lay)),
            ("path: scanner, gate, PyAV, timeline", _run(sessions, call, _hear)),
            ("session: path, credit, commands", _run(sessions, call, _live)),
        ):
            taken.setdefault(stage, []).append(us)
    return {stage: statistics.median(values) for stage, values in taken.items()}


def _run[Item](sessions: int, items: list[Item], new: Callable[[], Step[Item]]) -> float:
    steps = [new() for _ in range(sessions)]
    for item in items[:WARM_BLOCKS]:
        for step in steps:
            step(item)
    begun = time.process_time()
    for item in items[WARM_BLOCKS:]:
        for step in steps:
            step(item)
    seconds = (len(items) - WARM_BLOCKS) * BLOCK_MS / 2000 * sessions
    return (time.process_time() - begun) * 1e6 / seconds


def _decode() -> Step[Block]:
    decoder = PcmDecoder()
    return lambda block: decoder.decode(block.channel, block.payload)


def _lay() -> Step[Block]:
    timeline = Timeline(CHUNK)
    return lambda block: timeline.push(block.channel, block.payload, block.at_ms)


def _hear() -> Step[bytes]:
    return CallAudio(ContactGate([ContactId(CONTACT)]), Timeline(CHUNK), PcmDecoder).feed


def _live() -> Step[bytes]:
    session = Session(request("s"), Limits(), PcmDecoder, 0.0)
    session.start(0.0)
    session.assigned(1, 0.0)
    session.receive(OpenedSession(handle=1, epoch=1, t0_ms=None, position_samples=0), 0.0)
    session.receive(Credit(handle=1, until_samples=1 << 40), 0.0)
    session.media_opened(0.0)
    return lambda data: session.media(data, 1.0)


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


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))

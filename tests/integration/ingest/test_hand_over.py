"""A deployment of ingest: a process is told to end, and another one goes on with its sessions."""

import asyncio
import signal
import sys
from pathlib import Path

from contracts.link import Credit, End, EndHint, FromTranscribe, Open, OpenedSession
from embedded.process import Child, Children, Program
from emulators.kvs.server import RunningKvs
from tests.integration.ingest.surroundings import CONTACT, Surroundings
from tests.integration.ingest.transcribe_peer import EVERYTHING, SECRET, Heard
from tests.integration.kvs_client import START_MS, blocks, contact
from tests.unit.ingest.stereo import expected_stereo

WITHIN_S = 5.0
"""Of SIGTERM, all sessions are in other hands; it takes a quarter of a second."""
SESSIONS = ("session-0", "session-1", "session-2")


def whole(around: Surroundings, session: str) -> bytes:
    """What the peer heard of a session, whoever sent it, in the order of its openings."""
    return b"".join(each.pcm for each in around.peer.sessions if each.opened.request.session_id == session)


def since(around: Surroundings, leases: set[str]) -> list[Heard]:
    """Sessions that were opened by other leases, so by another process."""
    return [heard for heard in around.peer.sessions if heard.opened.receipt_handle not in leases]


async def started(around: Surroundings, children: Children) -> Child:
    environment = {
        "SESSION_REQUESTS_QUEUE_URL": around.stack.session_requests_url,
        "TRANSCRIBE_ENDPOINTS": f"127.0.0.1:{around.peer.port}",
        "LINK_SECRET": SECRET,
        "PYTHONWARNINGS": "error",
    }
    child = children.start(Program("ingest", (sys.executable, "-m", "services.ingest"), environment))
    await asyncio.to_thread(child.ready)
    return child


async def test_a_process_that_ends_hands_its_sessions_over_in_time_and_no_sample_is_lost(
    around: Surroundings, kvs: RunningKvs, tmp_path: Path
) -> None:
    sent = blocks(80)
    hint_ms = START_MS + len(sent) // 2 * 64

    def answer(frame: Open) -> list[FromTranscribe]:
        """As of a transcribe that goes on where the audio ended."""
        reached = len(whole(around, frame.request.session_id)) // 4
        t0_ms = START_MS if reached else None
        return [
            OpenedSession(handle=frame.handle, epoch=1, t0_ms=t0_ms, position_samples=reached),
            Credit(handle=frame.handle, until_samples=EVERYTHING),
        ]

    around.peer.answer = answer
    with Children(tmp_path) as children:
        async with contact(kvs, CONTACT) as uplink:
            old = await started(around, children)
            for session in SESSIONS:
                around.ask(uplink, session_id=session)
            await uplink.send(sent[:40])
            await around.peer.until(lambda: all(whole(around, session) for session in SESSIONS))
            async with around.ingest(idle_silent_s=30, idle_s=30):
                await around.peer.until_linked(2)
                leases = {heard.opened.receipt_handle for heard in around.peer.sessions}
                clock = asyncio.get_running_loop().time
                told_at = clock()
                old.signal(signal.SIGTERM)
                await around.peer.until(lambda: len(since(around, leases)) == len(SESSIONS))
                assert clock() - told_at < WITHIN_S
                await uplink.send(sent[40:])
                for heard in since(around, leases):
                    await around.peer.send(EndHint(handle=heard.opened.handle, disconnected_at_ms=hint_ms))
                await around.peer.until(lambda: all(heard.of(End) for heard in since(around, leases)))
            old.signal(signal.SIGKILL)  # it has nothing left but its last look into the queue
    expected = expected_stereo([(block.lane, block.at_ms, block.pcm) for block in sent], START_MS)  # pyright: ignore[reportArgumentType]  # a Lane is 0 or 1, as a Channel
    assert [whole(around, session) == expected for session in SESSIONS] == [True] * len(SESSIONS)
    assert around.waiting() == (0, 0)

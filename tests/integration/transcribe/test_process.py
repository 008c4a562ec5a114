"""The service as a process."""

import sys
from pathlib import Path

from contracts.link import OpenedSession
from embedded.aws import AwsEndpoint
from embedded.process import Children, Program
from embedded.resources import Resources
from services.transcribe.settings import Settings
from tests.integration.transcribe.conftest import KEY, SECRET
from tests.integration.transcribe.link_client import Caller, dial
from tests.integration.transcribe.outcome import put_header, request


async def test_it_says_when_it_is_ready_and_hands_over_on_sigterm(
    aws: AwsEndpoint, stack: Resources, settings: Settings, tmp_path: Path
) -> None:
    put_header(aws, stack, "s")
    environment = {
        **aws.environment,
        "SESSIONS_TABLE": settings.sessions_table,
        "TRANSCRIPTS_QUEUE_URL": settings.transcripts_queue_url,
        "SESSION_REQUESTS_QUEUE_URL": settings.session_requests_queue_url,
        "EVENT_BUS_NAME": settings.event_bus_name,
        "LINK_SECRET": SECRET,
        "LINK_HOST": "127.0.0.1",
        "LINK_PORT": "0",
        "DEEPGRAM_API": settings.deepgram_api,
        "DEEPGRAM_API_KEY": KEY,
    }
    program = Program("transcribe", (sys.executable, "-m", "services.transcribe"), environment)
    with Children(tmp_path) as children:
        child = children.start(program)
        port = child.ready()["port"]
        assert isinstance(port, int)
        async with dial(port, SECRET) as peer:
            opened = await peer.open(1, request("s"))
            assert isinstance(opened, OpenedSession)
            caller = Caller(peer, opened, bytes(4 * 8000), 1)
            await caller.play()
            child.terminate()
            assert (await peer.closed(1)).disposition == "put_back"
        assert child.stop(5) == 0
    lines = child.log.read_text()
    assert "transcribe.stopped" in lines
    assert KEY not in lines
    assert SECRET not in lines

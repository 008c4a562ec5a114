"""The life of delivery's process."""

import asyncio
from pathlib import Path

import pytest

from embedded.process import ProcessFailed
from emulators.receiver.faults import Fault
from emulators.receiver.server import Receiver
from tests.integration.delivery.surroundings import Process, Surroundings, arrive, ids
from tests.unit.delivery.messages import message


async def test_a_stopped_process_hands_over_at_once(
    surroundings: Surroundings, receiver: Receiver, session: str, tmp_path: Path
) -> None:
    receiver.faults.arm(Fault(status=503))
    surroundings.add_session(session, receiver.url)
    surroundings.send(*(message(n, session=session) for n in (1, 2, 3)))
    first = Process(surroundings, tmp_path / "first", {"RETRY_SCHEDULE_S": "600 600 600"})
    await asyncio.to_thread(first.start)
    await arrive(receiver, 1)
    await asyncio.to_thread(first.stop)
    receiver.faults.clear()
    before = len(receiver.recorder.received)
    second = Process(surroundings, tmp_path / "second")
    await asyncio.to_thread(second.start)
    assert ids(await arrive(receiver, 3, after=before)) == ["1", "2", "3"]
    await asyncio.to_thread(second.stop)


def test_settings_that_cannot_work_end_the_process_with_their_names(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    settings = {"SIGNING_SECRETS": "whsec_short", "CALLBACK_ALLOWED_NETWORKS": "everywhere"}
    process = Process(surroundings, tmp_path, settings)
    with pytest.raises(ProcessFailed, match="exit code 2"):
        process.start()
    assert "signing_secrets" in process.log
    assert "callback_allowed_networks" in process.log
    assert "whsec_short" not in process.log

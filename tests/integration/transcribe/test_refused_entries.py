"""What a session does about entries that the queue or the bus never takes, with ways out that say so."""

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from contracts.metrics import OUTPUT_DROPPED
from contracts.queue import TranscriptMessage
from contracts.session import LogRecord
from services.transcribe.adapters.batches import Batches
from services.transcribe.adapters.doors import Door
from services.transcribe.adapters.live_session import LiveSession, Outside
from services.transcribe.inputs import Appended, Detached
from services.transcribe.ports import Answer, BusEntry, QueueEntry
from services.transcribe.session import Session
from services.transcribe.session_log import OVER
from telemetry.metrics import Metrics
from tests.unit.transcribe.records import SESSION, ended, final, header, opened
from tests.unit.transcribe.results import results

if TYPE_CHECKING:
    from services.transcribe.ports import RequestLease, SessionStore

YES = Answer(accepted=True)
NEVER = Answer(accepted=False, rejected=True)


class Log:
    """Takes every record."""

    async def append(self, record: LogRecord) -> Appended:
        assert record.n
        return Appended(1.0)

    async def unlist(self, session_id: str, requested_at_ms: int) -> None:
        assert session_id == SESSION
        assert requested_at_ms


class Ways:
    """Refuses what holds `refused`."""

    def __init__(self, refused: str) -> None:
        self._refused = refused
        self.messages: list[TranscriptMessage] = []
        self.segments: list[dict[str, object]] = []

    async def send(self, entries: Sequence[QueueEntry]) -> list[Answer]:
        taken = [entry for entry in entries if self._refused not in entry.body]
        self.messages += [TranscriptMessage.model_validate_json(entry.body) for entry in taken]
        return [YES if entry in taken else NEVER for entry in entries]

    async def put(self, entries: Sequence[BusEntry]) -> list[Answer]:
        taken = [entry for entry in entries if self._refused not in entry.detail]
        self.segments += [json.loads(e.detail) for e in taken if e.detail_type == "Transcript Segment"]
        return [YES if entry in taken else NEVER for entry in entries]


async def announced(ways: Ways) -> list[str]:
    """Announces two finals and an end; the lines of metrics."""
    lines: list[str] = []
    metrics = Metrics("test", lines.append, stack="test")
    queue, bus = Batches("queue", ways.send), Batches("bus", ways.put)
    outside = Outside(
        store=cast("SessionStore", Log()),
        queue=queue,
        bus=bus,
        lease=cast("RequestLease", None),
        door=Door(metrics),
        metrics=metrics,
        deepgram_api="ws://127.0.0.1:9/",
        deepgram_api_key="k",
    )
    odd, even = (results(1, 1.0, 1.0, (word, 1.1, 1.5)) for word in ("odd", "even"))
    session = Session(header(), [opened(1), final(2, odd), final(3, even), ended(4)], refuse=OVER)
    live = LiveSession(header(), "", session, outside)
    live.put(Detached())
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        lasting = [tasks.create_task(way.run()) for way in (queue, bus)]
        await live.run()
        for task in lasting:
            task.cancel()
    metrics.flush(0)
    return lines


async def test_what_is_refused_goes_without_the_text_that_the_log_has() -> None:
    ways = Ways("odd")
    lines = await announced(ways)
    texts = [(message.n, message.message is None) for message in ways.messages]
    assert texts == [(2, True), (3, False), (4, False)]
    assert [bool(segment["deepgram"]) for segment in ways.segments] == [False, True]
    assert [segment["transcript"] for segment in ways.segments] == ["Hello there"] * 2
    assert not any(OUTPUT_DROPPED.name in line for line in lines)


async def test_what_is_refused_whatever_it_holds_is_left_out_and_counted_and_the_end_still_comes() -> None:
    ways = Ways('"')
    lines = await announced(ways)
    assert (ways.messages, ways.segments) == ([], [])
    [counted] = [json.loads(line)[OUTPUT_DROPPED.name] for line in lines if OUTPUT_DROPPED.name in line]
    assert counted >= 5

"""The whole ingest process between its real peers: SQS, KVS, and a transcribe on the link."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tracemalloc
from typing import Any

from contracts.audio import CHANNELS, samples_of_ms
from contracts.link import (
    STREAM_QUIET,
    Abort,
    Credit,
    End,
    FromTranscribe,
    Gate,
    Notice,
    Open,
    OpenedSession,
    Refusal,
    Refused,
    Release,
    Rewind,
    Started,
)
from emulators.kvs.faults import Fault
from emulators.kvs.fragments import Block
from emulators.kvs.server import RunningKvs
from services.ingest.settings import Endpoint
from tests.integration.ingest.surroundings import CONTACT, Surroundings
from tests.integration.ingest.transcribe_peer import (
    EVERYTHING,
    SECRET,
    WAIT_S,
    transcribe_peer,
)
from tests.integration.kvs_client import START_MS, blocks, contact
from tests.unit.ingest.stereo import expected_stereo


def stereo(sent: list[Block]) -> bytes:
    return expected_stereo([(block.lane, block.at_ms, block.pcm) for block in sent], START_MS)  # pyright: ignore[reportArgumentType]  # a Lane is 0 or 1, as a Channel


async def test_a_call_arrives_whole_and_its_request_is_deleted(around: Surroundings, kvs: RunningKvs) -> None:
    sent = blocks(80)
    async with around.ingest(), contact(kvs, CONTACT) as uplink:
        around.ask(uplink)
        for number in range(0, len(sent), 8):
            await uplink.send(sent[number : number + 8])
        heard = await around.ended()
    assert heard.of(Started) == [Started(handle=heard.opened.handle, t0_ms=START_MS)]
    assert heard.pcm == stereo(sent)
    assert len(heard.of(Gate)) == 1
    [end] = heard.of(End)
    assert (end.position_samples, end.reason) == (len(heard.pcm) // (2 * CHANNELS), "idle")
    assert around.waiting() == (0, 0)


async def test_the_same_stream_split_over_bodies_loses_nothing(around: Surroundings, kvs: RunningKvs) -> None:
    sent = blocks(120)
    async with around.ingest(), contact(kvs, CONTACT) as uplink:
        around.ask(uplink)
        for number in range(0, len(sent), 40):
            await uplink.send(sent[number : number + 40])
            await around.peer.until(
                lambda until=number // 2 * 64 + 500: (
                    around.peer.sessions and around.peer.sessions[0].end_samples >= samples_of_ms(until)
                )
            )
            kind: Any = ["end", "drop", "error"][number // 40 % 3]
            kvs.account.arm("*", Fault(kind=kind))
        heard = await around.ended()
    assert heard.pcm == stereo(sent)


async def test_a_hole_of_both_sides_is_told_with_its_range_and_is_silence(
    around: Surroundings, kvs: RunningKvs
) -> None:
    sent = [*blocks(34), *blocks(34, first=100)]
    async with around.ingest(), contact(kvs, CONTACT) as uplink:
        around.ask(uplink)
        await uplink.send(sent)
        heard = await around.ended()
    told = [(n.code, n.from_samples, n.to_samples) for n in heard.of(Notice) if n.code != STREAM_QUIET]
    assert told == [("audio_missing", samples_of_ms(34 * 64), samples_of_ms(100 * 64))]
    assert heard.pcm == stereo(sent)


async def test_a_stream_that_is_not_there_is_aborted_with_the_reason(around: Surroundings) -> None:
    async with around.ingest():
        around.ask()
        await around.peer.until(lambda: around.peer.sessions and around.peer.sessions[0].of(Abort))
    [abort] = around.peer.sessions[0].of(Abort)
    assert abort.reason == "stream_not_found"


async def test_a_lost_link_costs_no_sample(around: Surroundings, kvs: RunningKvs) -> None:
    sent = blocks(80)
    again = samples_of_ms(1700) + 5

    def answer(frame: Open) -> list[FromTranscribe]:
        if len(around.peer.sessions) == 1:
            return around.peer.claim(frame)
        return [
            OpenedSession(handle=frame.handle, epoch=2, t0_ms=START_MS, position_samples=again),
            Credit(handle=frame.handle, until_samples=EVERYTHING),
        ]

    around.peer.answer = answer
    async with around.ingest(), contact(kvs, CONTACT) as uplink:
        around.ask(uplink)
        await uplink.send(sent[:80])
        await around.peer.until(lambda: around.peer.sessions and around.peer.sessions[0].end_samples >= again)
        around.peer.connections[0].transport.abort()
        await uplink.send(sent[80:])
        heard = await around.ended(1)
    first = around.peer.sessions[0]
    assert first.pcm == stereo(sent)[: len(first.pcm)]
    assert heard.opened.message_id == first.opened.message_id
    assert heard.pcm == stereo(sent)[4 * again :]


async def test_a_slow_peer_stops_the_reading_and_loses_nothing(around: Surroundings, kvs: RunningKvs) -> None:
    sent = blocks(120)
    around.peer.answer = lambda frame: [
        OpenedSession(handle=frame.handle, epoch=1, t0_ms=None, position_samples=0),
        Credit(handle=frame.handle, until_samples=samples_of_ms(1000)),
    ]
    async with around.ingest(), contact(kvs, CONTACT) as uplink:
        around.ask(uplink)
        await uplink.send(sent)
        await around.peer.until(lambda: around.peer.sessions and around.peer.sessions[0].pcm)
        [heard] = around.peer.sessions
        for until_ms in range(2000, 9000, 1000):
            assert heard.end_samples <= samples_of_ms(until_ms - 1000)
            credit = samples_of_ms(until_ms)
            await around.peer.send(Credit(handle=heard.opened.handle, until_samples=credit))
            reached = min(credit, samples_of_ms(7600))
            await around.peer.until(lambda reached=reached: heard.end_samples >= reached)
        await around.ended()
    assert heard.pcm == stereo(sent)


async def test_a_rewind_sends_it_again(around: Surroundings, kvs: RunningKvs) -> None:
    sent = blocks(60)
    async with around.ingest(), contact(kvs, CONTACT) as uplink:
        around.ask(uplink)
        await uplink.send(sent)
        await around.peer.until(
            lambda: around.peer.sessions and around.peer.sessions[0].end_samples >= samples_of_ms(3000)
        )
        [heard] = around.peer.sessions
        before = len(heard.pcm)
        await around.peer.send(Rewind(handle=heard.opened.handle, position_samples=8007))
        await around.peer.send(Credit(handle=heard.opened.handle, until_samples=1 << 40))
        await around.ended()
    assert heard.pcm[before:] == stereo(sent)[4 * 8007 :]


async def test_a_stop_releases_sessions_and_puts_their_requests_back(
    around: Surroundings, kvs: RunningKvs
) -> None:
    async with around.ingest() as stop, contact(kvs, CONTACT) as uplink:
        around.ask(uplink)
        await uplink.send(blocks(20))
        await around.peer.until(lambda: around.peer.sessions and around.peer.sessions[0].pcm)
        stop.set()
        await around.peer.until(lambda: around.peer.sessions[0].of(Release))
    assert around.waiting() == (1, 0)


async def test_a_full_process_leaves_requests_to_others(around: Surroundings, kvs: RunningKvs) -> None:
    async with around.ingest(max_sessions=1), contact(kvs, CONTACT) as uplink:
        around.ask(uplink)
        await uplink.send(blocks(20))
        await around.peer.until(lambda: around.peer.sessions and around.peer.sessions[0].pcm)
        around.ask(uplink, session_id="session-2")
        assert around.waiting() == (1, 1)
        await around.ended(1)
    assert [heard.opened.request.session_id for heard in around.peer.sessions] == ["session-1", "session-2"]


async def test_a_full_peer_is_left_for_another(around: Surroundings, kvs: RunningKvs) -> None:
    around.peer.answer = lambda frame: [
        Refused(handle=frame.handle, refusal=Refusal.FULL, explanation="", retry_after_s=60)
    ]
    async with transcribe_peer() as second:
        endpoints = (Endpoint("127.0.0.1", around.peer.port), Endpoint("127.0.0.1", second.port))
        async with around.ingest(transcribe_endpoints=endpoints), contact(kvs, CONTACT) as uplink:
            await uplink.send(blocks(20))
            for number in range(3):
                around.ask(uplink, session_id=f"session-{number}")
            await second.until(
                lambda: len(second.sessions) == 3 and all(heard.of(End) for heard in second.sessions)
            )
    assert len(around.peer.sessions) <= 2


async def test_a_request_of_a_session_that_is_served_is_deleted(
    around: Surroundings, kvs: RunningKvs
) -> None:
    def answer(frame: Open) -> list[FromTranscribe]:
        if len(around.peer.sessions) > 1:
            return around.peer.claim(frame)
        return [Refused(handle=frame.handle, refusal=Refusal.ALREADY_SERVED, explanation="")]

    around.peer.answer = answer
    async with around.ingest(), contact(kvs, CONTACT) as uplink:
        around.ask(uplink)
        await around.peer.until(lambda: around.peer.sessions)
        await uplink.send(blocks(20))
        around.ask(uplink, session_id="session-2")
        await around.ended(1)
    assert around.waiting() == (0, 0)


async def test_a_session_is_handed_over_to_this_process_itself_and_loses_nothing(
    around: Surroundings, kvs: RunningKvs
) -> None:
    sent = blocks(200)

    def answer(frame: Open) -> list[FromTranscribe]:
        reached = sum(len(heard.pcm) for heard in around.peer.sessions) // 4
        return [
            OpenedSession(
                handle=frame.handle,
                epoch=len(around.peer.sessions),
                t0_ms=START_MS if reached else None,
                position_samples=reached,
            ),
            Credit(handle=frame.handle, until_samples=EVERYTHING),
        ]

    around.peer.answer = answer
    async with (
        around.ingest({"hand_over_s": 2.0}, idle_silent_s=1.2, idle_s=1.2),
        contact(kvs, CONTACT) as uplink,
    ):
        around.ask(uplink)
        at = 0
        while len(around.peer.sessions) < 2:
            await uplink.send(sent[at : at + 8])
            at += 8
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.2):
                    await around.peer.until(lambda: len(around.peer.sessions) > 1)
        await uplink.send(sent[at:])
        await around.peer.until(lambda: any(heard.of(End) for heard in around.peer.sessions))
    sessions = around.peer.sessions
    assert sessions[0].of(Release)
    assert {heard.opened.message_id for heard in sessions} == {sessions[0].opened.message_id}
    assert b"".join(heard.pcm for heard in sessions) == stereo(sent)
    assert around.waiting() == (0, 0)


async def test_a_slow_session_costs_the_others_nothing_and_the_process_no_memory(
    around: Surroundings, kvs: RunningKvs
) -> None:
    sent = blocks(400)

    def answer(frame: Open) -> list[FromTranscribe]:
        starved = frame.request.session_id == "session-0"
        credit = samples_of_ms(500) if starved else EVERYTHING
        return [
            OpenedSession(handle=frame.handle, epoch=1, t0_ms=None, position_samples=0),
            Credit(handle=frame.handle, until_samples=credit),
        ]

    around.peer.answer = answer
    async with (
        around.ingest() as stop,
        contact(kvs, CONTACT) as starved,
        contact(kvs, CONTACT) as first,
        contact(kvs, CONTACT) as second,
    ):
        uplinks = (starved, first, second)
        for number, uplink in enumerate(uplinks):
            around.ask(uplink, session_id=f"session-{number}")
        await around.peer.until(lambda: len(around.peer.sessions) == 3)
        tracemalloc.start()
        for uplink in uplinks:
            await uplink.send(sent)
        by_name = {str(heard.opened.request.session_id): heard for heard in around.peer.sessions}
        quick = [by_name["session-1"], by_name["session-2"]]
        await around.peer.until(lambda: all(heard.of(End) for heard in quick))
        held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/services/ingest/*")])
        tracemalloc.stop()
        assert all(heard.pcm == stereo(sent) for heard in quick)
        assert by_name["session-0"].end_samples == samples_of_ms(500)
        assert not by_name["session-0"].of(End)
        # 25 seconds are 800 kB; what is held is one read of the body, and what it became.
        assert sum(trace.size for trace in held.statistics("filename")) < 600_000
        stop.set()


async def test_twenty_sessions_of_one_stream_are_each_served_whole(
    around: Surroundings, kvs: RunningKvs
) -> None:
    sent = blocks(20)
    async with around.ingest(), contact(kvs, CONTACT) as uplink:
        for number in range(20):
            around.ask(uplink, session_id=f"session-{number}", pace_realtime=number > 0)
        await uplink.send(sent)
        await around.peer.until(
            lambda: len(around.peer.sessions) == 20 and all(heard.of(End) for heard in around.peer.sessions)
        )
    assert all(heard.pcm == stereo(sent) for heard in around.peer.sessions)


async def test_the_process_says_that_it_is_ready_and_ends_cleanly(around: Surroundings) -> None:
    environment = {
        **os.environ,
        "SESSION_REQUESTS_QUEUE_URL": around.stack.session_requests_url,
        "TRANSCRIBE_ENDPOINTS": f"localhost:{around.peer.port}",
        "LINK_SECRET": SECRET,
        "HEALTH_HOST": "127.0.0.1",
        "HEALTH_PORT": "0",
        "PYTHONWARNINGS": "error",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.ingest"), stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        while json.loads(await process.stdout.readline())["event"] != "ingest.ready":
            pass
        await around.peer.until_linked()
        process.send_signal(signal.SIGTERM)
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert json.loads(out.splitlines()[-1])["event"] == "ingest.stopped"

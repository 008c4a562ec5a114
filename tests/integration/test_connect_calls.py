"""Calls from the Connect emulator through the KVS emulator, read by AWS's own client."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from emulators.connect.audio import PcmSource
from emulators.connect.blocks import BLOCK_SAMPLES, Cut
from emulators.connect.call import Answered, Call, Ended, Happening, Started
from emulators.connect.event import Answer, Mistake
from emulators.connect.instance import Instance, open_instance
from emulators.connect.uplink import UplinkRefused
from emulators.kvs.fragments import Lane
from emulators.kvs.options import KvsOptions
from emulators.kvs.server import RunningKvs, serve
from tests.integration.kvs_client import READ_TIMEOUT_S, clients, read
from tests.unit.emulators.ebml_reader import audio_of, fragments_of

FROM, TO = Lane.FROM_CUSTOMER.track_name, Lane.TO_CUSTOMER.track_name
SPEED = 20.0


class Flow:
    """A function that remembers its events."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, object]] = []

    async def __call__(self, event: Mapping[str, object]) -> Answer:
        self.events.append(event)
        return Answer("success", {"lambdaResult": "success"})


@pytest.fixture
def flow() -> Flow:
    return Flow()


@pytest.fixture
async def kvs() -> AsyncIterator[RunningKvs]:
    async with serve(KvsOptions(idle_s=0.2, reuse_after_s=0)) as running:
        yield running


@pytest.fixture
async def instance(kvs: RunningKvs, flow: Flow) -> AsyncIterator[Instance]:
    async with open_instance(kvs_url=kvs.base_url, function=flow) as opened:
        yield opened


def noise(samples: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(4 * samples)


def side(stereo: bytes, lane: Lane) -> bytes:
    return np.frombuffer(stereo, "<i2").reshape(-1, 2)[:, lane].tobytes()


def data_of(event: Mapping[str, Any]) -> dict[str, object]:
    return event["Details"]["ContactData"]


@pytest.mark.parametrize("samples", [1, 312, 4_000, 40_000, 40_960])
async def test_get_media_returns_the_audio_that_was_played(
    kvs: RunningKvs, instance: Instance, samples: int
) -> None:
    audio = noise(samples)
    played = await instance.play(Call(source=PcmSource(audio), speed=SPEED))
    async with clients(kvs) as (_, media):
        fragments = fragments_of(await read(media, played.started.stream_arn))
    blocks = [block for fragment in fragments for block in fragment.blocks]
    for lane in Lane:
        heard = audio_of(fragments, lane.track_name)
        assert heard[: 2 * samples] == side(audio, lane)
        assert heard[2 * samples :] == bytes(2 * (played.ended.samples - samples))
        assert played.ended.samples - samples < BLOCK_SAMPLES
        times = [ms for name, ms, _ in blocks if name == lane.track_name]
        sizes = [len(pcm) for name, _, pcm in blocks if name == lane.track_name]
        starts = np.cumsum([0, *sizes])[:-1] // 16 + played.started.start_at_ms
        assert times == starts.tolist()
        assert set(sizes) <= {1024, 624}
        assert sizes.count(624) == 1


async def test_the_odd_pair_stands_five_blocks_before_the_end(kvs: RunningKvs, instance: Instance) -> None:
    played = await instance.play(Call(source=PcmSource(noise(20_000)), speed=SPEED))
    async with clients(kvs) as (_, media):
        fragments = fragments_of(await read(media, played.started.stream_arn))
    sizes = [len(pcm) for fragment in fragments for name, _, pcm in fragment.blocks if name == FROM]
    assert sizes.index(624) == len(sizes) - 6


async def test_the_function_is_told_where_the_audio_is(
    kvs: RunningKvs, instance: Instance, flow: Flow
) -> None:
    call = Call(
        source=PcmSource(noise(8_000)),
        attributes={"dg_callback": "http://127.0.0.1/{contact-id}"},
        parameters={"action": "start"},
        previous_contact_id="contact-0",
        speed=SPEED,
    )
    played = await instance.play(call)
    (event,) = flow.events
    data = data_of(event)
    assert event["Name"] == "ContactFlowEvent"
    assert data["ContactId"] == call.contact_id
    assert data["PreviousContactId"] == "contact-0"
    assert data["Attributes"] == call.attributes
    assert data["MediaStreams"] == {
        "Customer": {
            "Audio": {
                "StreamARN": played.started.stream_arn,
                "StartTimestamp": str(played.started.start_at_ms),
                "StopTimestamp": None,
                "StartFragmentNumber": played.started.start_fragment_number,
            }
        }
    }
    (record,) = next(iter(kvs.account.streams)).contacts
    assert record.first_producer_ms == played.started.start_at_ms
    async with clients(kvs) as (_, media):
        fragments = fragments_of(await read(media, played.started.stream_arn))
    assert fragments[0].number == played.started.start_fragment_number
    assert fragments[0].tags["ContactId"] == call.contact_id
    assert fragments[0].tags["InstanceId"] == str(data["InstanceARN"]).rsplit("/", 1)[1]


async def test_what_happens_is_told_in_order(instance: Instance) -> None:
    told: list[Happening] = []
    played = await instance.play(Call(source=PcmSource(noise(4_000)), speed=SPEED), told.append)
    assert [type(happening) for happening in told] == [Started, Answered, Ended]
    assert played.answers == (Answer("success", {"lambdaResult": "success"}),)


async def test_a_looping_flow_invokes_the_function_again(instance: Instance, flow: Flow) -> None:
    played = await instance.play(Call(source=PcmSource(noise(4_000)), loops=3, speed=SPEED))
    assert len(played.answers) == 4
    assert all(event == flow.events[0] for event in flow.events)


async def test_calls_at_once_have_a_stream_each(kvs: RunningKvs, instance: Instance) -> None:
    audio = [noise(20_000, seed) for seed in range(8)]
    calls = [Call(source=PcmSource(pcm), speed=SPEED) for pcm in audio]
    played = await instance.play_all(calls, stagger_s=0.005)
    assert [one.started.contact_id for one in played] == [call.contact_id for call in calls]
    assert len({one.started.stream_arn for one in played}) == 8
    async with clients(kvs) as (_, media):
        bodies = await asyncio.gather(*(read(media, one.started.stream_arn) for one in played))
    for pcm, body in zip(audio, bodies, strict=True):
        assert audio_of(fragments_of(body), TO).startswith(side(pcm, Lane.TO_CUSTOMER))


async def test_a_call_takes_as_long_as_its_audio(instance: Instance) -> None:
    loop = asyncio.get_running_loop()
    begun_at = loop.time()
    played = await instance.play(Call(source=PcmSource(noise(8_000))))
    assert loop.time() - begun_at >= played.ended.samples / 8_000


async def test_the_agent_may_join_late_and_blocks_may_be_short(kvs: RunningKvs, instance: Instance) -> None:
    call = Call(
        source=PcmSource(noise(16_000)),
        cut=Cut(odd_samples=0, agent_starts_ms=640, short_every=4),
        speed=SPEED,
    )
    played = await instance.play(call)
    async with clients(kvs) as (_, media):
        fragments = fragments_of(await read(media, played.started.stream_arn))
    every = [block for fragment in fragments for block in fragment.blocks]
    assert min(ms for name, ms, _ in every if name == TO) == played.started.start_at_ms + 640
    customer = [(ms - played.started.start_at_ms, len(pcm)) for name, ms, pcm in every if name == FROM]
    assert customer == [(64 * n, 192 if n % 4 == 3 else 1024) for n in range(32)]


async def test_a_flow_may_stream_one_direction_only(kvs: RunningKvs, instance: Instance) -> None:
    audio = noise(20_000)
    played = await instance.play(Call(source=PcmSource(audio), customer_only=True, speed=SPEED))
    async with clients(kvs) as (_, media):
        fragments = fragments_of(await read(media, played.started.stream_arn))
    assert {tuple(fragment.tracks) for fragment in fragments} == {((1, FROM),)}
    assert audio_of(fragments, FROM).startswith(side(audio, Lane.FROM_CUSTOMER))


async def stream_arn_with(instance: Instance, flow: Flow, mistake: Mistake) -> object:
    await instance.play(Call(source=PcmSource(noise(1_000)), mistake=mistake, speed=SPEED))
    streams: Any = data_of(flow.events[-1])["MediaStreams"]
    audio: dict[str, object] | None = streams["Customer"]["Audio"]
    return None if audio is None else audio["StreamARN"]


async def test_a_flow_may_be_wrong_about_the_stream(kvs: RunningKvs, instance: Instance, flow: Flow) -> None:
    assert await stream_arn_with(instance, flow, Mistake.NO_MEDIA_STREAMS) is None
    assert await stream_arn_with(instance, flow, Mistake.MALFORMED_STREAM) == "unknown"
    unknown = await stream_arn_with(instance, flow, Mistake.UNKNOWN_STREAM)
    async with clients(kvs) as (_, media):
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            await read(media, str(unknown))


async def test_a_flow_may_have_set_no_attribute(instance: Instance, flow: Flow) -> None:
    call = Call(
        source=PcmSource(noise(1_000)),
        attributes={"dg_model": "nova-3"},
        mistake=Mistake.NULL_ATTRIBUTES,
        speed=SPEED,
    )
    await instance.play(call)
    assert data_of(flow.events[0])["Attributes"] is None


async def test_without_a_kvs_emulator_there_is_no_call(flow: Flow) -> None:
    async with open_instance(kvs_url="http://127.0.0.1:9", function=flow) as opened:
        with pytest.raises(UplinkRefused, match="no KVS emulator"):
            await opened.play(Call(source=PcmSource(noise(1_000))))


async def test_a_call_ends_with_its_kvs_emulator(flow: Flow) -> None:
    begun = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        async with serve() as kvs:
            opened = await stack.enter_async_context(open_instance(kvs_url=kvs.base_url, function=flow))
            playing = asyncio.ensure_future(
                opened.play(Call(source=PcmSource(noise(800_000))), lambda _: begun.set())
            )
            await asyncio.wait_for(begun.wait(), READ_TIMEOUT_S)
        with pytest.raises(ConnectionError, match="went away"):
            await asyncio.wait_for(playing, READ_TIMEOUT_S)

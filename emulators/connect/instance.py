"""A Connect instance: plays calls, invokes the flow's function, and says what happens."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp

from emulators.connect.audio import SAMPLE_RATE_HZ
from emulators.connect.blocks import moments
from emulators.connect.call import Answered, Call, Ended, Happening, Played, Started
from emulators.connect.event import (
    Answer,
    Contact,
    MediaStream,
    Mistake,
    contact_flow_event,
    disconnected_event,
)
from emulators.connect.flow_player import Heard, play_flow
from emulators.connect.functions import ContactEvents, Function
from emulators.connect.uplink import Uplink, open_uplink
from emulators.kvs.fragments import SAMPLES_PER_MS, Block
from emulators.kvs.uplink import Open

MAX_CALLS = 1_000


def _ignore(_: Happening) -> None:
    pass


class Instance:
    """Plays calls one by one or at once; see `open_instance`."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        kvs_url: str,
        function: Function,
        contact_events: ContactEvents | None,
        arn: str,
    ) -> None:
        self._session = session
        self._kvs_url = kvs_url
        self._function = function
        self._contact_events = contact_events
        self._arn = arn

    async def play(self, call: Call, tell: Callable[[Happening], None] = _ignore) -> Played:
        """Play a call to its end; `tell` hears at once what happens.

        Raises:
            UplinkRefused: there is no stream for it.
            ConnectionError: the KVS emulator went away.
        """
        wish = Open(
            contact_id=call.contact_id,
            instance_id=self._arn.rsplit("/", 1)[1],
            stream_name=call.stream_name,
            swap_every=call.swap_every,
            customer_only=call.customer_only,
            identity_first=call.identity_first,
            tagless_tail=call.tagless_tail,
        )
        contact = Contact(
            call.contact_id,
            self._arn,
            call.attributes,
            previous_contact_id=call.previous_contact_id,
            initial_contact_id=call.initial_contact_id,
        )
        async with open_uplink(self._session, self._kvs_url, wish) as uplink:
            started = Started(start_at_ms=_now_ms(), contact_id=call.contact_id, **uplink.opened.model_dump())
            tell(started)
            answers, samples = await self._run(call, contact, started, uplink, tell)
        ended = Ended(call.contact_id, samples, _now_ms())
        await self._disconnected(contact)
        tell(ended)
        return Played(started, answers, ended)

    async def play_all(
        self, calls: Sequence[Call], *, stagger_s: float = 0.0, tell: Callable[[Happening], None] = _ignore
    ) -> list[Played]:
        """Play calls at once, each beginning `stagger_s` after the one before.

        Returns:
            What was played, in the order of `calls`.

        Raises:
            ValueError: more than a thousand calls.
            ExceptionGroup: of what `play` raises; the other calls were hung up.
        """
        if len(calls) > MAX_CALLS:
            raise ValueError(f"more than {MAX_CALLS} calls at once")

        async def later(number: int, call: Call) -> Played:
            await asyncio.sleep(number * stagger_s)
            return await self.play(call, tell)

        async with asyncio.TaskGroup() as tasks:
            playing = [tasks.create_task(later(number, call)) for number, call in enumerate(calls)]
        return [task.result() for task in playing]

    async def invoke(
        self,
        contact: Contact,
        stream: MediaStream,
        parameters: Mapping[str, str],
        mistake: Mistake | None = None,
    ) -> Answer:
        """A Lambda block of a flow, alone."""
        return await self._function(contact_flow_event(contact, stream, parameters, mistake))

    async def _run(
        self,
        call: Call,
        contact: Contact,
        started: Started,
        uplink: Uplink,
        tell: Callable[[Happening], None],
    ) -> tuple[tuple[Answer, ...], int]:
        """The audio and the flow beside it; returns the flow's answers and the samples sent."""
        try:
            async with asyncio.TaskGroup() as tasks:
                flow = tasks.create_task(self._flow(call, contact, started, tell))
                feed = tasks.create_task(_feed(uplink, call, started.start_at_ms))
        except ExceptionGroup as group:
            if group.split(ConnectionError)[1] is not None:
                raise
            raise ConnectionError(f"the KVS emulator went away: {group.exceptions[0]}") from group
        return flow.result(), feed.result()

    async def _flow(
        self, call: Call, contact: Contact, started: Started, tell: Callable[[Happening], None]
    ) -> tuple[Answer, ...]:
        stream = MediaStream(started.stream_arn, started.start_at_ms, started.start_fragment_number)
        if call.flows:
            return await self._flows(call, contact, stream, tell)
        answers: list[Answer] = []
        for _ in range(1 + call.loops):
            answer = await self.invoke(contact, stream, call.parameters, call.mistake)
            tell(Answered(call.contact_id, answer))
            answers.append(answer)
        return tuple(answers)

    async def _flows(
        self, call: Call, contact: Contact, stream: MediaStream, tell: Callable[[Happening], None]
    ) -> tuple[Answer, ...]:
        async def invoke(
            attributes: Mapping[str, str], parameters: Mapping[str, str], streaming: bool
        ) -> Answer:
            mistake = call.mistake if streaming else Mistake.NO_MEDIA_STREAMS
            answer = await self.invoke(replace(contact, attributes=attributes), stream, parameters, mistake)
            tell(Answered(call.contact_id, answer))
            return answer

        heard = Heard(dict(call.attributes))
        for flow in call.flows:
            await asyncio.sleep(call.between_flows_s)
            await play_flow(flow, heard, invoke, call.caller)
        return tuple(heard.answers)

    async def _disconnected(self, contact: Contact) -> None:
        if self._contact_events is not None:
            at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            await self._contact_events(disconnected_event(contact, event_id=str(uuid.uuid4()), at=at))


async def _feed(uplink: Uplink, call: Call, start_at_ms: int) -> int:
    """Send each block when its last sample was spoken, on absolute deadlines; returns the samples sent."""
    loop = asyncio.get_running_loop()
    begun_at = loop.time()
    samples = 0
    for moment in moments(call.source, call.cut):
        samples = moment.ready_samples
        ahead_s = begun_at + samples / SAMPLE_RATE_HZ / call.speed - loop.time()
        if ahead_s > 0:
            await asyncio.sleep(ahead_s)
        if moment.blocks:
            await uplink.send(
                Block(block.lane, start_at_ms + block.at_samples // SAMPLES_PER_MS, block.pcm)
                for block in moment.blocks
            )
    return samples


@contextlib.asynccontextmanager
async def open_instance(
    *,
    kvs_url: str,
    function: Function,
    contact_events: ContactEvents | None = None,
    region: str = "eu-west-2",
    account_id: str = "111111111111",
    instance_id: str = "9308c2a1-9bc6-4cea-8290-6c0b4a6d38fa",
) -> AsyncGenerator[Instance]:
    """An instance whose calls stream to the KVS emulator at `kvs_url` and invoke `function`."""
    arn = f"arn:aws:connect:{region}:{account_id}:instance/{instance_id}"
    connector = aiohttp.TCPConnector(limit=MAX_CALLS)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Instance(
            session=session, kvs_url=kvs_url, function=function, contact_events=contact_events, arn=arn
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

"""One connection's shell: waits for a frame or the deadline, asks the core, performs what it says."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

import orjson
from websockets.asyncio.server import ServerConnection

from emulators.deepgram.ears import Ear, EarLostError, Ears
from emulators.deepgram.faults import Fault
from emulators.deepgram.listen import Close, Command, Flush, Hear, Listen, Send
from emulators.deepgram.observations import Observation
from emulators.deepgram.query import Query
from emulators.deepgram.recogniser import Model

MARK_S = 0.5  # audio between two marks of what was received


class Connection:
    """One websocket, its protocol core and its ears."""

    def __init__(
        self,
        websocket: ServerConnection,
        query: Query,
        observation: Observation,
        *,
        model: Model,
        created: str,
        enforce_pace: bool,
        interim_ms: int,
        changed: Callable[[], None],
    ) -> None:
        self.query = query
        self._websocket = websocket
        self._observation = observation
        self._changed = changed
        self._clock = asyncio.get_running_loop().time
        self._core = Listen(
            query,
            request_id=observation.id,
            model=model,
            created=created,
            now=self._clock(),
            enforce_pace=enforce_pace,
            interim_ms=interim_ms,
        )
        self._fault: Fault | None = None
        self._mute = False
        self._blocked = False
        self._ears: list[Ear] = []

    async def run(self, ears: Ears, fault: Fault | None) -> None:
        """Serve until the connection is closed; raises ConnectionClosed when the peer closes it."""
        async with AsyncExitStack() as held:
            try:
                for channel in range(self.query.channels):
                    ear = await ears.open(self._core.listening(channel))
                    held.callback(ear.close)
                    self._ears.append(ear)
                if fault is not None:
                    await self.befall(fault)
                await self._serve()
            except EarLostError:
                await self._websocket.close(1011, "NET-0000: the recogniser was lost")

    async def befall(self, fault: Fault) -> None:
        """Let a fault happen, now or once `after_s` of audio have arrived."""
        core, websocket = self._core, self._websocket
        if core.samples < fault.after_s * self.query.sample_rate_hz:
            self._fault = fault
            return
        self._fault = None
        match fault.kind:
            case "drop":
                websocket.transport.abort()
            case "close":
                self._mute = True
                await websocket.close(fault.code, fault.reason)
            case "stall":
                self._mute = True
            case "block":
                self._mute = self._blocked = True
            case "no_metadata":
                core.withhold_metadata = True
            case "refuse":
                pass  # only a handshake can be refused

    async def _serve(self) -> None:
        while self._mute or not self._core.closed:  # a server that never answers never closes either
            if self._blocked:
                await self._websocket.wait_closed()
                return
            frame = await self._next_frame()
            now = self._clock()
            if frame is None:
                commands = self._core.tick(now)
            elif isinstance(frame, bytes):
                commands = self._core.audio(frame, now)
                self._observe_audio()
            else:
                self._observation.keep_alives += '"KeepAlive"' in frame
                commands = self._core.text(frame, now)
            await self._perform(commands)
            if self._fault is not None:
                await self.befall(self._fault)

    async def _next_frame(self) -> str | bytes | None:
        """The next frame, or None at the deadline. A stalled server never closes: it has no deadline."""
        deadline = None if self._mute else self._core.deadline
        try:
            async with asyncio.timeout_at(deadline):
                return await self._websocket.recv()
        except TimeoutError:
            return None

    async def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case Hear(channel, samples):
                    hearing = await self._ears[channel].accept(samples)
                    await self._perform(self._core.heard(channel, hearing))
                case Flush(channel):
                    hearing = await self._ears[channel].flush()
                    await self._perform(self._core.flushed(channel, hearing))
                case Send(message):
                    if not self._mute:
                        self._observation.note_sent(time.time_ns() / 1e6, message)
                        await self._websocket.send(orjson.dumps(message), text=True)
                        self._changed()
                case Close(code, reason):
                    if not self._mute:
                        await self._websocket.close(code, reason)

    def _observe_audio(self) -> None:
        core, seen = self._core, self._observation
        mark_every = int(MARK_S * self.query.sample_rate_hz)
        seen.note_audio(time.time_ns() / 1e6, core.samples, mark_every=mark_every)
        seen.pace_violations = core.pace.violations
        seen.pace_worst_ahead_s = core.pace.worst_ahead_s
        self._changed()

"""A world without I/O around sessions: an in-memory log, a Deepgram that hears words, ways out that fail.

Words are runs of one sample value on one channel, so that what was heard is known to the sample. Time is
virtual; all dice come from one seed.
"""

import json
from dataclasses import dataclass, field
from random import Random

import numpy as np
import numpy.typing as npt

from contracts.events import Event, TranscriptSegment
from contracts.intents import ContactIntents
from contracts.link import (
    Accept,
    AudioChunk,
    ClosedSession,
    Credit,
    End,
    EndHint,
    Notice,
    OpenedSession,
    Refused,
    Release,
    Rewind,
    Skip,
    Started,
)
from contracts.model import ContactId, SessionId
from contracts.queue import TranscriptMessage
from contracts.session import Callback, Ended, Final, LogRecord, MediaStream, SessionHeader
from services.transcribe.commands import (
    Append,
    Command,
    Connect,
    Disconnect,
    Finish,
    PublishToBus,
    PublishToQueue,
    SendAudio,
    SendFrame,
    SendText,
)
from services.transcribe.deepgram_session import CLOSE_STREAM
from services.transcribe.inputs import (
    Appended,
    AppendFailed,
    Attached,
    BusAnswered,
    DeepgramClosed,
    DeepgramMessage,
    DeepgramOpened,
    DeepgramRefused,
    Detached,
    Found,
    Input,
    IntentsRead,
    QueueAnswered,
)
from services.transcribe.instants import Instant
from services.transcribe.session import Phase, Session
from services.transcribe.session_log import SERVED_MS, Serve, Writer, decide_claim
from tests.unit.transcribe.ear import Call, Ear, SaidWord

STEP_S = 0.1
STEP = 800
ALWAYS = float("inf")
"""As if the intents were read all the time."""
EPOCH_MS = 1_700_000_000_000
SESSION = SessionId("s")
type Samples = npt.NDArray[np.int16]

HEADER = SessionHeader(
    session_id=SESSION,
    contact_id=ContactId("c"),
    requested_at_ms=EPOCH_MS,
    media=MediaStream(stream_arn="arn", start_fragment_number="1", start_timestamp_ms=EPOCH_MS),
    deepgram_parameters=(),
    callback=Callback(url="https://example.com"),
)


@dataclass
class Faults:
    """Chances per event."""

    drop: float = 0.0
    refuse: float = 0.0
    cut: float = 0.0
    """Of a connection that is lost while it answers CloseStream."""
    append: float = 0.0
    publish: float = 0.0
    detach: float = 0.0


class Node:
    """One process that serves, or served, the session, with its ingest and its Deepgram."""

    def __init__(self, world: "World", session: Session) -> None:
        self.world = world
        self.session = session
        self.inputs: list[Input] = []
        self.hints: list[Accept | EndHint] = []
        self.sent: list[tuple[int, Samples]] = []
        """Connection and samples of each frame of audio."""
        self._read: ContactIntents | str | None = "not yet"
        self.closed: ClosedSession | Refused | None = None
        self.finished = False
        self.frozen = False
        self._handle = 0
        self._credit = 0
        self._position: int = 0
        self._known = False
        self._said_end = False
        self._told_hole = False
        self._ears: list[Ear] | None = None
        self._connection = 0
        self.attach()

    def attach(self) -> None:
        self._handle += 1
        self._credit = 0
        self.inputs.append(Attached(self._handle, "receipt"))

    def step(self) -> None:
        """One tick of the world."""
        if self.finished or self.frozen:
            return
        self._read_intents()
        self._ingest()
        self._misfortune()
        while self.inputs:
            self._perform(self.session.receive(self.inputs.pop(0), self.world.now, self.world.dice.random()))
        deadline = self.session.deadline
        if deadline is not None and deadline <= self.world.now.s:
            self._perform(self.session.tick(self.world.now, self.world.dice.random()))

    def _read_intents(self) -> None:
        if self._read is not self.world.intents:
            self._read = self.world.intents
            self.inputs.append(IntentsRead(self.world.intents, ALWAYS))

    def _ingest(self) -> None:
        """Reads on as far as the call has come and credit allows."""
        call = self.world.call
        live = min(call.length, self.world.heard_until)
        if not self._handle or self.closed:
            return
        while self._position < live and not self._said_end:
            if not self._known:
                self.inputs.append(Started(handle=self._handle, t0_ms=EPOCH_MS))
                self._known = True
            if call.hole and call.hole[0] <= self._position < call.hole[1]:
                if live <= call.hole[1]:
                    break  # nobody knows yet that it is one
                self._tell_hole(call.hole)
            stop = min(self._position + STEP, live, self._credit)
            if call.hole and self._position < call.hole[0]:
                stop = min(stop, call.hole[0])
            if stop <= self._position:
                break
            pcm = call.samples[self._position : stop].tobytes()
            self.inputs.append(AudioChunk(self._handle, self._position, pcm))
            self._position = stop
        if self._position >= call.length and not self._said_end:
            self._said_end = True
            self.inputs.append(End(handle=self._handle, position_samples=call.length, reason="idle"))

    def _tell_hole(self, hole: tuple[int, int]) -> None:
        """A skip takes the position over it; else silence follows."""
        told = {"handle": self._handle, "from_samples": self._position, "to_samples": hole[1]}
        if not self.world.call.filled:
            self.inputs.append(Skip.model_validate({**told, "cause": "lost"}))
            self._position = hole[1]
        elif not self._told_hole:
            self._told_hole = True
            self.inputs.append(Notice.model_validate({**told, "code": "lost", "explanation": ""}))

    def _misfortune(self) -> None:
        dice, faults = self.world.dice, self.world.faults
        if self._ears and dice.random() < faults.drop:
            self._ears = None
            code = dice.choice((1006, 1011, 1012, 1000))
            self.inputs.append(DeepgramClosed(self._connection, code, "fault"))
        if dice.random() < faults.detach and self.session.phase is Phase.LIVE and not self._said_end:
            self.inputs.append(Detached())
            self.attach()

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            match command:
                case SendAudio() | SendText() | Connect() | Disconnect():
                    self._at_deepgram(command)
                case Append(record=record):
                    self.inputs.append(self.world.append(record))
                case PublishToQueue(message=message):
                    self.inputs.append(QueueAnswered(self.world.publish(message, self.world.queue)))
                case PublishToBus(event=event):
                    self.inputs.append(BusAnswered(self.world.publish(event, self.world.bus)))
                case SendFrame(frame=frame):
                    self._told(frame)
                case Finish():
                    self.finished = True
                case _:
                    pass

    def _at_deepgram(self, command: SendAudio | SendText | Connect | Disconnect) -> None:
        number, ears = command.connection, self._ears
        match command:
            case Connect():
                self._connect(number)
            case Disconnect():
                self._ears = None
            case SendAudio(pcm=pcm) if ears and number == self._connection:
                assert pcm, "an empty frame ends the stream"
                stereo = np.frombuffer(pcm, np.int16).reshape(-1, 2)
                self.sent.append((number, stereo))
                for channel, ear in enumerate(ears):
                    self.inputs += [DeepgramMessage(number, text) for text in ear.feed(stereo[:, channel])]
            case SendText(text=text) if ears and number == self._connection and text == CLOSE_STREAM:
                self._flush(number)
            case _:
                pass  # sent into a connection that is gone

    def _connect(self, number: int) -> None:
        self._connection = number
        if self.world.dice.random() < self.world.faults.refuse:
            self.inputs.append(DeepgramRefused(number, self.world.dice.choice((429, 503, None)), "busy"))
            return
        self._ears = [
            Ear(channel, self.world.dice, self.world.call, self.world.slowness) for channel in range(2)
        ]
        self.inputs.append(DeepgramOpened(number))

    def _flush(self, number: int) -> None:
        said = [DeepgramMessage(number, text) for ear in self._ears or () for text in ear.flush()]
        self._ears = None
        if self.world.faults.cut and self.world.dice.random() < self.world.faults.cut:
            code = self.world.dice.choice((1006, 1011, 1012))
            self.inputs += [*said[:1], DeepgramClosed(number, code, "fault")]
            return
        metadata = json.dumps({"type": "Metadata", "channels": 2})
        self.inputs += [*said, DeepgramMessage(number, metadata), DeepgramClosed(number, 1000, "")]

    def _told(self, frame: object) -> None:
        match frame:
            case OpenedSession():
                self._position = frame.position_samples
                self._known = frame.t0_ms is not None
                self._said_end = self._told_hole = False
            case Credit(until_samples=until):
                self._credit = max(self._credit, until)
            case Rewind(position_samples=position):
                self.world.rewinds.append(position)
                self._position = position
                self._said_end = self._told_hole = False
            case ClosedSession() | Refused():
                self.closed = frame
            case Accept() | EndHint():
                self.hints.append(frame)
            case _:
                raise AssertionError(frame)

    def release(self) -> None:
        self.inputs.append(Release(handle=self._handle))


@dataclass
class World:
    seed: int
    call: Call
    faults: Faults = field(default_factory=Faults)
    pace: float = 1.0
    """How fast the call happens; more than 1 makes a backlog."""

    slowness: int = 1
    """Of Deepgram's finals: 20 makes them come up to half a minute late."""

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)
        self.log: dict[int, LogRecord] = {}
        self.queue: list[TranscriptMessage] = []
        self.bus: list[Event] = []
        self.nodes: list[Node] = []
        self.rewinds: list[int] = []
        self.intents: ContactIntents | None = None
        self.time_s = 0.0

    @property
    def now(self) -> Instant:
        return Instant(self.time_s, EPOCH_MS + int(self.time_s * 1000))

    @property
    def heard_until(self) -> int:
        return int(self.time_s * 8000 * self.pace)

    @property
    def records(self) -> list[LogRecord]:
        return [self.log[n] for n in sorted(self.log)]

    def claim(self) -> Node | None:
        """Another process claims the session, however fresh its log is."""
        writer = Writer(f"process-{len(self.nodes)}", "m1")
        stale_ms = self.records[-1].written_at_ms + SERVED_MS if self.log else self.now.epoch_ms
        decision = decide_claim(SESSION, self.records, writer, stale_ms)
        if not isinstance(decision, Serve):
            return None
        self.log[decision.opened.n] = decision.opened
        node = Node(self, Session(HEADER, self.records))
        self.nodes.append(node)
        return node

    def append(self, record: LogRecord) -> Appended | Found | AppendFailed:
        lost = self.dice.random() < self.faults.append
        if lost and self.dice.random() < 0.5:
            return AppendFailed("throttled")
        if record.n in self.log:
            return Found(self.log[record.n])
        assert record.n == len(self.log) + 1, "the log has a hole"
        self.log[record.n] = record
        return AppendFailed("answer lost") if lost else Appended(1.0)

    def publish[T](self, entry: T, where: list[T]) -> bool:
        failed = self.dice.random() < self.faults.publish
        if not failed or self.dice.random() < 0.5:
            where.append(entry)
        return not failed

    def run(self, seconds: float) -> None:
        """Lets time pass."""
        until = self.time_s + seconds
        while self.time_s < until and not all(node.finished for node in self.nodes):
            self.time_s += STEP_S
            for node in self.nodes:
                node.step()

    # What came out

    def delivered(self) -> list[TranscriptMessage]:
        """As delivery lets through: what is not above the mark is dropped."""
        mark, through = (0, -1), list[TranscriptMessage]()
        for message in self.queue:
            if (message.n, message.k) > mark:
                mark = (message.n, message.k)
                through.append(message)
        return through

    def words(self) -> list[SaidWord]:
        """The words of the delivered finals, in order."""
        return [
            SaidWord(
                final["channel_index"][0],
                str(word["word"]),
                round(word["start"] * 8000),
                round(word["end"] * 8000),
            )
            for message in self.delivered()
            if message.kind == "final" and (final := json.loads(message.message or ""))
            for word in final["channel"]["alternatives"][0]["words"]
        ]

    def check_transcript(self) -> None:
        """Every word once, in order, on its channel, at its time; bus and log agree."""
        assert isinstance(self.records[-2], Ended), self.records[-1]
        heard = self.words()
        for channel in range(2):
            expected = [word for word in self.call.words if word.channel == channel]
            assert [word for word in heard if word.channel == channel] == expected
        finals = [record for record in self.records if isinstance(record, Final)]
        ids = list(
            dict.fromkeys(event.event_id for event in self.bus if isinstance(event, TranscriptSegment))
        )
        assert ids == [f"{SESSION}-{record.n}" for record in finals]
        assert [m.message for m in self.delivered() if m.kind == "final"] == [f.message for f in finals]

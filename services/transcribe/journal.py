"""The one order of a session's output: records to append, one at a time, and messages between them. Pure.

What is not logged waits behind the record before it, so that it never overtakes a final that is not durable.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from contracts.session import (
    AnnouncedRecord,
    Ended,
    Final,
    Gap,
    LogRecord,
    Opened,
    Paused,
    Progress,
    Resumed,
    SessionState,
)
from services.transcribe.instants import Instant, full_jitter
from services.transcribe.segments import Segment
from services.transcribe.session_log import is_own

RETRY_BASE_S = 0.1
RETRY_CAP_S = 5.0
MAX_UNLOGGED = 500
"""Messages that are in no log and wait, for records here or on one way; of more the oldest are lost."""
MAX_UNLOGGED_BYTES = 500_000
"""Of their texts: 120 interim results that nothing superseded, as large as Deepgram's become."""

type Writable = type[Opened | Final | Progress | Gap | Paused | Resumed | Ended | AnnouncedRecord]


@dataclass(frozen=True, slots=True)
class Write:
    """A record to be; its number, time and state are set when its turn comes.

    `change` holds fields of `SessionState` that are different from here on.
    """

    kind: Writable
    fields: Mapping[str, object] = field(default_factory=dict[str, object])
    change: Mapping[str, object] = field(default_factory=dict[str, object])
    received_at_ms: int | None = None
    """When Deepgram's message came; None for what is ours."""

    @property
    def size(self) -> int:
        """Bytes of its message."""
        return len(str(self.fields.get("message", "")).encode())


@dataclass(frozen=True, slots=True)
class Say:
    """A message that is not logged; `segment` when it is an interim result."""

    kind: str
    message: str
    received_at_ms: int
    segment: Segment | None = None

    @property
    def size(self) -> int:
        """Bytes of the message."""
        return len(self.message.encode())


@dataclass(frozen=True, slots=True)
class Logged:
    """A record that is durable, the state before it, and when its message came."""

    record: LogRecord
    before: SessionState | None
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class Said:
    """A message in its place: the `k`-th after record `n`."""

    n: int
    k: int
    epoch: int
    say: Say


type Placed = Logged | Said


class Journal:
    """Output of one session since `last`, the newest record, which is durable."""

    def __init__(self, last: LogRecord) -> None:
        self._session_id = last.session_id
        self._n = last.n
        self._k = 0
        self._state = last.state
        self._waiting: deque[Write | Say] = deque()
        self._writes = 0
        self.waiting_bytes = self._unlogged_bytes = self._dropped = 0
        self._carried: dict[str, object] = {}
        self._appending: LogRecord | None = None
        self._asked = False
        self._failures = 0
        self._retry_at: float | None = None
        self._refused_since: float | None = None
        self.fenced = False

    @property
    def state(self) -> SessionState:
        """The state that is durable."""
        return self._state

    @property
    def idle(self) -> bool:
        """Whether everything written so far is durable."""
        return self._writes == 0

    @property
    def waiting(self) -> int:
        """Records that are not durable yet."""
        return self._writes

    @property
    def deadline(self) -> float | None:
        """When `append` has something again after a failure."""
        return self._retry_at

    def write(self, write: Write) -> None:
        """Adds a record; one after another they become durable."""
        self._waiting.append(write)
        self._writes += 1
        self.waiting_bytes += write.size

    def say(self, say: Say) -> None:
        """Adds a message that is not logged."""
        self._waiting.append(say)
        self._unlogged_bytes += say.size
        while len(self._waiting) - self._writes > MAX_UNLOGGED or self._unlogged_bytes > MAX_UNLOGGED_BYTES:
            at, oldest = next((at, item) for at, item in enumerate(self._waiting) if isinstance(item, Say))
            del self._waiting[at]
            self._unlogged_bytes -= oldest.size
            self._dropped += 1

    def take_dropped(self) -> int:
        """Messages that were lost since this was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def carry(self, change: Mapping[str, object]) -> None:
        """Changes the state with whatever record comes next."""
        self._carried.update(change)

    def settle(self) -> list[Placed]:
        """The messages whose turn has come."""
        placed: list[Placed] = []
        while self._waiting and isinstance(say := self._waiting[0], Say):
            self._waiting.popleft()
            self._unlogged_bytes -= say.size
            self._k += 1
            placed.append(Said(self._n, self._k, self._state.epoch, say))
        return placed

    def due(self, now: float) -> bool:
        """Whether there is a record to append now."""
        if not self._writes or self._asked or self.fenced:
            return False
        return self._retry_at is None or now >= self._retry_at

    def append(self, now: Instant, announced: Mapping[str, object]) -> LogRecord | None:
        """The record to append now, if any; then call `appended`, `found` or `unavailable`.

        Args:
            now: The present.
            announced: `SessionState.announced` as it stands, for a record that is built now.
        """
        if not self.due(now.s):
            return None
        if self._appending is None:
            write = self._waiting[0] if self._waiting else None
            if not isinstance(write, Write):
                return None
            self._appending = self._build(write, now, announced)
        self._asked = True
        self._retry_at = None
        return self._appending

    def appended(self) -> Logged:
        """The record is durable."""
        record, write = self._appending, self._waiting.popleft()
        assert record is not None  # noqa: S101 -- asked for before
        assert isinstance(write, Write)  # noqa: S101 -- the head is what was appended
        before, self._state = self._state, record.state
        self._n, self._k = record.n, 0
        self._appending, self._asked, self._failures = None, False, 0
        self._refused_since = None
        self._writes -= 1
        self.waiting_bytes -= write.size
        return Logged(record, before, write.received_at_ms or record.written_at_ms)

    def found(self, record: LogRecord | None) -> Logged | None:
        """The number was taken, by `record`; None when that was not our own write: the session is lost."""
        assert self._appending is not None  # noqa: S101 -- asked for before
        if is_own(self._appending, record):
            return self.appended()
        self.fenced = True
        return None

    def unavailable(self, now: Instant, jitter: float) -> None:
        """The append failed or its answer was lost: the same record is tried again."""
        self._asked = False
        self._retry_at = now.s + full_jitter(
            self._failures, base_s=RETRY_BASE_S, cap_s=RETRY_CAP_S, jitter=jitter
        )
        self._failures += 1

    def refused(self, now: float) -> float:
        """The store says that it never takes the record; for how long it has said so."""
        if self._refused_since is None:
            self._refused_since = now
        return now - self._refused_since

    def give_up(self) -> None:
        """Forgets everything that is not durable; what is written from now on comes next."""
        self._waiting.clear()
        self._writes = self.waiting_bytes = self._unlogged_bytes = 0
        self._appending = self._retry_at = None
        self._asked = False

    def _build(self, write: Write, now: Instant, announced: Mapping[str, object]) -> LogRecord:
        change = {**self._carried, **write.change, **announced}
        self._carried = {}
        state = self._state.model_copy(update=change)
        if state.covered_samples != self._state.covered_samples:
            state = state.model_copy(update={"idle_claims": 0})
        return write.kind(
            session_id=self._session_id,
            n=self._n + 1,
            written_at_ms=now.epoch_ms,
            state=state,
            **write.fields,  # pyright: ignore[reportArgumentType]  # checked by the model
        )

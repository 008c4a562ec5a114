"""One stream: what is retained of it, and where a reader begins; pure."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from emulators.kvs.fragments import ContactAudio, Fragment, Shape

FIRST_NUMBER = 91_343_852_333_181_432_392_682_062_642_743_920_146_264_094
NUMBER_STEP = 4_951_760_157_141_521_521_635_983
"""Fragment numbers as AWS's documentation shows them: long, growing, and not by one."""

MAX_CONTACTS = 1_000
"""Contacts of a stream that are remembered."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How much a stream keeps (KVS's host buffer without data retention: 5 minutes or 200 MB)."""

    age_ms: int = 300_000
    size_bytes: int = 200 << 20


@dataclass(slots=True)
class ContactRecord:
    """When a contact's audio came in; instants in epoch ms, `*_producer_ms` as its producer said."""

    contact_id: str
    opened_at_ms: int
    start_fragment_number: str
    first_block_at_ms: int | None = None
    first_producer_ms: int | None = None
    last_block_at_ms: int | None = None
    ended_at_ms: int | None = None
    blocks: int = 0
    audio_bytes: int = 0
    fragments: int = 0


@dataclass(slots=True)
class Stream:
    """A stream, its retained fragments in order, and the contacts that it has carried."""

    name: str
    arn: str
    created_at_ms: int
    retention: Retention
    fragments: deque[Fragment] = field(default_factory=deque[Fragment])
    contacts: deque[ContactRecord] = field(default_factory=lambda: deque[ContactRecord](maxlen=MAX_CONTACTS))
    audio: ContactAudio | None = None
    """The contact that is being written, if any: one per stream."""
    freed_at_ms: int = 0
    last_block_at_ms: int = 0
    _next_index: int = 0

    def number(self, index: int) -> str:
        """The number of the fragment at an index, which counts from the stream's creation."""
        return str(FIRST_NUMBER + (self.created_at_ms + index) * NUMBER_STEP)

    def open_contact(self, contact_id: str, instance_id: str, shape: Shape, *, now_ms: int) -> ContactRecord:
        """Begin a contact on a free stream; the record names the fragment with which it will start."""
        self.audio = ContactAudio(
            contact_id=contact_id, instance_id=instance_id, shape=shape, begin=self._begin
        )
        record = ContactRecord(contact_id, now_ms, self.number(self._next_index))
        self.contacts.append(record)
        return record

    def end_contact(self, *, now_ms: int) -> None:
        """Complete the contact that is being written and free the stream."""
        if self.audio is not None:
            self.audio.end()
            self.audio = None
            self.contacts[-1].ended_at_ms = now_ms
            self.freed_at_ms = now_ms

    def expire(self, *, now_ms: int) -> int:
        """Drop the oldest complete fragments while they are too old or too many; returns the bytes left."""
        held_bytes = sum(fragment.size_bytes for fragment in self.fragments)
        while self.fragments and self.fragments[0].complete:
            oldest = self.fragments[0]
            if held_bytes <= self.retention.size_bytes and (
                oldest.server_end_ms > now_ms - self.retention.age_ms
            ):
                break
            held_bytes -= self.fragments.popleft().size_bytes
        return held_bytes

    def after(self, index: int) -> Iterator[Fragment]:
        """Retained fragments above an index, in order."""
        if self.fragments and index < self.fragments[-1].index:
            skip = max(0, index + 1 - self.fragments[0].index)
            for position in range(skip, len(self.fragments)):
                yield self.fragments[position]

    def knows(self, number: str) -> bool:
        """Whether a fragment of that number is retained, or is the next to come."""
        return number == self.number(self._next_index) or any(f.number == number for f in self.fragments)

    @property
    def last_index(self) -> int:
        """The index of the newest fragment, -1 before the first."""
        return self._next_index - 1

    def _begin(self, contact_id: str, producer_ms: int, now_ms: int) -> Fragment:
        fragment = Fragment(
            index=self._next_index,
            number=self.number(self._next_index),
            contact_id=contact_id,
            producer_ms=producer_ms,
            server_ms=now_ms,
            producer_end_ms=producer_ms,
            server_end_ms=now_ms,
        )
        self._next_index += 1
        self.fragments.append(fragment)
        return fragment

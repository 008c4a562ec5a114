"""ContactGate: lets a block pass only once its fragment is known to be of an accepted contact.

Connect re-uses a stream for other callers, and the ContactId may follow the audio that it labels. A fragment
is known by a ContactId tag, or by a SegmentUID that such a tag has confirmed before (the last fragments of a
call may have no tags at all). Until then its blocks are held; what is never confirmed is never released.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from contracts.model import ContactId
from services.ingest.scanned import (
    Block,
    ClusterStarted,
    FragmentEnded,
    FragmentStarted,
    Scanned,
    SegmentUid,
    Tag,
)

CONTACT_TAG: Final = "ContactId"
MAX_HELD_BYTES: Final = 1024 * 1024
"""Of unconfirmed blocks; Connect's fragments have 36 kB."""
MAX_SEGMENT_UIDS: Final = 32
"""Confirmed ones that are kept, newest last; Connect's calls have one."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What a successor must know changed; see `segment_uids` and `contact_ids` of the gate."""


@dataclass(frozen=True, slots=True)
class OtherContact:
    """A fragment of a contact that is not accepted."""

    contact_id: ContactId
    at_ms: int
    """Producer time of its Cluster, epoch ms."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Audio of a fragment that is of another contact, or that nothing confirmed."""

    size: int


type Passed = Block | Confirmed | OtherContact | Withheld


class _Door(Enum):
    UNKNOWN = auto()
    OPEN = auto()
    SHUT = auto()


class ContactGate:
    """Keeps what it confirmed over many bodies; `abandon` it between two."""

    def __init__(self, contact_ids: Iterable[ContactId], segment_uids: Iterable[str] = ()) -> None:
        self._contact_ids = dict.fromkeys(contact_ids)
        self._segment_uids = dict.fromkeys(segment_uids)
        self._door = _Door.SHUT
        self._uid: str | None = None
        self._at_ms: int | None = None
        self._other: ContactId | None = None
        self._held: list[Block] = []
        self._held_bytes = 0
        self._withheld_bytes = 0

    @property
    def contact_ids(self) -> tuple[ContactId, ...]:
        """Accepted contacts."""
        return tuple(self._contact_ids)

    @property
    def segment_uids(self) -> tuple[str, ...]:
        """Confirmed SegmentUIDs, oldest first."""
        return tuple(self._segment_uids)

    @property
    def is_open(self) -> bool:
        """Whether the present fragment is known to be of an accepted contact."""
        return self._door is _Door.OPEN

    def accept(self, contact_ids: Iterable[ContactId]) -> None:
        """From the next fragment on these contacts' audio passes, too."""
        self._contact_ids.update(dict.fromkeys(contact_ids))

    def abandon(self) -> Sequence[Passed]:
        """The body ended or is given up; what is unconfirmed will be read again."""
        return self._end()

    def feed(self, value: Scanned) -> Sequence[Passed]:
        """What passes now that `value` is known, in order."""
        if isinstance(value, Block):
            return (value,) if self._door is _Door.OPEN else self._block(value)
        match value:
            case Tag(name=name, value=contact_id) if name == CONTACT_TAG:
                return self._contact(ContactId(contact_id))
            case FragmentStarted():
                passed = self._end()
                self._door = _Door.UNKNOWN
                self._uid = self._at_ms = self._other = None
                return passed
            case SegmentUid(uid=uid):
                self._uid = uid
                if self._door is _Door.UNKNOWN and uid in self._segment_uids:
                    return self._open()
                return ()
            case ClusterStarted(at_ms=at_ms):
                self._at_ms = at_ms
                return () if self._other is None else (OtherContact(self._other, at_ms),)
            case FragmentEnded():
                return self._end()
            case _:
                return ()

    def _block(self, block: Block) -> Sequence[Passed]:
        size = len(block.payload)
        if self._door is _Door.SHUT:
            self._withheld_bytes += size
            return ()
        self._held.append(block)
        self._held_bytes += size
        if self._held_bytes > MAX_HELD_BYTES:
            self._shut()
        return ()

    def _contact(self, contact_id: ContactId) -> Sequence[Passed]:
        if contact_id not in self._contact_ids:
            if self._door is not _Door.SHUT:
                self._shut()
            if self._uid is not None:  # a SegmentUID of two contacts confirms neither
                self._segment_uids.pop(self._uid, None)
            self._other = contact_id
            return () if self._at_ms is None else (OtherContact(contact_id, self._at_ms),)
        if self._door is _Door.SHUT:  # a second, contradicting tag, or too much was held
            return ()
        passed = self._open()
        if self._uid is None or self._uid in self._segment_uids:
            return passed
        self._segment_uids[self._uid] = None
        while len(self._segment_uids) > MAX_SEGMENT_UIDS:
            del self._segment_uids[next(iter(self._segment_uids))]
        return (Confirmed(), *passed)

    def _open(self) -> Sequence[Passed]:
        self._door = _Door.OPEN
        passed, self._held, self._held_bytes = tuple(self._held), [], 0
        return passed

    def _shut(self) -> None:
        self._door = _Door.SHUT
        self._withheld_bytes += self._held_bytes
        self._held, self._held_bytes = [], 0

    def _end(self) -> Sequence[Passed]:
        self._shut()
        if not self._withheld_bytes:
            return ()
        withheld, self._withheld_bytes = Withheld(self._withheld_bytes), 0
        return (withheld,)

"""ContactGate: lets a block pass only once its fragment is known to be of an accepted contact.

Connect re-uses a stream for other callers, and the ContactId may follow the audio that it labels. A fragment
is known by its ContactId tag; else by a SegmentUID that such a tag has confirmed before (the last fragments
of a call may have no tags at all), but only if it also goes on where the contact's audio ended, or is
complete without any ContactId. Until then its blocks are held; what is never confirmed is never released.

Why not the SegmentUID alone: nobody promises that Connect takes a new one for each contact. What is promised
is one active call per stream (Amazon Connect, "Plan for live media streaming"), so that audio which directly
follows a call's audio is that call's; the next caller's comes after a pause, and waits for its own tag.
Holding every fragment for its tag would make live words later by up to a fragment's length, 1.1 s.
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
LAST_TAG: Final = "AWS_KINESISVIDEO_CONTINUATION_TOKEN"
"""KVS writes it behind all others: with it a fragment is complete, though the body ends there."""
MAX_HELD_BYTES: Final = 1024 * 1024
"""Of unconfirmed blocks; Connect's fragments have 36 kB."""
MAX_HELD_BLOCKS: Final = 1_024
"""The same, were they empty; Connect's fragments have 34."""
CONTINUES_MS: Final = 256
"""From the end of the contact's audio to the beginning of what is taken as its continuation: more than the
holes of a live call, and less than it takes to set up the next."""
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
        self._complete = False
        self._uid: str | None = None
        self._at_ms: int | None = None
        self._other: ContactId | None = None
        self._held: list[Block] = []
        self._held_bytes = 0
        self._withheld_bytes = 0
        self._heard_ms = (0, 0)

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

    def heard(self, from_ms: int, until_ms: int) -> None:
        """The contact's audio, as known so far, begins and ends at these producer times (epoch ms)."""
        self._heard_ms = (from_ms, until_ms)

    def abandon(self) -> Sequence[Passed]:
        """The body ended or is given up; what is unconfirmed will be read again."""
        return self._end(complete=False)

    def feed(self, value: Scanned) -> Sequence[Passed]:
        """What passes now that `value` is known, in order."""
        if isinstance(value, Block):
            return (value,) if self._door is _Door.OPEN else self._block(value)
        match value:
            case Tag(name=name, value=contact_id) if name == CONTACT_TAG:
                return self._contact(ContactId(contact_id))
            case Tag(name=name) if name == LAST_TAG:
                self._complete = True
                return ()
            case FragmentStarted():
                passed = self._end(complete=False)
                self._door, self._complete = _Door.UNKNOWN, False
                self._uid = self._at_ms = self._other = None
                return passed
            case SegmentUid(uid=uid):
                if self._uid not in (None, uid):
                    self._shut()
                self._uid = uid
                return ()
            case ClusterStarted(at_ms=at_ms):
                self._at_ms = at_ms
                if self._other is not None:
                    return (OtherContact(self._other, at_ms),)
                return self._open() if self._is_confirmed and self._continues(at_ms) else ()
            case FragmentEnded(complete=complete):
                return self._end(complete=complete or self._complete)
            case _:
                return ()

    @property
    def _is_confirmed(self) -> bool:
        """Whether the SegmentUID speaks for the fragment, and no tag does."""
        return self._door is _Door.UNKNOWN and self._uid in self._segment_uids

    def _continues(self, at_ms: int) -> bool:
        from_ms, until_ms = self._heard_ms
        return from_ms <= at_ms <= until_ms + CONTINUES_MS

    def _block(self, block: Block) -> Sequence[Passed]:
        size = len(block.payload)
        if self._door is _Door.SHUT:
            self._withheld_bytes += size
            return ()
        self._held.append(block)
        self._held_bytes += size
        if self._held_bytes > MAX_HELD_BYTES or len(self._held) > MAX_HELD_BLOCKS:
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

    def _end(self, *, complete: bool) -> Sequence[Passed]:
        if complete and self._is_confirmed:
            return self._open()
        self._shut()
        if not self._withheld_bytes:
            return ()
        withheld, self._withheld_bytes = Withheld(self._withheld_bytes), 0
        return (withheld,)

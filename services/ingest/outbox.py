"""Outbox: what a session has for its link, in order, held until there is credit (if paced: until due)."""

from collections import deque
from typing import Final

from contracts.audio import SAMPLE_RATE_HZ
from contracts.link import End, Notice, Skip, Started
from services.ingest.commands import Command, Send, SendAudio
from services.ingest.laid import Chunk

_NEVER: Final = -1


class Outbox:
    """Bounded by its user, who adds nothing from the stream while anything waits here."""

    def __init__(self, *, paced: bool) -> None:
        self._paced = paced
        self._waiting: deque[Chunk | Started | Skip | Notice | End] = deque()
        self._credit = _NEVER
        self._pace_from: tuple[float, int] | None = None
        """An instant, and the position that was due then."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, item: Chunk | Started | Skip | Notice | End) -> None:
        """Behind everything that waits."""
        self._waiting.append(item)

    def allow(self, until: int) -> None:
        """Credit is absolute: a late or repeated one does no harm."""
        self._credit = max(self._credit, until)

    def clear(self) -> None:
        """What waits will be made anew, from another position on.

        Credit was given for the way to the old one: the peer says anew how far it may go.
        """
        self._waiting.clear()
        self._credit = _NEVER
        self._pace_from = None

    def take(self, now: float) -> list[Command]:
        """What may be sent now."""
        commands: list[Command] = []
        while self._waiting:
            item = self._waiting[0]
            if isinstance(item, Chunk):
                if item.end > self._credit or self._due_at(item, now) > now:
                    break
                commands.append(SendAudio(item.position, item.pcm))
            else:
                commands.append(Send(item))
            self._waiting.popleft()
        return commands

    @property
    def deadline(self) -> float | None:
        """When something that has credit becomes due; None: not before there is more credit, or audio."""
        if self._pace_from is None or not self._waiting:
            return None
        item = self._waiting[0]
        if not isinstance(item, Chunk) or item.end > self._credit:
            return None
        return self._due_at(item, self._pace_from[0])

    def _due_at(self, chunk: Chunk, now: float) -> float:
        """Audio that is read faster than it was spoken is paced from the first chunk's moment on."""
        if not self._paced:
            return now
        if self._pace_from is None:
            self._pace_from = (now, chunk.position)
        started_at, position = self._pace_from
        return started_at + (chunk.position - position) / SAMPLE_RATE_HZ

"""Ingest's end of a session: over which handle it is reached, and what it was told. Pure."""

from typing import Literal

from contracts.audio import SAMPLE_RATE_HZ
from contracts.intents import ContactIntents
from contracts.link import Accept, ClosedSession, Credit, EndHint, OpenedSession, Refused, Rewind
from services.transcribe.audio_feed import AudioFeed
from services.transcribe.commands import Command, FreeRequest, SendFrame
from services.transcribe.inputs import Attached
from services.transcribe.session_log import Refuse

CREDIT_STEP_SAMPLES = 2 * SAMPLE_RATE_HZ
"""Credit is told so much at once; what is left of the window is longer than a KVS fragment."""
SILENT_LINK_S = 660.0
"""Without a frame of ingest though it may send: it forgot the session. Longer than it tries to read a broken
stream."""
MAX_CHUNK_SAMPLES = 2_048
"""Ingest's longest chunk: with less credit it cannot send."""

type Gate = tuple[tuple[str, ...], tuple[str, ...]]
"""SegmentUIDs and contacts that are confirmed."""
type Disposition = Literal["delete", "put_back", "leave"]


class FarEnd:
    """One session's; `refuse`: what ingest is told of a session that is over."""

    def __init__(self, refuse: Refuse | None) -> None:
        self._refuse = refuse
        self._handle: int | None = None
        self._receipt_handle: str | None = None
        self._credit_told: int | None = None
        self._silent_from: float | None = None
        self._intents: ContactIntents | None = None

    def attach(
        self, attached: Attached, feed: AudioFeed, epoch: int, t0_ms: int | None, gate: Gate
    ) -> list[Command]:
        """Ingest opened the session (again): it is told where to begin."""
        self._handle, self._receipt_handle = attached.handle, attached.receipt_handle
        self._credit_told = None
        if self._refuse is not None:
            return []
        feed.reattached()
        opened = OpenedSession.model_validate(
            {
                "handle": attached.handle,
                "epoch": epoch,
                "t0_ms": t0_ms,
                "position_samples": feed.expected,
                "segment_uids": gate[0],
                "contact_ids": gate[1],
            }
        )
        return [SendFrame(opened), *self._tell(self._intents, None)]

    def detach(self) -> None:
        """The link is dead."""
        self._handle = self._credit_told = None

    def spoke(self, now: float) -> None:
        """Ingest said something."""
        self._silent_from = now

    def forgotten_at(self, feed: AudioFeed) -> float | None:
        """When ingest, should it go on to be silent, must have forgotten the session."""
        if self._silent_from is None or self._credit_told is None or not feed.starving:
            return None
        may_speak = self._credit_told - feed.expected >= MAX_CHUNK_SAMPLES
        return self._silent_from + SILENT_LINK_S if may_speak else None

    def ask(self, intents: ContactIntents | None) -> list[Command]:
        """Part of what is asked of the contact is ingest's to do."""
        before, self._intents = self._intents, intents
        return self._tell(intents, before)

    def steer(self, feed: AudioFeed, now: float, *, enough: bool) -> list[Command]:
        """Where ingest is to go on, and how far; `enough`: no further than it was told."""
        if self._handle is None:
            return []
        commands: list[Command] = []
        position = feed.take_rewind()
        if position is not None:
            commands.append(SendFrame(Rewind(handle=self._handle, position_samples=position)))
            self._credit_told = None
        if enough:
            return commands
        until = feed.credit_until
        if self._credit_told is None or until - self._credit_told >= CREDIT_STEP_SAMPLES:
            self._credit_told, self._silent_from = until, now
            commands.append(SendFrame(Credit(handle=self._handle, until_samples=until)))
        return commands

    def part(self, disposition: Disposition, reason: str) -> list[Command]:
        """The session is over for this process: what becomes of its request."""
        if self._handle is None:
            free = self._receipt_handle if disposition != "leave" else None
            return [FreeRequest(free)] if free else []
        if self._refuse is None:
            closed = ClosedSession(handle=self._handle, disposition=disposition, reason=reason)
            return [SendFrame(closed)]
        refused = Refused(
            handle=self._handle,
            refusal=self._refuse.refusal,
            explanation=self._refuse.explanation,
            retry_after_s=self._refuse.retry_after_s,
        )
        return [SendFrame(refused)]

    def _tell(self, intents: ContactIntents | None, before: ContactIntents | None) -> list[Command]:
        """What ingest does not know yet; `before`: what it was told."""
        commands: list[Command] = []
        if self._handle is None or intents is None:
            return commands
        contact_ids = intents.accepted_contact_ids
        if contact_ids and (before is None or contact_ids != before.accepted_contact_ids):
            commands.append(SendFrame(Accept(handle=self._handle, contact_ids=contact_ids)))
        ended_at_ms = intents.ended_at_ms
        if ended_at_ms is not None and (before is None or ended_at_ms != before.ended_at_ms):
            hint = EndHint(handle=self._handle, disconnected_at_ms=ended_at_ms)
            commands.append(SendFrame(hint))
        return commands

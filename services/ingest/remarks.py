"""Remarks: what an operator should know of a call's audio, as log events, metrics and notices to the peer."""

from collections.abc import Iterable
from typing import Final

from contracts.audio import SAMPLES_PER_MS, Channel, samples_of_ms
from contracts.link import Notice
from contracts.metrics import AUDIO_WITHHELD, FRAGMENTS_SCANNED, MALFORMED_FRAGMENTS, ONE_SIDED_AUDIO
from services.ingest.call_audio import InBandError, Malformed, UnsupportedFormat
from services.ingest.commands import Command, Count, Log, Send
from services.ingest.contact_gate import Withheld
from services.ingest.laid import Gap, Hole, Misplaced, Skipped
from services.ingest.scanned import BlockDropped, FragmentStarted

ONE_SIDED_AFTER_SAMPLES: Final = samples_of_ms(10_000)
NOTED_HOLE_SAMPLES: Final = samples_of_ms(1_000)
"""Holes from this on are told to the peer."""
MAX_NOTED: Final = 50
"""Holes and misplaced audio, per claim; each is logged."""

type Remarkable = (
    FragmentStarted
    | Withheld
    | BlockDropped
    | Skipped
    | Hole
    | Gap
    | Misplaced
    | InBandError
    | Malformed
    | UnsupportedFormat
)


class Remarks:
    """Of one claim that begins at `position`."""

    def __init__(self, handle: int, position: int) -> None:
        self._handle = handle
        self._sides_known = position >= ONE_SIDED_AFTER_SAMPLES
        """An earlier claim has seen whether both sides are there."""
        self._sides_at = position + ONE_SIDED_AFTER_SAMPLES
        self._noted = 0

    def of(self, heard: Remarkable) -> list[Command]:
        """What is said of one thing that was heard."""
        match heard:
            case FragmentStarted():
                return [Count(FRAGMENTS_SCANNED)]
            case Withheld(size=size):
                return [Count(AUDIO_WITHHELD, size)]
            case BlockDropped(reason=reason, size=size):
                return [Log("ingest.block_dropped", {"reason": reason, "size": size}, "warning")]
            case Skipped() | Gap():
                return self._gap(heard)
            case Hole():
                return self._hole(heard)
            case Misplaced():
                return self._misplaced(heard)
            case UnsupportedFormat():
                return [Log("ingest.format_unsupported", {}, "error")]
            case InBandError(code=code):
                return [Log("ingest.stream_error", {"error_code": code}, "warning")]
            case Malformed(error=error):
                keys = {"reason": error.problem, "element": error.element, "offset": error.offset}
                log = Log("ingest.fragment_malformed", {**keys, "size": error.size}, "warning")
                return [log, Count(MALFORMED_FRAGMENTS)]

    def of_sides(self, position: int, silent_channels: Iterable[Channel]) -> list[Command]:
        """Once, after ten seconds of audio: what is said of a side that was never heard."""
        if self._sides_known or position < self._sides_at:
            return []
        self._sides_known = True
        commands: list[Command] = []
        for channel in silent_channels:
            explanation = (
                f"No audio of the {channel.speaker} in 10 s: the flow's Start media streaming block must "
                "stream both directions."
            )
            log = Log("ingest.one_sided_audio", {"channel": channel.speaker}, "warning")
            commands += [Count(ONE_SIDED_AUDIO), log, self._notice("one_sided_audio", explanation)]
        return commands

    def _hole(self, hole: Hole) -> list[Command]:
        missing_ms = (hole.end - hole.position) // SAMPLES_PER_MS
        speaker = hole.channel.speaker
        keys = {"channel": speaker, "position_samples": hole.position, "missing_ms": missing_ms}
        commands: list[Command] = [Log("ingest.fragment_gap", keys, "warning")]
        if hole.end - hole.position >= NOTED_HOLE_SAMPLES and self._noted < MAX_NOTED:
            self._noted += 1
            explanation = f"{missing_ms} ms of the {speaker} are missing from sample {hole.position} on."
            commands.append(self._notice("audio_missing", explanation))
        return commands

    def _gap(self, gap: Skipped | Gap) -> list[Command]:
        """Told whenever it is read: the peer knows what it was told before. A skip has its own frame."""
        keys = {"from_samples": gap.position, "to_samples": gap.end}
        if isinstance(gap, Skipped):
            return [Log("ingest.audio_skipped", keys, "warning")]
        notice = Notice(
            handle=self._handle,
            code="audio_missing",
            explanation=f"{(gap.end - gap.position) // SAMPLES_PER_MS} ms of both sides are missing.",
            from_samples=gap.position,
            to_samples=gap.end,
        )
        return [Log("ingest.audio_missing", keys, "warning"), Send(notice)]

    def _misplaced(self, misplaced: Misplaced) -> list[Command]:
        skew_ms = (misplaced.claimed - misplaced.position) // SAMPLES_PER_MS
        keys = {"cause": misplaced.cause, "position_samples": misplaced.position, "skew_ms": skew_ms}
        commands: list[Command] = [Log("ingest.audio_misplaced", keys, "warning")]
        if self._noted < MAX_NOTED:
            self._noted += 1
            explanation = (
                f"Audio is left out from sample {misplaced.position} on: its time is {skew_ms} ms off."
            )
            commands.append(self._notice(misplaced.cause, explanation))
        return commands

    def _notice(self, code: str, explanation: str) -> Send:
        return Send(Notice(handle=self._handle, code=code, explanation=explanation))

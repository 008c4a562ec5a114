"""What can go wrong in ingest, by whose fault it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.ingest.media_faults import Fault
    from services.ingest.scanned import Scanned


class IngestError(Exception):
    """Anything that ingest raises on purpose."""


class MalformedFragment(IngestError, ValueError):
    """The stream's fault: the body cannot be walked on; read it again from the wanted position.

    Attributes:
        element: the element's id in hex, or its name in Matroska.
        offset: of the element in the body, bytes.
        size: as the element claims it, bytes; None where it has none.
        scanned: what the same bytes said before the fault.
    """

    def __init__(self, problem: str, *, element: str, offset: int, size: int | None = None) -> None:
        super().__init__(f"{problem}: element {element} of {size} bytes at byte {offset}")
        self.problem = problem
        self.element = element
        self.offset = offset
        self.size = size
        self.scanned: tuple[Scanned, ...] = ()


class UndecodableBlock(IngestError):
    """The decoder did not give back the block; nothing is known of the next one. Use a new decoder."""


class MediaFailure(IngestError):
    """Kinesis Video Streams did not give a body, or the body broke off; `fault` says what to do."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.value)
        self.fault = fault


class LinkFailed(IngestError):
    """The peer's fault, or the network's: no link, or no link any more. Dial again."""


class QueueFailure(IngestError):
    """SQS did not answer as it should, after the SDK's own retries; ask again later."""

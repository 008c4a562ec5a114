"""Start selectors of GetMedia; pure.

Where a reader begins is decided fragment by fragment, oldest first: begin here, skip it for good, or wait
because the fragment is still growing. Named fragments must be known, else GetMedia says 4000 in the body.
"""

import enum
from dataclasses import dataclass

from emulators.kvs.fragments import Fragment
from emulators.kvs.stream import Stream


class Verdict(enum.Enum):
    """What a selector says of a fragment."""

    BEGIN = "begin"
    SKIP = "skip"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Above:
    """Everything after an index: EARLIEST, NOW and named fragments come to this."""

    index: int

    def judge(self, fragment: Fragment) -> Verdict:
        """Begin with the first fragment above the index."""
        return Verdict.BEGIN if fragment.index > self.index else Verdict.SKIP


@dataclass(frozen=True, slots=True)
class Containing:
    """The fragment that contains a time, by the producer's clock or the server's; else the first after it."""

    at_ms: float
    by_producer: bool

    def judge(self, fragment: Fragment) -> Verdict:
        """A growing fragment may still come to contain the time."""
        end_ms = fragment.producer_end_ms if self.by_producer else fragment.server_end_ms
        begin_ms = fragment.producer_ms if self.by_producer else fragment.server_ms
        if end_ms > self.at_ms or begin_ms >= self.at_ms:
            return Verdict.BEGIN
        return Verdict.SKIP if fragment.complete else Verdict.WAIT


type Start = Above | Containing


class FragmentNotFound(Exception):
    """The caller named a fragment that the stream does not know (4000)."""


def earliest() -> Start:
    """The oldest fragment that is retained."""
    return Above(-1)


def latest(stream: Stream) -> Start:
    """NOW: the fragment that grows at this moment, else the next one."""
    last = stream.fragments[-1] if stream.fragments else None
    return Above(stream.last_index - 1 if last is not None and not last.complete else stream.last_index)


def after_fragment(stream: Stream, number: str) -> Start:
    """The fragment after the named one, which may be the number that the next fragment will get.

    Raises:
        FragmentNotFound: no such fragment is retained.
    """
    for fragment in stream.fragments:
        if fragment.number == number:
            return Above(fragment.index)
    if number == stream.number(stream.last_index + 1):
        return Above(stream.last_index + 1)
    raise FragmentNotFound(number)

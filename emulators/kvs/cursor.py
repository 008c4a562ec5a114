"""A reader's place in a stream, and the bytes that are due to it; pure."""

from emulators.kvs.fragments import Fragment, closing_tags
from emulators.kvs.selectors import Start, Verdict
from emulators.kvs.stream import Stream

MAX_TAKE_BYTES = 256 << 10
"""Handed out at once at most, so that a slow reader holds no more than this beside the stream itself."""


class Cursor:
    """Walks a stream from a start; ask `take` whenever the stream has grown.

    Fragments that the stream drops before they were reached are skipped; one that was begun is finished.
    """

    def __init__(self, stream: Stream, start: Start, *, whole: bool) -> None:
        """With `whole`, a fragment is handed out when it is complete, else as it grows."""
        self._stream = stream
        self._start: Start | None = start
        self._whole = whole
        self._passed = -1
        self._fragment: Fragment | None = None
        self._taken_pieces = 0

    @property
    def at_boundary(self) -> bool:
        """Whether what was handed out so far ends with a complete fragment, or is nothing."""
        return self._fragment is None or self._taken_pieces == 0

    def take(self, *, now_ms: int, last: bool = False) -> bytes:
        """The bytes that follow what was taken before; empty when the reader has all there is.

        With `last`, only those of a fragment that was begun already.
        """
        parts: list[bytes] = []
        size_bytes = 0
        while size_bytes < MAX_TAKE_BYTES and (fragment := self._current(begin=not last)) is not None:
            if self._whole and not fragment.complete:
                break
            fresh = fragment.pieces[self._taken_pieces :]
            self._taken_pieces += len(fresh)
            parts += fresh
            size_bytes += sum(map(len, fresh))
            if fragment.trailer is None:
                break
            parts += (fragment.trailer, closing_tags(fragment, now_ms=now_ms))
            self._passed = fragment.index
            self._fragment = None
        return b"".join(parts)

    def _current(self, *, begin: bool) -> Fragment | None:
        if self._fragment is None and begin:
            self._fragment = self._next()
            self._taken_pieces = 0
        return self._fragment

    def _next(self) -> Fragment | None:
        for fragment in self._stream.after(self._passed):
            if self._start is None:
                return fragment
            match self._start.judge(fragment):
                case Verdict.BEGIN:
                    self._start = None
                    return fragment
                case Verdict.SKIP:
                    self._passed = fragment.index
                case Verdict.WAIT:
                    return None
        return None

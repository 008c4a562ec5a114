"""What may appear in a log line: an allow-list of keys, and nothing of an exception but where it came from.

Transcript text, audio, phone numbers, attribute values, tokens and URLs have no key in the list, so they
cannot reach a log by mistake: a value under any other key is withheld, and the key shows that it was.
"""

from collections.abc import Mapping
from traceback import extract_tb
from types import TracebackType

WITHHELD = "[withheld]"
MAX_TEXT = 500
"""Characters of one value; the rest is cut."""

ALLOWED_KEYS = frozenset(
    {
        # who and what
        "event", "level", "timestamp", "service", "version", "peer", "port", "contact_id", "session_id",
        "message_id", "request_id", "stream", "table", "queue", "bus", "recogniser", "regions",
        # where in the session
        "epoch", "n", "k", "kind", "channel", "lane", "position_samples", "from_samples", "to_samples",
        "covered_samples", "missing_ms", "skew_ms", "t0_ms", "duration_s", "sessions",
        "fragments", "fragment",
        # what happened
        "action", "outcome", "reason", "refusal", "cause", "status", "close_code", "error_code", "attempt",
        "attempts", "delay_s", "timeout_s", "elapsed_ms", "bytes", "count", "element", "offset", "size",
        "exception", "signal", "disposition", "parameter", "field", "limit",
        "explanation",
    }
)  # fmt: skip


def redact(event: Mapping[str, object]) -> dict[str, object]:
    """The event with every value withheld whose key is not in `ALLOWED_KEYS`, and texts cut at `MAX_TEXT`."""
    return {key: _bounded(value) if key in ALLOWED_KEYS else WITHHELD for key, value in event.items()}


def _bounded(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        items: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType]  # of anything
        return [_bounded(item) for item in items[:20]]
    return str(value)[:MAX_TEXT]


def describe(error: BaseException) -> list[str]:
    """An exception and its causes, outermost first, as `Type at file:line in function`; never its message.

    Messages of SDKs and clients quote URLs, bodies and parameters.
    """
    lines: list[str] = []
    pending: list[BaseException | None] = [error]
    while pending and len(lines) < 12:
        current = pending.pop()
        if current is None:
            continue
        lines.append(f"{type(current).__name__}{_origin(current.__traceback__)}")
        inner = list(current.exceptions[:4]) if isinstance(current, BaseExceptionGroup) else []  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType, reportUnknownArgumentType]  # a group of anything
        pending += [current.__cause__ or current.__context__, *reversed(inner)]  # pyright: ignore[reportUnknownArgumentType]
    return lines


def _origin(trace: TracebackType | None) -> str:
    frames = extract_tb(trace)
    if not frames:
        return ""
    last = frames[-1]
    return f" at {last.filename.rpartition('/')[2]}:{last.lineno} in {last.name}"

"""Which interim results need not be sent while an endpoint is behind."""

import json
from collections.abc import Sequence
from typing import cast

from contracts.queue import TranscriptMessage

BEHIND_MS = 2_000
"""A message older than this shows that the endpoint is behind."""


def is_superseded(
    message: TranscriptMessage, later: Sequence[TranscriptMessage], now_ms: int, *, failed_before: bool
) -> bool:
    """Whether the endpoint is behind and a newer result of the same channel is in hand.

    Args:
        message: Only an interim result is ever superseded.
        later: What is in hand behind it.
        now_ms: Epoch ms.
        failed_before: Whether a request with it failed.
    """
    if message.kind != "interim" or message.k == 0:
        return False
    if not failed_before and now_ms - message.received_at_ms < BEHIND_MS:
        return False
    channel = _channel(message)
    return channel is not None and any(
        each.kind in {"interim", "final"} and _channel(each) == channel for each in later
    )


def _channel(message: TranscriptMessage) -> int | None:
    """Deepgram's channel index; None: not in the message."""
    try:
        document: object = json.loads(message.message or "null")
    except ValueError:
        return None
    index = cast("dict[str, object]", document).get("channel_index") if isinstance(document, dict) else None
    first = cast("list[object]", index)[0] if isinstance(index, list) and index else None
    return first if isinstance(first, int) else None

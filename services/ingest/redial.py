"""When a lost or refused link is dialled again."""

from typing import Final

_FIRST_S: Final = 0.05
_LONGEST_S: Final = 2.0
"""Transcribe waits two seconds for a lost ingest before others may have its sessions."""


def redial_s(attempt: int, jitter: float) -> float:
    """Seconds before dial `attempt` (from 1) in a row; `jitter` in [0, 1) takes up to a half away."""
    return min(_LONGEST_S, _FIRST_S * 2 ** min(attempt - 1, 10)) * (1 - jitter / 2)

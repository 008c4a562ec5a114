"""The address of a session's Deepgram connection."""

from collections.abc import Iterable
from urllib.parse import urlencode

from contracts.audio import CHANNELS, SAMPLE_RATE_HZ

AUDIO: tuple[tuple[str, str], ...] = (
    ("encoding", "linear16"),
    ("sample_rate", str(SAMPLE_RATE_HZ)),
    ("multichannel", "true"),
    ("channels", str(CHANNELS)),
)
OURS = frozenset({"callback", "callback_method"})
"""Delivery posts in Deepgram's place: these never reach it."""


def listen_url(api: str, parameters: Iterable[tuple[str, str]]) -> str:
    """`api` with the audio's format and then `parameters` in order, form-urlencoded.

    Every parameter passes, known or not, but for those that are ours or that contradict the audio's format
    (the trigger refuses the latter; here they are left out).
    """
    fixed = {name for name, _ in AUDIO}
    passed = [(name, value) for name, value in parameters if name not in fixed and name not in OURS]
    return f"{api}{'&' if '?' in api else '?'}{urlencode([*AUDIO, *passed])}"

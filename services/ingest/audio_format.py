"""The one format that Connect streams: 16-bit linear PCM, 8 kHz, one channel per track."""

from functools import lru_cache
from typing import Final

MIME_TYPE_TAG: Final = "MimeType"
"""The tag that tells the format; the tracks themselves are labelled AAC."""
_PARAMETERS: Final = {"rate": "8000", "channels": "1"}


@lru_cache(maxsize=16)
def is_supported(mime_type: str) -> bool:
    """Whether a MimeType tag names that format; a parameter that it leaves out has Connect's value."""
    kind, *parameters = (part.strip().lower() for part in mime_type.split(";"))
    values = {name: value for name, _, value in (parameter.partition("=") for parameter in parameters)}
    return kind == "audio/l16" and all(values.get(name, good) == good for name, good in _PARAMETERS.items())

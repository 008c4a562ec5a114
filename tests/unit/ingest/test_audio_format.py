"""Which MimeType tags name Connect's format."""

import pytest

from services.ingest.audio_format import is_supported


@pytest.mark.parametrize(
    ("mime_type", "supported"),
    [
        ("audio/L16;rate=8000;channels=1;", True),
        ("AUDIO/l16; channels=1; rate=8000", True),
        ("audio/L16", True),
        ("audio/L16;rate=16000;channels=1;", False),
        ("audio/L16;rate=8000;channels=2;", False),
        ("audio/aac", False),
        ("video/h264", False),
        ("", False),
    ],
)
def test_only_connects_own_format_is_decoded(mime_type: str, supported: bool) -> None:
    assert is_supported(mime_type) is supported

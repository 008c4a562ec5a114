"""What is free goes back to the system."""

from pathlib import Path

from services.ingest.adapters.heap import give_back


def resident_bytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


def test_what_was_freed_between_what_is_kept_goes_back() -> None:
    pieces = [bytearray(2_000) for _ in range(30_000)]
    kept = pieces[::500]
    del pieces
    before = resident_bytes()
    give_back()
    assert before - resident_bytes() > 20_000_000
    assert len(kept) == 60

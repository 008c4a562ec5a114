"""Latencies of a run, from what its emulators saw, what the callback received and what the services count."""

import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.metrics import Metric
from demo.call import DemoCall
from demo.latency import Hop


@dataclass(frozen=True, slots=True)
class Arrival:
    """One of Deepgram's messages at the callback."""

    at_ms: float
    call: DemoCall | None
    message: Mapping[str, Any]


def read(url: str) -> Any:
    """The JSON at an emulator's admin address."""
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 -- http, on this machine
        return json.load(answer)


def note_first_blocks(kvs_url: str, calls: Sequence[DemoCall]) -> None:
    """Asks the KVS emulator when it had the first block of each call."""
    for call in calls:
        if not call.stream_name:
            continue
        stream = read(f"{kvs_url}/_emulator/streams/{call.stream_name}")
        for contact in stream["contacts"]:
            if contact["contact_id"] == call.contact_id:
                call.first_block_at_ms = contact["first_block_at_ms"]


def connections(deepgram_url: str) -> list[dict[str, Any]]:
    """What the Deepgram emulator saw of its connections, oldest first."""
    return read(f"{deepgram_url}/_emulator/connections")


def first_audio(calls: Sequence[DemoCall], seen: Sequence[Mapping[str, Any]]) -> Hop:
    """First audio block of each call in KVS, until its first byte at the Deepgram server."""
    at_deepgram: dict[str, float] = {
        value: connection["first_audio_at_ms"]
        for connection in reversed(seen)
        if connection["first_audio_at_ms"] is not None
        for name, value in connection["query"]
        if name == "tag"
    }
    values = [
        at_deepgram[call.tag] - call.first_block_at_ms
        for call in calls
        if call.first_block_at_ms is not None and call.tag in at_deepgram
    ]
    return Hop("first audio block in KVS -> first byte at Deepgram", values)


def deepgram_to_callback(arrivals: Sequence[Arrival], seen: Sequence[Mapping[str, Any]]) -> Hop:
    """Each of Deepgram's results, from leaving its server to arriving at the callback."""
    sent: dict[tuple[object, ...], float] = {
        (connection["id"], *place): at_ms for connection in seen for at_ms, *place in connection["sent"]
    }
    values = [
        arrival.at_ms - sent[key]
        for arrival in arrivals
        if (key := _place(arrival.message)) is not None and key in sent
    ]
    return Hop("Deepgram's message -> callback", values)


def spoken_to_callback(arrivals: Sequence[Arrival]) -> Hop:
    """The end of the last word of each final segment as it was spoken, until the text is at the callback."""
    return Hop("words spoken -> final text at the callback", list(_spoken(arrivals)))


def counted(logs: Path, service: str, metric: Metric, name: str) -> Hop:
    """A hop that a service measures itself: every value of `metric` in its log."""
    values: list[float] = []
    for line in (logs / f"{service}.log").read_text().splitlines():
        if '"_aws"' in line:
            found = json.loads(line).get(metric.name, [])
            values += found if isinstance(found, list) else [found]
    return Hop(name, values)


def complaints(logs: Path) -> list[str]:
    """What the services warned of, each once: errors first, then what tells a reason, then by time."""
    found: dict[str, tuple[bool, bool]] = {}
    for service in ("ingest", "transcribe", "delivery"):
        for line in (logs / f"{service}.log").read_text(errors="replace").splitlines():
            if '"level": "warning"' in line or '"level": "error"' in line:
                entry = json.loads(line)
                about = [str(entry[key]) for key in ("reason", "explanation") if entry.get(key)]
                found[" ".join((entry["event"], *about))] = (entry["level"] != "error", not about)
    return sorted(found, key=lambda said: found[said])


def _spoken(arrivals: Sequence[Arrival]) -> Iterator[float]:
    for arrival in arrivals:
        message, call = arrival.message, arrival.call
        if call is None or call.began_at_ms is None or not message.get("is_final"):
            continue
        words = message["channel"]["alternatives"][0]["words"]
        if words:
            yield arrival.at_ms - (call.began_at_ms + words[-1]["end"] * 1_000)


def _place(message: Mapping[str, Any]) -> tuple[object, ...] | None:
    if message.get("type") != "Results":
        return None
    return (
        message["metadata"]["request_id"],
        "Results",
        message["channel_index"][0],
        message["start"],
        message["duration"],
        message["is_final"],
    )

import json
from pathlib import Path
from typing import Any

from contracts.metrics import DELIVERY_LAG
from demo.call import DemoCall
from demo.observed import Arrival, complaints, counted, deepgram_to_callback, first_audio, spoken_to_callback


def call() -> DemoCall:
    made = DemoCall(name="call 1", title="A test", duration_s=60, reference=None, tag="demo-1")
    made.began_at_ms, made.first_block_at_ms = 1_000, 1_064.0
    return made


def result(
    start: float, *, is_final: bool = True, words: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "type": "Results",
        "metadata": {"request_id": "r1"},
        "channel_index": [1, 2],
        "start": start,
        "duration": 2.0,
        "is_final": is_final,
        "channel": {"alternatives": [{"transcript": "x", "words": words or []}]},
    }


def connection(**changed: Any) -> dict[str, Any]:
    seen = {"id": "r1", "query": [["tag", "demo-1"]], "first_audio_at_ms": 1_500.0, "sent": []}
    return {**seen, **changed}


def test_first_audio_counts_from_the_first_block_to_the_calls_first_connection() -> None:
    seen = [connection(), connection(first_audio_at_ms=9_000.0)]
    assert first_audio([call()], seen).values_ms == [436.0]


def test_a_connection_without_audio_or_of_another_call_does_not_count() -> None:
    seen = [connection(first_audio_at_ms=None), connection(query=[["tag", "demo-2"]])]
    assert first_audio([call()], seen).values_ms == []


def test_a_message_is_matched_by_its_request_channel_times_and_finality() -> None:
    seen = [
        connection(
            sent=[[2_000.0, "Results", 1, 3.0, 2.0, True], [2_500.0, "Metadata", None, None, None, None]]
        )
    ]
    arrivals = [Arrival(2_090.0, None, result(3.0)), Arrival(2_100.0, None, result(3.0, is_final=False))]
    assert deepgram_to_callback(arrivals, seen).values_ms == [90.0]


def test_spoken_words_count_from_the_end_of_the_last_one() -> None:
    words = [{"end": 4.0}, {"end": 4.5}]
    heard = [
        Arrival(6_000.0, call(), result(3.0, words=words)),
        Arrival(6_000.0, call(), result(3.0, words=words, is_final=False)),
        Arrival(6_000.0, call(), {"type": "Metadata"}),
    ]
    assert spoken_to_callback(heard).values_ms == [500.0]


def test_a_services_own_values_are_read_from_its_log(tmp_path: Path) -> None:
    documents: list[dict[str, Any]] = [
        {"_aws": {}, "DeliveryLag": [5, 6]},
        {"_aws": {}, "DeliveryLag": 7},
        {"event": "delivery.ready"},
    ]
    (tmp_path / "delivery.log").write_text("\n".join(map(json.dumps, documents)) + "\nnot json\n")
    assert counted(tmp_path, "delivery", DELIVERY_LAG, "hop").values_ms == [5, 6, 7]


def test_errors_and_reasons_come_before_what_follows_from_them(tmp_path: Path) -> None:
    for service in ("transcribe", "delivery"):
        (tmp_path / f"{service}.log").touch()
    entries = [
        {"level": "warning", "event": "ingest.link_closed"},
        {"level": "info", "event": "ingest.ready"},
        {"level": "warning", "event": "session.failed", "reason": "refused"},
        {"level": "error", "event": "session.lost"},
        {"level": "warning", "event": "ingest.link_closed"},
    ]
    (tmp_path / "ingest.log").write_text("\n".join(map(json.dumps, entries)))
    assert complaints(tmp_path) == ["session.lost", "session.failed refused", "ingest.link_closed"]

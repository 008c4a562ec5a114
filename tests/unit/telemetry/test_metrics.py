import json
from typing import Any

from contracts.metrics import DELIVERED, DELIVERY_LAG, NAMESPACE, SESSIONS_LIVE
from telemetry.metrics import MAX_PENDING, Metrics


def flushed(metrics: Metrics, lines: list[str]) -> list[dict[str, Any]]:
    lines.clear()
    metrics.flush(now_ms=1_700_000_000_000)
    return [json.loads(line) for line in lines]


def test_a_document_has_the_embedded_metric_format() -> None:
    lines: list[str] = []
    metrics = Metrics("unit", lines.append, stack="calls-uk")
    metrics.count(DELIVERED, 2)
    metrics.count(DELIVERED)
    (document,) = flushed(metrics, lines)
    assert document == {
        "_aws": {
            "Timestamp": 1_700_000_000_000,
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["stack", "service"]],
                    "Metrics": [{"Name": "Delivered", "Unit": "Count"}],
                }
            ],
        },
        "stack": "calls-uk",
        "service": "unit",
        "Delivered": 3,
    }


def test_counts_start_anew_and_gauges_stay() -> None:
    lines: list[str] = []
    metrics = Metrics("unit", lines.append, stack="calls-uk")
    metrics.count(DELIVERED)
    metrics.gauge(SESSIONS_LIVE, 7)
    flushed(metrics, lines)
    (document,) = flushed(metrics, lines)
    assert (document["SessionsLive"], document.get("Delivered")) == (7, None)


def test_nothing_collected_writes_nothing() -> None:
    lines: list[str] = []
    assert flushed(Metrics("unit", lines.append, stack="calls-uk"), lines) == []


def test_values_are_split_over_documents_of_a_hundred() -> None:
    lines: list[str] = []
    metrics = Metrics("unit", lines.append, stack="calls-uk")
    for value in range(250):
        metrics.observe(DELIVERY_LAG, value)
    documents = flushed(metrics, lines)
    assert [len(document["DeliveryLag"]) for document in documents] == [100, 100, 50]
    assert [value for document in documents for value in document["DeliveryLag"]] == list(range(250))


def test_values_held_between_flushes_are_bounded() -> None:
    lines: list[str] = []
    metrics = Metrics("unit", lines.append, stack="calls-uk")
    for value in range(MAX_PENDING + 5):
        metrics.observe(DELIVERY_LAG, value)
    documents = flushed(metrics, lines)
    assert documents[0]["DeliveryLag"][0] == 5
    assert sum(len(document["DeliveryLag"]) for document in documents) == MAX_PENDING

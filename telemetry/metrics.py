"""Metrics as CloudWatch embedded metric format: JSON lines on stdout, no agent and no API calls.

Source: Amazon CloudWatch, "Specification: embedded metric format": at most 100 values per
metric and document.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator

from contracts.metrics import DIMENSIONS, NAMESPACE, Metric

MAX_VALUES = 100
MAX_PENDING = 10_000
"""Values held per metric between two flushes; more are dropped, oldest first."""


def _write_line(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Metrics:
    """Collects values of a process until `flush`, which must be called every few seconds and at the end."""

    def __init__(self, service: str, write: Callable[[str], None] = _write_line, *, stack: str) -> None:
        """`stack` tells the metrics of several stacks in one account and region apart."""
        self._of = dict(zip(DIMENSIONS, (stack, service), strict=True))
        self._write = write
        self._counts: defaultdict[Metric, float] = defaultdict(float)
        self._gauges: dict[Metric, float] = {}
        self._values: defaultdict[Metric, list[float]] = defaultdict(list)

    def count(self, metric: Metric, amount: float = 1) -> None:
        """Adds to a sum that starts at 0 with every flush."""
        self._counts[metric] += amount

    def gauge(self, metric: Metric, value: float) -> None:
        """Sets the value that every flush reports until it is set again."""
        self._gauges[metric] = value

    def observe(self, metric: Metric, value: float) -> None:
        """Adds one value to a distribution."""
        values = self._values[metric]
        values.append(round(value, 3))
        if len(values) > MAX_PENDING:
            del values[: len(values) - MAX_PENDING]

    def flush(self, now_ms: int) -> None:
        """Writes what was collected since the last flush; nothing when there is nothing."""
        for document in self._documents(now_ms):
            self._write(json.dumps(document, separators=(",", ":")))

    def _documents(self, now_ms: int) -> Iterator[dict[str, object]]:
        singles = {**self._counts, **self._gauges}
        distributions = dict(self._values)
        self._counts.clear()
        self._values.clear()
        if singles:
            yield self._document(now_ms, dict(singles))
        longest = max((len(values) for values in distributions.values()), default=0)
        for start in range(0, longest, MAX_VALUES):
            batch = {m: v[start : start + MAX_VALUES] for m, v in distributions.items() if len(v) > start}
            yield self._document(now_ms, dict(batch))

    def _document(self, now_ms: int, values: dict[Metric, object]) -> dict[str, object]:
        return {
            "_aws": {
                "Timestamp": now_ms,
                "CloudWatchMetrics": [
                    {
                        "Namespace": NAMESPACE,
                        "Dimensions": [list(DIMENSIONS)],
                        "Metrics": [{"Name": m.name, "Unit": m.unit.value} for m in values],
                    }
                ],
            },
            **self._of,
            **{metric.name: value for metric, value in values.items()},
        }

"""Percentiles of the hops of a run. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Hop:
    """One stretch of the way, with the milliseconds that each message or block took for it."""

    name: str
    values_ms: Sequence[float]


def percentile(values: Iterable[float], percent: float) -> float:
    """The smallest value that at least `percent` of 100 values do not exceed (nearest rank).

    Raises:
        ValueError: there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("a percentile needs at least one value")
    return ordered[max(0, ceil(percent / 100 * len(ordered)) - 1)]

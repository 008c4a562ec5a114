import pytest

from demo.latency import percentile


def test_percentiles_are_by_nearest_rank() -> None:
    values = list(range(1, 101))
    assert [percentile(values, p) for p in (0, 50, 99, 100)] == [1, 50, 99, 100]


def test_one_value_is_every_percentile() -> None:
    assert [percentile([7.5], p) for p in (1, 50, 99)] == [7.5, 7.5, 7.5]


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="at least one"):
        percentile([], 50)

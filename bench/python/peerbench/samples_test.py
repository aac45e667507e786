"""The helpers of samples.py, as tables."""

import pytest

from peerbench.samples import median, percentile


@pytest.mark.parametrize(
    ("values", "p", "expected"),
    [
        ([7.0], 0, 7.0),
        ([7.0], 99, 7.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        ([float(i) for i in range(1, 101)], 99, 99.0),
        ([float(i) for i in range(1, 101)], 100, 100.0),
        ([float(i) for i in range(1, 51)], 99, 50.0),
    ],
)
def test_nearest_rank(values: list[float], p: float, expected: float) -> None:
    assert percentile(values, p) == expected


def test_median_is_a_measured_value() -> None:
    assert median([1.0, 100.0]) == 1.0


def test_leaves_its_argument_alone() -> None:
    values = [3.0, 1.0, 2.0]
    median(values)
    assert values == [3.0, 1.0, 2.0]


@pytest.mark.parametrize(("values", "p"), [([], 50), ([1.0], -1), ([1.0], 101)])
def test_refuses(values: list[float], p: float) -> None:
    with pytest.raises(ValueError, match=r"."):
        percentile(values, p)

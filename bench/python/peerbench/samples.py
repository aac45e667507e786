"""What is said about measured values."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], p: float) -> float:
    """Nearest rank: the smallest value that at least p % of all do not exceed."""
    if not values:
        raise ValueError("no values")
    if not 0 <= p <= 100:
        raise ValueError(f"p must be in 0..100, not {p}")
    rank = max(1, math.ceil(p / 100 * len(values)))
    return sorted(values)[rank - 1]


def median(values: Sequence[float]) -> float:
    """The middle value (the lower of two), so that it is one that was measured."""
    return percentile(values, 50)

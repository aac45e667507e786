"""Durations, counted in buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hotspare._core import CoreHistogram


class Histogram:
    """Durations in seconds, as they were at one moment. A quantile is at most 12.5 % above the true one."""

    __slots__ = ("_core",)

    def __init__(self, core: CoreHistogram) -> None:
        self._core = core

    @property
    def count(self) -> int:
        """How many durations."""
        return int(self._core.count)

    @property
    def sum(self) -> float:
        """How long all of them are together."""
        return float(self._core.sum_ns) / 1e9

    @property
    def max(self) -> float:
        """The longest; 0 when there are none."""
        return float(self._core.max_ns) / 1e9

    @property
    def mean(self) -> float:
        """0 when there are none."""
        return self.sum / max(1, self.count)

    @property
    def buckets(self) -> tuple[tuple[float, int], ...]:
        """(upper bound, how many) of each bucket that is not empty; eight make an octave."""
        return tuple((bound / 1e9, many) for bound, many in self._core.buckets_ns)

    def quantile(self, q: float) -> float:
        """The least duration that a share of q (0 to 1) of all does not exceed; 0 when there are none."""
        return float(self._core.quantile_ns(q)) / 1e9

    def __repr__(self) -> str:
        return f"<Histogram of {self.count}: median {self.quantile(0.5):.6f} s, longest {self.max:.6f} s>"

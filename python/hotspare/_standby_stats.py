"""What a standby channel has counted and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class Histogram:
    """Durations in seconds, as they were at one moment. A quantile is at most 12.5 % above the true one."""

    __slots__ = ("_core",)

    def __init__(self, core: Any) -> None:
        self._core = core

    @property
    def count(self) -> int:
        """How many durations."""
        return int(self._core.count)

    @property
    def max(self) -> float:
        """The longest; 0 when there are none."""
        return float(self._core.max_ns) / 1e9

    @property
    def mean(self) -> float:
        """0 when there are none."""
        return float(self._core.sum_ns) / 1e9 / max(1, self.count)

    def quantile(self, q: float) -> float:
        """The least duration that a share of q (0 to 1) of all does not exceed; 0 when there are none."""
        return float(self._core.quantile_ns(q)) / 1e9

    def __repr__(self) -> str:
        return f"<Histogram of {self.count}: median {self.quantile(0.5):.6f} s, longest {self.max:.6f} s>"


@dataclass(frozen=True)
class StandbyStats:
    """Counters since the channel was made, and gauges of this moment. blocks == answered + late."""

    blocks: int
    """Calls of process() that were not refused."""
    answered: int
    """Blocks that a replica answered by their deadline."""
    late: int
    """Those that none did."""
    deaths: int
    """Replicas that died unexpectedly, the hung ones that were ended among them."""
    deaths_before_ready: int
    """Of these: before they were in step."""
    hangs: int
    """Of these: ended because they hung."""
    takeovers: int
    """Deaths after which another replica that was in step went on at once."""
    handovers: int
    """Blocks for which the next one was woken because patience was over."""
    starts: int
    """Replicas asked for."""
    rejoined: int
    """Replicas that came into step after the channel was made."""
    states_lost: int
    """Times that no replica with the state was left: a fresh one began anew."""
    zygote_deaths: int
    in_step: int
    """Replicas that answer, or are parked and could."""
    latency: Histogram
    """From process() to its answer, of answered blocks, without Python's part."""
    rejoin: Histogram
    """From the notice of a death to its successor in step."""
    unavailable: tuple[str, ...]
    """What was asked for and is not to be had here, and what that costs."""


def stats_of(given: dict[str, Any]) -> StandbyStats:
    return StandbyStats(**{**given, "latency": Histogram(given["latency"]), "rejoin": Histogram(given["rejoin"])})

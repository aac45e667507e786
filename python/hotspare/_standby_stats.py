"""What a standby channel has counted and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hotspare._histogram import Histogram


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
    deaths_by_cause: dict[str, int]
    """The same by CrashReport.cause."""
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
    left_out: int
    """Blocks that killed replicas again and again, and are nobody's any more."""
    states_lost: int
    """Times that no replica with the state was left: a fresh one began anew."""
    zygote_deaths: int
    in_step: int
    """Replicas that answer, or are parked and could. Without the spare."""
    spares: int
    """1: the spare follows the stream. 0: there is none, or not yet."""
    latency: Histogram
    """From process() to its answer, of answered blocks, without Python's part."""
    detection: Histogram
    """From a death to its notice, of those whose instant is known (docs/health.md)."""
    takeover: Histogram
    """From the notice of a death to the next answer."""
    rejoin: Histogram
    """From the notice of a death to its successor in step."""
    unavailable: tuple[str, ...]
    """What was asked for and is not to be had here, and what that costs."""


_histograms = ("latency", "detection", "takeover", "rejoin")


def stats_of(given: dict[str, Any]) -> StandbyStats:
    return StandbyStats(**{**given, **{name: Histogram(given[name]) for name in _histograms}})

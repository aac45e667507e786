"""Figures and events of all pools and standby channels of this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from hotspare import _core
from hotspare._events import Event, teller
from hotspare._histogram import Histogram


@dataclass(frozen=True)
class Figures:
    """Those of all pools, or of all channels."""

    numbers: Mapping[str, int]
    """Counters and gauges, by the names that stats() has for them; figures["deaths"] is short for this."""
    deaths_by_cause: Mapping[str, int]
    """By CrashReport.cause."""
    histograms: Mapping[str, Histogram]
    """detection and recovery of pools; latency, detection, takeover and rejoin of channels."""

    def __getitem__(self, name: str) -> int:
        return self.numbers[name]


@dataclass(frozen=True)
class Health:
    """The sum over all pools and standby channels of this process, living and closed; gauges only of the living."""

    pools_open: int
    pools_made: int
    channels_open: int
    channels_made: int
    pools: Figures
    channels: Figures
    unavailable: tuple[str, ...] = field(default=())
    """What open channels asked for and did not get."""


def _figures(told: Any) -> Figures:
    numbers, causes, histograms = told
    return Figures(numbers, causes, {name: Histogram(each) for name, each in histograms.items()})


def health() -> Health:
    """The figures of this process at this moment; of pools that have begun, which they do with their first task. In a
    process that was forked off they begin anew. Any thread may call it."""
    pools_open, pools_made, channels_open, channels_made, pools, channels, unavailable = _core.health()
    return Health(
        pools_open, pools_made, channels_open, channels_made, _figures(pools), _figures(channels), tuple(unavailable)
    )


def openmetrics() -> str:
    """The same for each kind and name as OpenMetrics text, to be served as
    ``application/openmetrics-text; version=1.0.0; charset=utf-8``. Any thread may call it."""
    return _core.openmetrics()


class Subscription:
    """What subscribe returns. It ends with close(), with its ``with`` block, or when nobody refers to it any more."""

    def __init__(self, core: _core.CoreSubscription) -> None:
        self._core = core

    def close(self) -> None:
        """After that the callback is not called any more. Waits for a call under way, but not within the callback."""
        self._core.end()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def subscribe(on_event: Callable[[Event], object]) -> Subscription:
    """Calls on_event with each Event of all pools and standby channels of this process, from now on: those of one pool
    one at a time, on its thread for that, those of several maybe at the same time. What it raises goes to
    ``sys.unraisablehook``. In a process that was forked off nobody is subscribed."""
    if not callable(on_event):
        raise TypeError("on_event must be callable")
    tell = teller(on_event)
    return Subscription(_core.CoreSubscription(lambda facts: tell(*facts)))

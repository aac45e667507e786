"""What happens in a pool, told to its owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hotspare._callbacks import callback
from hotspare._errors import report_of


class Event:
    """Something that happened in a pool or a standby channel."""

    __slots__ = ("at", "detail", "kind", "pid", "report", "source", "source_name", "task_id")

    def __init__(
        self,
        kind: str,
        at: float,
        pid: int,
        task_id: int,
        detail: str,
        report: Any,
        source: str = "pool",
        source_name: str = "",
    ) -> None:
        self.kind = kind
        """worker_ready, death, takeover, refill, retired, zygote_died, broken, retry, host_run, host_run_ends or
        unavailable (something that was asked for is not to be had here, and what that costs)."""
        self.at = at
        """Seconds on time.monotonic()'s clock."""
        self.pid = pid
        """Of the worker (of the spare, for a takeover); 0: none."""
        self.task_id = task_id
        """Of the task that a death cost, or that will be run again; 0: none."""
        self.detail = detail
        """In words."""
        self.report = report
        """CrashReport of a death, else None."""
        self.source = source
        """pool or standby: what it comes from,"""
        self.source_name = source_name
        """and its name."""

    def __repr__(self) -> str:
        return f"<Event {self.kind} pid={self.pid} {self.detail}>"


def teller(on_event: Callable[[Event], object]) -> Callable[..., object]:
    """What the engine calls, to tell of an event."""

    def call(kind: str, at: float, pid: int, task_id: int, detail: str, report: Any, *source: str) -> None:
        facts = None if report is None else report_of(report, report.task_name())
        with callback():
            on_event(Event(kind, at, pid, task_id, detail, facts, *source))

    return call


def event_callback(on_event: Callable[[Any], object] | None) -> Callable[..., object] | None:
    return None if on_event is None else teller(on_event)

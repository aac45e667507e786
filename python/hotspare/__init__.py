"""A process pool that a dying worker cannot break.

``hotspare.ProcessPoolExecutor`` is a drop-in for that of concurrent.futures; ``hotspare.Pool`` is the native class.
"""

from __future__ import annotations

from typing import Any

from hotspare._errors import (
    BrokenPool,
    BrokenResult,
    BrokenWorker,
    BrokenWorkerTimeout,
    CrashReport,
    JournalError,
    NativeFrame,
    NeedsProcess,
    PoolBroken,
    PoolClosed,
    PythonFrame,
    Quarantined,
    QueueFull,
    QueueTimeout,
    RemoteError,
    SoftTimeout,
    StandbyBroken,
    StandbyClosed,
    TaskTimeout,
    WorkerDied,
)

_no_engine = ""
try:
    from hotspare import _core
except ModuleNotFoundError as _error:
    # A client without the engine: it can unpickle the exceptions above, and nothing more.
    if _error.name != "hotspare._core":
        raise
    _no_engine = str(_error)
else:
    from hotspare._arrays import empty
    from hotspare._batch import Batch, Recovered, recover_journal
    from hotspare._events import Event
    from hotspare._executor import ProcessPoolExecutor
    from hotspare._future import Future
    from hotspare._health import Health, Subscription, health, openmetrics, subscribe
    from hotspare._histogram import Histogram
    from hotspare._pool import Pool, Submitter
    from hotspare._retries import Failure, Retries, Tag
    from hotspare._standby import StandbyChannel
    from hotspare._standby_stats import StandbyStats
    from hotspare._this_task import Progress, attempt, progress

    del _core

__version__ = "0.1.0"

__all__ = [
    "Batch",
    "BrokenPool",
    "BrokenResult",
    "BrokenWorker",
    "BrokenWorkerTimeout",
    "CrashReport",
    "Event",
    "Failure",
    "Future",
    "Health",
    "Histogram",
    "JournalError",
    "NativeFrame",
    "NeedsProcess",
    "Pool",
    "PoolBroken",
    "PoolClosed",
    "ProcessPoolExecutor",
    "Progress",
    "PythonFrame",
    "Quarantined",
    "QueueFull",
    "QueueTimeout",
    "Recovered",
    "RemoteError",
    "Retries",
    "SoftTimeout",
    "StandbyBroken",
    "StandbyChannel",
    "StandbyClosed",
    "StandbyStats",
    "Submitter",
    "Subscription",
    "Tag",
    "TaskTimeout",
    "WorkerDied",
    "attempt",
    "empty",
    "health",
    "openmetrics",
    "progress",
    "recover_journal",
    "subscribe",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        raise ImportError(f"hotspare.{name} needs the extension module of the package: {_no_engine}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

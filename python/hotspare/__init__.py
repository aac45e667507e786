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
    import hotspare._core as _engine_module
except ImportError as _error:
    # A client without the engine, or one whose engine is for another machine: it can unpickle the exceptions above, and
    # nothing more.
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

    del _engine_module

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


if _no_engine:
    _needs_engine = {name for name in __all__ if name not in globals()}
    __all__ = [name for name in __all__ if name not in _needs_engine]


def __getattr__(name: str) -> Any:
    if _no_engine and (name in _needs_engine or name == "_core"):
        what = "this part of hotspare" if name == "_core" else f"hotspare.{name}"
        raise ImportError(
            f"{what} needs the extension module of the package, which cannot be loaded here: {_no_engine}. Install "
            "hotspare for this interpreter and machine; exceptions of hotspare can be unpickled without it"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

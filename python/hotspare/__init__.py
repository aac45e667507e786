"""A process pool that a dying worker cannot break.

``hotspare.ProcessPoolExecutor`` is a drop-in for that of concurrent.futures; ``hotspare.Pool`` is the native class.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hotspare._errors import (
    BrokenPool,
    BrokenResult,
    BrokenWorker,
    BrokenWorkerTimeout,
    CrashReport,
    NativeFrame,
    PoolBroken,
    PoolClosed,
    PythonFrame,
    QueueFull,
    RemoteError,
    TaskTimeout,
    WorkerDied,
)

if TYPE_CHECKING:
    from hotspare._arrays import empty
    from hotspare._events import Event
    from hotspare._executor import ProcessPoolExecutor
    from hotspare._future import Future
    from hotspare._pool import Pool, Submitter

__version__ = "0.1.0"

__all__ = [
    "BrokenPool",
    "BrokenResult",
    "BrokenWorker",
    "BrokenWorkerTimeout",
    "CrashReport",
    "Event",
    "Future",
    "NativeFrame",
    "Pool",
    "PoolBroken",
    "PoolClosed",
    "ProcessPoolExecutor",
    "PythonFrame",
    "QueueFull",
    "RemoteError",
    "Submitter",
    "TaskTimeout",
    "WorkerDied",
    "empty",
]

# Needs the extension module. The exceptions above do not: a client that has no engine can unpickle them.
_WITH_ENGINE = {
    "Event": "_events",
    "Future": "_future",
    "Pool": "_pool",
    "ProcessPoolExecutor": "_executor",
    "Submitter": "_pool",
    "empty": "_arrays",
}


def __getattr__(name: str) -> Any:
    module = _WITH_ENGINE.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"hotspare.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

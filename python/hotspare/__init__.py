"""A process pool that a dying worker cannot break.

``hotspare.ProcessPoolExecutor`` is a drop-in for that of concurrent.futures; ``hotspare.Pool`` is the native class.
"""

from hotspare._arrays import empty
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
from hotspare._executor import ProcessPoolExecutor
from hotspare._future import Future
from hotspare._pool import Event, Pool, Submitter

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

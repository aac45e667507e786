"""The C++ engine of one pool, from its lazy start to the moment when nothing is left of it."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

from hotspare import _core
from hotspare._callbacks import in_callback
from hotspare._errors import PoolBroken, PoolClosed, QueueFull
from hotspare._future import settle_all
from hotspare._start import Launch

_exiting = False
_alive: set[Engine] = set()
_lock = threading.Lock()


class Engine:
    """Started by the first task, so that a fork sees all that the program has set up until then."""

    def __init__(self, launch: Launch, options: dict[str, Any]) -> None:
        self.launch = launch
        self.options = options
        self.core: Any = None
        self.closed = False
        self.gone = threading.Event()
        self.maps: weakref.WeakSet[Any] = weakref.WeakSet()
        self._starting = threading.Lock()

    def start(self) -> Any:
        """The running engine. Raises RuntimeError when the pool or the interpreter is closing."""
        with self._starting:
            if self.closed or _exiting:
                raise closed()
            if self.core is None:
                with _lock:
                    _alive.add(self)
                try:
                    hooks = {"on_settled": settle_all, "host_begins": self.launch.host_begins}
                    self.core = self.launch.make(_core.CorePool, {**self.options, **hooks})
                except BaseException:
                    with _lock:
                        _alive.discard(self)
                    raise
            return self.core

    def shutdown(self, wait: bool = True, cancel: bool = False, keep: int = 0) -> None:
        """keep: so many of the oldest tasks are spared by cancel, those that run among them."""
        with self._starting:
            self.closed = True
            core = self.core
        if core is None:
            self._is_gone()
            return
        if not core.in_host:
            return
        for running in list(self.maps):
            running.flush(cancel)
        # A callback runs on a thread that has to end before the pool is gone.
        if wait and not self.gone.is_set() and not in_callback():
            core.shutdown(True, cancel, keep)
            self._is_gone()
        elif not self.gone.is_set():
            core.shutdown_in_background(cancel, keep, self._is_gone)

    def _is_gone(self) -> None:
        self.launch.close()
        with _lock:
            _alive.discard(self)
        self.gone.set()

    def wait_gone(self, timeout: float | None = None) -> bool:
        return self.gone.wait(timeout)


def refusal(error: BaseException, broken: type[PoolBroken] = PoolBroken) -> BaseException:
    """What a caller of submit gets to see; what is not the engine's own stays as it is."""
    if isinstance(error, _core.PoolBroken):
        return broken(str(error))
    if isinstance(error, _core.QueueFull):
        return QueueFull(str(error))
    if not isinstance(error, _core.PoolClosed):
        return error
    return closed()


def closed() -> Exception:
    """Why no task is taken any more."""
    if _exiting:
        return RuntimeError("cannot schedule new futures after interpreter shutdown")
    return PoolClosed("cannot schedule new futures after shutdown")


def closer(engine: Engine) -> Callable[[], None]:
    """For weakref.finalize: a pool that nobody refers to finishes its work, then goes."""

    def close() -> None:
        engine.shutdown(wait=False)

    return close


def _at_exit() -> None:
    global _exiting
    _exiting = True
    with _lock:
        engines = list(_alive)
    for engine in engines:
        engine.shutdown(wait=True)
    _core.join_closers()  # their last act needs the interpreter


def _in_fork() -> None:
    """Pools belong to the process that made them. Locks may have been held at the moment of the fork."""
    global _lock
    _lock = threading.Lock()
    for engine in _alive:
        engine._starting = threading.Lock()
    _alive.clear()
    _core.forget_closers()


os.register_at_fork(after_in_child=_in_fork)

# Before the interpreter joins its threads, and before atexit: the same place as that of concurrent.futures.
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]

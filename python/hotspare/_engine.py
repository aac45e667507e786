"""The C++ engine of one pool, from its lazy start to the moment when nothing is left of it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

from hotspare import _core
from hotspare._callbacks import in_callback
from hotspare._errors import PoolBroken, PoolClosed, QueueFull
from hotspare._future import settle_all
from hotspare._start import Launch

END_GRACE = 1.0
"""Seconds that tasks have when their pool ends because somebody pressed Ctrl-C, or asked for its workers' end."""

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
        self.is_gone = False
        self._interrupted = False
        self._patience = END_GRACE
        """With callbacks, once."""
        self._gone = _core.Bell()
        self._when_gone: list[Callable[[], object]] = []
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
                _core.signal_watch_wanted()
            return self.core

    def close(self, cancel: bool = False, keep: int = 0, grace: float | None = None) -> None:
        """Takes no more tasks; never waits. keep: so many of the oldest tasks are spared by cancel, those that run
        among them. grace: seconds after which what is left is cancelled or killed."""
        with self._starting:
            self.closed = True
            core = self.core
        if core is None:
            self._has_gone()  # it never was
        elif core.in_host:
            for running in list(self.maps):
                running.flush(cancel)
            core.shutdown(cancel, keep, -1.0 if grace is None else grace, self._has_gone)

    def shutdown(self, wait: bool = True, cancel: bool = False, keep: int = 0, grace: float | None = None) -> None:
        """As close; wait: until nothing is left. A KeyboardInterrupt meanwhile ends it as end_interrupted does."""
        try:
            self.close(cancel, keep, grace)
            # A callback runs on a thread that has to end before the pool is gone.
            if wait and not in_callback():
                self._wait_to_the_end()
        except (KeyboardInterrupt, SystemExit):  # of a signal handler: the program is to end
            self.end_interrupted()
            raise

    def interrupt(self) -> None:
        """For one Ctrl-C; never waits. What has not begun is cancelled, what runs is interrupted, and killed after a
        grace."""
        self.close(True, 0, END_GRACE)
        # Once: a second one would hit what a task does to end well.
        if self.core is not None and not self.is_gone and not self._interrupted:
            self._interrupted = True
            self.core.interrupt_tasks()

    def end_interrupted(self) -> None:
        """interrupt, then waits until no process is left, and a grace for callbacks, which nobody can end. What signal
        handlers raise meanwhile has what is left killed at once, and raises nothing: the first one is on its way
        already."""
        try:
            self.interrupt()
            if not in_callback():
                self._wait_interrupted()
        except BaseException:
            with contextlib.suppress(BaseException):
                self.close(True, 0, 0.0)
                self._wait_interrupted()

    def _wait_interrupted(self) -> None:
        if self.core is not None:
            self.core.wait_ended()
        patience, self._patience = self._patience, 0.0
        if self.wait_gone(patience) and self.core is not None:
            self.core.join_closer()

    def _wait_to_the_end(self) -> None:
        self.wait_gone()
        if self.core is not None:
            self.core.join_closer()

    def _has_gone(self) -> None:
        self.launch.close()
        with _lock:
            _alive.discard(self)
        if self.core is not None:
            _core.signal_watch_unwanted()
        self.is_gone = True
        self._gone.ring()
        while self._when_gone:
            self._when_gone.pop()()

    def when_gone(self, callback: Callable[[], object]) -> None:
        """Calls it once, on some thread, when nothing is left."""
        self._when_gone.append(callback)
        if self.is_gone:
            with contextlib.suppress(ValueError):  # the other thread was here first
                self._when_gone.remove(callback)
                callback()

    def wait_gone(self, timeout: float | None = None) -> bool:
        if self.core is not None and not self.core.in_host:
            return True
        return self.is_gone or bool(self._gone.wait(-1.0 if timeout is None else max(0.0, timeout)))


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
        engine.close()

    return close


def _interrupted() -> bool:
    """Whether the program ends because of a KeyboardInterrupt that nobody caught. A prompt, which notes those of its
    lines in the same place, goes on after them."""
    last = getattr(sys, "last_type", None)
    at_prompt = hasattr(sys, "ps1") or sys.flags.interactive
    return isinstance(last, type) and issubclass(last, KeyboardInterrupt) and not at_prompt


def _at_exit() -> None:
    global _exiting
    _exiting = True
    with _lock:
        engines = list(_alive)
    interrupted = _interrupted()
    for engine in engines:
        engine.interrupt() if interrupted else engine.close()
    raised: BaseException | None = None
    for engine in engines:
        try:
            if not interrupted:
                engine.wait_gone()
        except BaseException as error:  # of a signal handler
            interrupted, raised = True, error
        if interrupted:
            engine.end_interrupted()
    if all(engine.is_gone for engine in engines):
        _core.join_closers()  # their last act needs the interpreter
    if raised is not None:
        raise raised


def _in_fork() -> None:
    """Pools belong to the process that made them. Locks may have been held at the moment of the fork."""
    global _lock
    _lock = threading.Lock()
    for engine in _alive:
        engine._starting = threading.Lock()
    _alive.clear()
    _core.forget_closers()
    _core.forget_signal_watch()
    _core.note_main_thread(threading.main_thread().ident)


os.register_at_fork(after_in_child=_in_fork)
_core.note_main_thread(threading.main_thread().ident)

# Before the interpreter joins its threads, and before atexit: the same place as that of concurrent.futures.
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]

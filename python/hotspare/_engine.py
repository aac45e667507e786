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
"""Without a lock, which a signal's handler or a finalizer might find held by what it interrupts: each step is one of
the interpreter's."""
_all: weakref.WeakSet[Engine] = weakref.WeakSet()


class Engine:
    """Started by the first task, so that a fork sees all that the program has set up until then."""

    def __init__(self, launch: tuple[Any, ...], options: dict[str, Any]) -> None:
        """launch: the arguments of Launch, which looks at the program when the engine starts, not before."""
        self.method: str = launch[0]
        self.options = options
        self.core: Any = None
        self._launch_arguments = launch
        self._launch: Launch | None = None
        self.closed = False
        self.is_gone = False
        self._interrupted = False
        self._patience = END_GRACE
        """With callbacks, once."""
        self._gone = _core.Bell()
        self._when_gone: list[Callable[[], object]] = []
        self.maps: dict[Any, None] = {}
        """Those that have not handed out all their items, to be flushed."""
        self._starting = threading.RLock()
        """Signals' handlers that run meanwhile may start, resize or close this, too."""
        _all.add(self)

    def start(self) -> Any:
        """The running engine. Raises RuntimeError when the pool or the interpreter is closing."""
        with self._starting:
            if self.core is None:
                _alive.add(self)  # before the look at _exiting: who comes through is seen by _at_exit
                try:
                    self._must_be_open()
                    self._make()
                finally:
                    if self.core is None:
                        _alive.discard(self)
            self._must_be_open()
            return self.core

    def _must_be_open(self) -> None:
        if self.closed or _exiting:
            raise closed()

    def _make(self) -> None:
        launch = Launch(*self._launch_arguments)
        options = {**self.options}
        hooks = {"on_settled": settle_all, "host_begins": launch.host_begins}
        try:
            made = launch.make(_core.CorePool, {**options, **hooks})
        except BaseException:
            launch.close()
            raise
        if self.core is not None or self.closed:  # a handler was here first
            made.shutdown(True, 0, 0.0, launch.close)
            made.join_closer()
            return
        self._launch = launch
        self.core = made
        _core.signal_watch_wanted()
        if self.options["workers"] != options["workers"]:
            made.resize(self.options["workers"])

    def resize(self, workers: int) -> None:
        with self._starting:
            if self.core is not None and not self.closed:
                self.core.resize(workers)
            self.options["workers"] = workers

    def close(self, cancel: bool = False, keep: int = 0, grace: float | None = None) -> None:
        """Takes no more tasks; never waits. keep: so many of the oldest tasks are spared by cancel, those that run
        among them. grace: seconds after which what is left is cancelled or killed."""
        with self._starting:
            self.closed = True
            core = self.core
        if core is None:
            self._has_gone()  # it never was
        elif core.in_host:
            maps = list(self.maps)
            for each in maps:
                if cancel:
                    each.drop()
                else:
                    each.flush()
            core.shutdown(cancel, keep, -1.0 if grace is None else grace, self._has_gone)
            if cancel:
                for each in maps:
                    each.flush()  # only now: who has its lock may have waited for room

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
        if self._launch is not None:
            self._launch.close()
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
        if self.is_over:
            with contextlib.suppress(ValueError):  # the other thread was here first
                self._when_gone.remove(callback)
                callback()

    @property
    def is_over(self) -> bool:
        """Nothing is left, or this is a fork of the process whose it is."""
        return self.is_gone or (self.core is not None and not self.core.in_host)

    def wait_gone(self, timeout: float | None = None) -> bool:
        return self.is_over or bool(self._gone.wait(-1.0 if timeout is None else max(0.0, timeout)))


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
    for engine in _all:
        engine._starting = threading.RLock()
    _alive.clear()
    _core.forget_closers()
    _core.forget_signal_watch()
    _core.note_main_thread(threading.main_thread().ident)


os.register_at_fork(after_in_child=_in_fork)
_core.note_main_thread(threading.main_thread().ident)

# Before the interpreter joins its threads, and before atexit: the same place as that of concurrent.futures.
threading._register_atexit(_at_exit)  # type: ignore[attr-defined]

"""Futures that cost nothing until somebody looks.

A Future is a concurrent.futures.Future in every respect. But while nobody waits for it other than by result() and
exception(), it is only a handle on the engine's task: no condition, no lists, no thread that tells it of anything.
When code of the standard library (wait, as_completed, wrap_future, callbacks) reaches for its insides, they are made,
and from then on the pool's own thread settles it as any executor would.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from collections.abc import Generator
from concurrent.futures import CancelledError, InvalidStateError, _base
from concurrent.futures import Future as _StandardFuture
from concurrent.futures import TimeoutError as _FutureTimeoutError
from concurrent.futures.process import _RemoteTraceback
from typing import Any, Generic, TypeVar

from hotspare._callbacks import callback, in_callback
from hotspare._describe import in_one_line, kind_of, message_of
from hotspare._errors import (
    NeedsProcess,
    PoolBroken,
    Quarantined,
    QueueTimeout,
    RemoteError,
    TaskTimeout,
    WorkerDied,
    report_of,
)
from hotspare._this_task import Progress

T = TypeVar("T")

_PENDING, _RUNNING, _FINISHED = _base.PENDING, _base.RUNNING, _base.FINISHED
_CANCELLED, _NOTIFIED = _base.CANCELLED, _base.CANCELLED_AND_NOTIFIED

# Guards the moment in which an outcome becomes the future's. Nothing is called while it is held: a handler of a signal
# would run then, and may wait for a future that another thread is to settle.
_settling = threading.RLock()


def _in_fork() -> None:
    global _settling
    _settling = threading.RLock()


os.register_at_fork(after_in_child=_in_fork)


class Faults:
    """Which exceptions a pool raises for what its engine reports."""

    died: type[WorkerDied] = WorkerDied
    timed_out: type[TaskTimeout] = TaskTimeout
    broken: type[PoolBroken] = PoolBroken
    exits: type[RemoteError] = RemoteError
    """For a result whose unpickling raises SystemExit."""

    @classmethod
    def exit_of(cls, error: BaseException) -> BaseException:
        """As it is, it would end this program when the result is asked for."""
        broken = cls.exits(kind_of(error), message_of(error), "", "unpickling the result raised it")
        set_cause(broken, error)
        return broken


class Future(_StandardFuture[T], Generic[T]):
    """The outcome of one task, now or later. Any thread may use it; ``await`` works, too."""

    _task: Any
    _pool: Any  # a CorePool
    _faults: type[Faults]
    _label: Any
    _fixed: str | None = None  # the state once it is known for good
    _told = False  # waiters and callbacks have been told
    _kills = False  # what cancel() does to a task that runs

    def __init__(self, task: Any = None, pool: Any = None, faults: type[Faults] = Faults, label: Any = None) -> None:
        self._task = task
        self._pool = pool
        self._faults = faults
        self._label = label

    # ---- what the standard library reaches for ----

    def __getattr__(self, name: str) -> Any:
        if name in ("_condition", "_waiters", "_done_callbacks"):
            self._make_full()
            return self.__dict__[name]
        if name in ("_result", "_exception"):
            self._settle_if_done()
            return self.__dict__.setdefault(name, None)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def _state(self) -> str:
        fixed = self._fixed
        if fixed is not None:
            return fixed
        task = self._task
        if task is None:
            return _PENDING
        if task.settled:
            if "_condition" in self.__dict__:
                return _RUNNING  # the pool's thread is about to settle it
            self._settle_if_done()
            return self._fixed or _FINISHED
        here = self._pool is None or self._pool.in_host
        return _RUNNING if here and task.running else _PENDING

    @_state.setter
    def _state(self, value: str) -> None:
        self._fixed = value

    def _make_full(self) -> None:
        """The condition comes last: who finds one waits to be notified. What raises before has done nothing.
        Without a lock, for a handler of a signal may come here, too, or wait. Two at once make one condition."""
        self._settle_if_done()
        task = self._task
        if self._fixed is None and task is not None:
            self._refuse_in_fork()
            self._pool.watch(task, self)
        self.__dict__.setdefault("_waiters", [])
        self.__dict__.setdefault("_done_callbacks", [])
        self.__dict__.setdefault("_condition", threading.Condition())

    def _refuse_in_fork(self) -> None:
        """The engine's threads are not here, and its locks may have been held when the fork was made."""
        if self._pool is not None and not self._pool.in_host:
            raise RuntimeError("this process is a fork of the pool's host: its futures never settle here")

    def _settle_if_done(self) -> None:
        task = self._task
        if self._fixed is None and task is not None and task.settled:
            self._decode()

    # ---- outcome ----

    def _decode(self) -> None:
        """Takes the outcome out of the engine. By two threads at once it may be done twice; the first one counts."""
        task = self._task
        if task is None or self._fixed is not None:
            return
        state, result, error = _outcome(task, self._faults, self._label)
        with _settling:
            if self._fixed is not None:
                return
            self.__dict__["_result"] = result
            self.__dict__["_exception"] = error
            self._fixed = state
            self._task = None

    def _settled_by_pool(self) -> None:
        """On the pool's thread, or that of whoever cancelled it: like set_result, once."""
        with self._condition:
            if self._told:
                return
            self._decode()
            self._told = True
            for waiter in self._waiters:
                if self._fixed == _NOTIFIED:
                    waiter.add_cancelled(self)
                elif self._exception is not None:
                    waiter.add_exception(self)
                else:
                    waiter.add_result(self)
            self._condition.notify_all()
        self._invoke_callbacks()

    def _invoke_callbacks(self) -> None:
        """As the standard class, but what one raises keeps none of the others from being told."""
        raised: BaseException | None = None
        for call in self._done_callbacks:
            try:
                call(self)
            except BaseException as error:
                if isinstance(error, Exception) or in_callback():  # on a thread of the pool's it is for nobody
                    _base.LOGGER.exception("exception calling callback for %r", self)
                else:
                    raised = error
        if raised is not None:
            raise raised

    def result(self, timeout: float | None = None) -> T:
        """The task's value; raises what the task raised, WorkerDied, CancelledError, or TimeoutError after ``timeout``
        seconds."""
        if self._fixed is None:
            self._wait(timeout)
        if self._fixed in (_CANCELLED, _NOTIFIED):
            raise CancelledError
        error = self._exception
        if error is not None:
            try:
                raise error
            finally:
                self = None  # type: ignore[assignment]  # the traceback must not hold the future
                del error
        return self._result  # type: ignore[return-value]

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the task raised, None if it returned; waits as result() does."""
        if self._fixed is None:
            self._wait(timeout)
        if self._fixed in (_CANCELLED, _NOTIFIED):
            raise CancelledError
        return self._exception

    def _wait(self, timeout: float | None) -> None:
        task = self._task
        if task is None:
            if self._fixed is not None:
                return
            self._wait_standard(timeout)
            return
        self._refuse_in_fork()
        end = None if timeout is None else time.monotonic() + timeout
        if not task.wait(-1.0 if timeout is None else max(0.0, timeout)):
            raise _FutureTimeoutError
        if "_condition" in self.__dict__:
            # The pool's thread settles it, and calls its callbacks then: as a rule before this thread goes on.
            self._wait_standard(None if end is None else max(0.0, end - time.monotonic()))
        else:
            self._decode()

    def _wait_standard(self, timeout: float | None) -> None:
        """For another thread, which is to settle it."""
        with self._condition:
            if self._fixed in (_NOTIFIED, _CANCELLED, _FINISHED):
                return
            # Its task may have been settled by a cancel in between, so a look, not a wait for one notification.
            self._condition.wait_for(lambda: self._fixed is not None, timeout)
            if self._fixed not in (_NOTIFIED, _CANCELLED, _FINISHED):
                raise _FutureTimeoutError

    # ---- state ----

    def done(self) -> bool:
        """Whether it has an outcome, cancellation among them."""
        if self._fixed is not None:
            return self._fixed in (_FINISHED, _CANCELLED, _NOTIFIED)
        task = self._task
        return task is not None and task.settled and "_condition" not in self.__dict__

    def running(self) -> bool:
        """Whether a worker runs it at this moment."""
        return self._state == _RUNNING

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        if self._fixed is None:
            self._settle_if_done()
        return self._fixed in (_CANCELLED, _NOTIFIED)

    def cancel(self, *, kill: bool | None = None) -> bool:
        """Drops the task if it has not begun. ``kill``: ends the worker that runs it; a spare takes over. None: as the
        pool's or its with_options' ``cancel`` says. True if it is, or was, cancelled; whoever waits for it is told."""
        task = self._task
        if task is None or self._fixed is not None:
            return super().cancel() if self._fixed != _FINISHED else False
        self._refuse_in_fork()
        if not task.cancel(self._kills if kill is None else kill):
            return False
        if "_condition" in self.__dict__:
            self._settled_by_pool()
        else:
            self._decode()
        return True

    def set_running_or_notify_cancel(self) -> bool:
        """For executors of other kinds; the pool settles the futures that it made."""
        if self._task is not None:
            raise InvalidStateError("the pool settles this future")
        return super().set_running_or_notify_cancel()

    def progress(self) -> Progress | None:
        """What the task last told by hotspare.progress(); None while it does not run."""
        task = self._task
        told = None if task is None or self._fixed is not None else task.progress()
        return None if told is None else Progress(*told)

    # ---- asyncio ----

    def __await__(self) -> Generator[Any, None, T]:
        import asyncio  # takes 20 ms, and who gets here has imported it

        return asyncio.wrap_future(self).__await__()

    def __reduce__(self) -> Any:
        raise TypeError("a Future cannot be pickled: it means something only in the process that submitted its task")


def _outcome(task: Any, faults: type[Faults], label: Any) -> tuple[str, Any, BaseException | None]:
    """(state, result, exception) of a settled task. What unpickling raises is the outcome of this task alone."""
    try:
        kind, payload = task.outcome()
    except Exception as error:
        return _FINISHED, None, error
    except BaseException as error:
        if is_for_who_waits(error):
            raise  # the outcome is still there
        return _FINISHED, None, faults.exit_of(error)
    if kind == "value" or kind == "chunk":
        return _FINISHED, payload, None
    if kind == "exception" or kind == "unread":
        return _FINISHED, None, rebuilt(payload)
    if kind == "died":
        return _FINISHED, None, death(payload, faults, label)
    if kind == "cancelled":
        return _NOTIFIED, None, None
    if kind == "expired":
        return _FINISHED, None, QueueTimeout(payload)
    if kind == "needs_process":
        return _FINISHED, None, NeedsProcess(payload)
    return _FINISHED, None, faults.broken(payload)


def is_for_who_waits(error: BaseException) -> bool:
    """Ctrl-C is heard by the main thread only: elsewhere unpickling has raised it, as it may raise anything."""
    return isinstance(error, KeyboardInterrupt) and threading.current_thread() is threading.main_thread()


_cause: Any = BaseException.__cause__


def set_cause(error: BaseException, cause: BaseException) -> None:
    """For exceptions that forbid to set attributes, too: frozen dataclasses, say."""
    _cause.__set__(error, cause)


def rebuilt(described: Any) -> BaseException:
    """The exception that a task raised, as _describe.describe told of it, with the worker's traceback as its cause."""
    name, message, text, data, *rest = described  # journals of old have four
    problem = rest[0] if rest else ""
    error: Any = None
    if data is not None:
        try:
            error = pickle.loads(data)
        except BaseException as trouble:  # SystemExit, too: that is not meant for this program
            if is_for_who_waits(trouble):
                raise
            problem = f"it could not be unpickled here: {in_one_line(trouble)}"
    if not issubclass(type(error), BaseException):
        error = RemoteError(name, message, text, problem)
    set_cause(error, _RemoteTraceback(f'\n"""\n{text}"""'))  # type: ignore[arg-type]
    return error  # type: ignore[no-any-return]


def death(core_report: Any, faults: type[Faults], label: Any) -> WorkerDied:
    report = report_of(core_report, _label_text(label))
    if report.quarantined:
        return Quarantined(report)
    return (faults.timed_out if report.cause == "deadline" else faults.died)(report)


def _label_text(label: Any) -> str:
    if label is None or isinstance(label, str):
        return label or ""
    code = getattr(label, "__code__", None)
    name = getattr(label, "__qualname__", None) or type(label).__name__
    if code is None:
        inner = getattr(label, "func", None)  # functools.partial
        return f"partial({_label_text(inner)})" if callable(inner) else str(name)
    return f"{name} ({code.co_filename.rsplit('/', 1)[-1]}:{code.co_firstlineno})"


def settle_all(futures: list[Any]) -> None:
    """What the pool's thread calls."""
    with callback():
        for future in futures:
            try:
                future._settled_by_pool()
            except BaseException:
                _base.LOGGER.exception("exception while settling %r", future)


def submitted(task: Any, pool: Any, faults: type[Faults], label: Any, kills: bool) -> Future[Any]:
    """kills: what its cancel() does to a task that runs."""
    future: Future[Any] = Future(task, pool, faults, label)
    if kills:
        future._kills = True
    return future


def failed(error: BaseException) -> Future[Any]:
    """A future that has failed already."""
    future: Future[Any] = Future()
    future.__dict__["_result"] = None
    future.__dict__["_exception"] = error
    future._fixed = _FINISHED
    return future

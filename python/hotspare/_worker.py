"""What runs in zygotes and workers. The engine calls these functions by their names."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import itertools
import multiprocessing.process
import multiprocessing.util
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import _base
from dataclasses import dataclass, field
from typing import Any

from hotspare import _core, _pickling
from hotspare._errors import SoftTimeout


@dataclass
class Plan:
    """What a pool's zygotes and workers are to do before their first task."""

    preload: tuple[str, ...] = ()
    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()
    pickled_initializer: bytes | None = None
    """(initializer, initargs), for workers that are no forks of the host."""
    preparation: dict[str, Any] | None = None
    """As of multiprocessing.spawn, for the same."""
    prepare_each: bool = False
    """Each worker imports the main module itself (spawn), not the zygote (forkserver)."""
    process_name: str = "ForkProcess"
    parent_pid: int = field(default_factory=os.getpid)


plan = Plan()
"""Set in the host just before the zygote is forked off, and in a zygote that was started afresh."""

# A signal that hardly anybody uses: faulthandler's handler for it writes the Python stacks.
_stack_signal = signal.SIGRTMAX - 3


def zygote_begins() -> None:
    """The host's handlers for its own crashes must not stand in the way of the workers'."""
    faulthandler.disable()
    signal.set_wakeup_fd(-1, warn_on_full_buffer=False)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # A KeyboardInterrupt would hit whatever task is next. Without a handler, it is a death, with a report.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def zygote_preloads() -> None:
    usual, never = gc.get_threshold(), (1_000_000_000, 10, 10)
    gc.set_threshold(*never)  # imports make little garbage: looking for it takes a tenth of their time
    for name in plan.preload:
        importlib.import_module(name)
    if plan.preparation is not None and not plan.prepare_each:
        _prepare(plan.preparation)
    gc.freeze()  # what workers never change they go on sharing
    if gc.get_threshold() == never:  # no module has set its own
        gc.set_threshold(*usual)


def _prepare(preparation: dict[str, Any]) -> None:
    from multiprocessing import spawn

    process = multiprocessing.process.current_process()
    process._inheriting = True  # type: ignore[attr-defined]  # a main module without a guard must not make pools
    try:
        spawn.prepare({**preparation, "name": process.name})
    finally:
        del process._inheriting  # type: ignore[attr-defined]


class _WorkerProcess(multiprocessing.process.BaseProcess):
    """What multiprocessing.current_process() is in a worker."""

    def __init__(self, name: str, parent_pid: int) -> None:
        super().__init__(name=name)
        self._parent_pid = parent_pid


def _become_multiprocessing_child() -> None:
    """What multiprocessing does first in a process of its own."""
    process = multiprocessing.process
    parent = process.parent_process() or process.current_process()
    me = _WorkerProcess(f"{plan.process_name}-{os.getpid()}", plan.parent_pid)
    process._current_process = me  # type: ignore[attr-defined]
    process._parent_process = process._ParentProcess(parent.name, plan.parent_pid, None)  # type: ignore[attr-defined]
    process._children = set()  # type: ignore[attr-defined]
    process._process_counter = itertools.count(1)  # type: ignore[attr-defined]
    multiprocessing.util._finalizer_registry.clear()  # type: ignore[attr-defined]
    multiprocessing.util._run_after_forkers()  # type: ignore[attr-defined]
    if sys.stdin is not None:
        try:
            sys.stdin.close()
            sys.stdin = open(os.open(os.devnull, os.O_RDONLY), closefd=False)  # noqa: SIM115  # for good
        except (OSError, ValueError):
            pass


def _stop(number: int, frame: Any) -> None:
    if _core.asked_to_stop():  # else what was meant has just ended
        raise SoftTimeout("the task's soft_timeout has passed")


def _process_begins() -> None:
    pipe = _core.open_stack_pipe(_stack_signal)
    if pipe >= 0:
        faulthandler.register(_stack_signal, file=pipe, all_threads=True, chain=False)
        _core.keep_stack_handler()
    _become_multiprocessing_child()
    if plan.preparation is not None and plan.prepare_each:
        _prepare(plan.preparation)


def replica_begins() -> None:
    """In each replica of a channel, those that another one has forked among them."""
    _process_begins()


def worker_begins() -> None:
    signal.signal(_core.stop_signal(), _stop)
    _process_begins()
    initializer, initargs = plan.initializer, plan.initargs
    if plan.pickled_initializer is not None:
        initializer, initargs = pickle.loads(plan.pickled_initializer)
    if initializer is None:
        return
    try:
        initialize(initializer, initargs)
    except BaseException:
        worker_leaves()  # the record may be on its way through a queue with a thread of its own
        raise


def initialize(initializer: Callable[..., object], initargs: tuple[Any, ...]) -> None:
    """Calls it; what it raises is logged as the standard library does."""
    try:
        initializer(*initargs)
    except BaseException:
        _base.LOGGER.critical("Exception in initializer:", exc_info=True)
        raise


def worker_leaves() -> None:
    """As a process of multiprocessing ends, which is without the interpreter's own end."""
    try:
        multiprocessing.util._exit_function()  # type: ignore[attr-defined]  # first: it ends the threads of queues
        threading._shutdown()  # type: ignore[attr-defined]
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()


def describe(error: BaseException) -> tuple[str, str, str, bytes | None]:
    """(class, message, traceback, pickle of the exception if it has one)."""
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    name = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    try:
        message = str(error)
    except Exception:
        message = "<its __str__ raised>"
    error.__traceback__ = None
    try:
        data = _pickling.dumps(error, None)
        pickle.loads(data)  # many exceptions can be pickled and not be unpickled
    except BaseException:
        data = None
    return name, message, text, data

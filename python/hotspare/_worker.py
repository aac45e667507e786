"""What runs in zygotes and workers. The engine calls these functions by their names."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import multiprocessing.process
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import _base
from dataclasses import dataclass, field
from typing import Any

from hotspare import _core, _process
from hotspare._errors import SoftTimeout
from hotspare._process import Family


@dataclass
class Plan:
    """What a pool's zygotes and workers are to do before their first task."""

    preload: tuple[str, ...] = ()
    preload_if_there: tuple[str, ...] = ()
    """The same, but no matter if one cannot be imported."""
    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()
    pickled_initializer: bytes | None = None
    """(initializer, initargs), for workers that are no forks of the host."""
    preparation: dict[str, Any] | None = None
    """As of multiprocessing.spawn, for the same."""
    prepare_each: bool = True
    """Each worker imports the main module itself, not the zygote: what is made there, generators of random numbers
    among it, is each worker's own."""
    family: Family = field(default_factory=Family)


class _Here(threading.local):
    plan = Plan()
    """Set in the host just before the zygote is forked off, and in a zygote that was started afresh."""


here = _Here()
"""Of this thread: others of the host start pools of their own just now, and what is forked is the thread that forks."""

# A signal that hardly anybody uses: faulthandler's handler for it writes the Python stacks.
_stack_signal = signal.SIGRTMAX - 3


_interruptible = False
"""The program has the usual handler of SIGINT: to a worker's task, too, one is a KeyboardInterrupt."""


def zygote_begins() -> None:
    """The host's handlers for its own crashes must not stand in the way of the workers'."""
    os.environ.pop("HOTSPARE_ZYGOTE", None)  # the engine has taken it from the environment, not from the copy in here
    faulthandler.disable()
    signal.set_wakeup_fd(-1, warn_on_full_buffer=False)
    handler = signal.getsignal(signal.SIGINT)
    # asyncio.run's stands for the usual one, and would cancel a task of the host's loop.
    if handler is signal.default_int_handler or "Runner._on_sigint" in repr(getattr(handler, "func", None)):
        global _interruptible
        _interruptible = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # no Python runs here


def zygote_preloads() -> None:
    usual, never = gc.get_threshold(), (1_000_000_000, 10, 10)
    gc.set_threshold(*never)  # imports make little garbage: looking for it takes a tenth of their time
    for name in here.plan.preload:
        importlib.import_module(name)
    for name in here.plan.preload_if_there:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if here.plan.preparation is not None and not here.plan.prepare_each:
        _prepare(here.plan.preparation)
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


def _seed_anew() -> None:
    """Random numbers of modules that the zygote has imported: each worker would draw the same. Python's own are seeded
    in every fork; numpy's are, since 2.4."""
    numpy_random = sys.modules.get("numpy.random.mtrand")
    state: Any = getattr(numpy_random, "_rand", None)
    # Without it somebody has given a seed, and wants what follows from it.
    if getattr(getattr(state, "_bit_generator", None), "_seed_seq", None) is not None:
        state.seed()


def _stop(number: int, frame: Any) -> None:
    if _core.asked_to_stop():  # else what was meant has just ended
        raise SoftTimeout("the task's soft_timeout has passed")


def _interrupt(number: int, frame: Any) -> None:
    if _core.in_task():  # else what was meant has just ended, and the next task is not to suffer
        raise KeyboardInterrupt


def _can_tell_its_stack() -> None:
    pipe = _core.open_stack_pipe(_stack_signal)
    if pipe >= 0:
        faulthandler.register(_stack_signal, file=pipe, all_threads=True, chain=False)
        _core.keep_stack_handler()


def replica_begins() -> None:
    """In each replica of a channel, those that another one has forked among them."""
    _can_tell_its_stack()
    if here.plan.preparation is not None and here.plan.prepare_each:
        _prepare(here.plan.preparation)
    _process.begin(here.plan.family, os.getpid())


def replica_leaves() -> None:
    """Before its process ends without the interpreter's own end."""
    _process.leave()


_unprepared: BaseException | None = None


def worker_lives(serve: Callable[[], object]) -> None:
    """serve() is the rest of a worker's life, worker_begins and all tasks."""
    global _unprepared
    _can_tell_its_stack()
    if here.plan.family.method != "fork":
        _seed_anew()
    if here.plan.preparation is not None and here.plan.prepare_each:
        try:
            _prepare(here.plan.preparation)
        except BaseException as error:
            _unprepared = error
    _process.live(here.plan.family, serve)


def worker_begins() -> None:
    if _unprepared is not None:
        raise _unprepared
    signal.signal(_core.stop_signal(), _stop)
    if _interruptible:
        signal.signal(signal.SIGINT, _interrupt)
    initializer, initargs = here.plan.initializer, here.plan.initargs
    if here.plan.pickled_initializer is not None:
        initializer, initargs = pickle.loads(here.plan.pickled_initializer)
    if initializer is None:
        return
    try:
        initialize(initializer, initargs)
    except BaseException:
        _process.leave()  # the record may be on its way through a queue with a thread of its own
        raise


def initialize(initializer: Callable[..., object], initargs: tuple[Any, ...]) -> None:
    """Calls it; what it raises is logged as the standard library does."""
    try:
        initializer(*initargs)
    except BaseException:
        _base.LOGGER.critical("Exception in initializer:", exc_info=True)
        raise

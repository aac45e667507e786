"""How the workers of a pool come to be: fork, forkserver or spawn, in the words of multiprocessing."""

from __future__ import annotations

import importlib
import multiprocessing as mp
import os
import pickle
import sys
from collections.abc import Callable
from multiprocessing import context as mp_contexts
from multiprocessing import reduction, spawn, util
from typing import Any

from hotspare import _worker
from hotspare._worker import Plan

METHODS = ("fork", "forkserver", "spawn")
_PROCESS_NAMES = {"fork": "ForkProcess", "forkserver": "ForkServerProcess", "spawn": "SpawnProcess"}


def method_of(context: Any) -> str:
    """The start method of a multiprocessing context, a name, or None for this program's default."""
    name = context if isinstance(context, str) else (context or mp.get_context()).get_start_method()
    if name not in METHODS:
        raise ValueError(f"no start method {name!r}: use one of {', '.join(METHODS)}")
    return str(name)


class _Handing:
    """Stands in for the process that multiprocessing is about to spawn, so that locks, queues and connections can be
    pickled for it. Their descriptors are kept open and inherited by the zygote under the same numbers."""

    def __init__(self) -> None:
        self.kept: list[int] = []

    def duplicate_for_child(self, fd: int) -> int:
        copy = os.dup(fd)
        self.kept.append(copy)
        return copy

    def DupFd(self, fd: int) -> Any:
        return _KeptFd(fd)


class _KeptFd:
    """A descriptor that the zygote and its forks hold under this number; each worker duplicates its own."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def detach(self) -> int:
        return os.dup(self.fd)


class Launch:
    """All that the engine has to know to start the workers; closes what it keeps open when the pool is gone."""

    def __init__(
        self,
        method: str,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        preload: tuple[str, ...],
    ) -> None:
        self.method = method
        self.kept: list[int] = []
        self.plan = Plan(preload=preload, process_name=_PROCESS_NAMES[method])
        self._initializer = initializer
        self._initargs = initargs
        if method == "fork":
            self.plan.initializer = initializer
            self.plan.initargs = initargs
            return
        self.plan.preparation = spawn.get_preparation_data("hotspare worker")
        # As plain bytes: it goes to our own workers, through memory that nobody else can open.
        self.plan.preparation["authkey"] = bytes(self.plan.preparation["authkey"])
        self.plan.prepare_each = method == "spawn"
        if initializer is not None:
            self._pickle_initializer(initializer, initargs)

    def _pickle_initializer(self, initializer: Callable[..., object], initargs: tuple[Any, ...]) -> None:
        handing = _Handing()
        mp_contexts.set_spawning_popen(handing)  # type: ignore[arg-type]
        try:
            stream = reduction.ForkingPickler.dumps((initializer, initargs))
            self.plan.pickled_initializer = bytes(stream)
        finally:
            mp_contexts.set_spawning_popen(None)
            self.kept += handing.kept

    def engine_options(self) -> dict[str, Any]:
        if self.method == "fork":
            return {"exec": False, "exec_command": [], "exec_keep": []}
        setup = os.memfd_create("hotspare-python-setup", os.MFD_CLOEXEC)
        self.kept.append(setup)
        tracker = _tracker_fd()
        if tracker is not None:
            tracker = os.dup(tracker)
            self.kept.append(tracker)
        with open(setup, "wb", closefd=False) as file:
            pickle.dump((list(sys.path), tracker), file)
            pickle.dump(self.plan, file)
        code = f"from hotspare._zygote import main; main({setup})"
        command = [spawn.get_executable(), *util._args_from_interpreter_flags(), "-c", code]  # type: ignore[attr-defined]
        return {
            "exec": True,
            "exec_command": [os.fsdecode(part) for part in command],
            "exec_keep": list(self.kept),
        }

    def host_begins(self) -> None:
        """What workers do before their first task, for tasks that have to run in this process."""
        for name in self.plan.preload:
            importlib.import_module(name)
        if self._initializer is not None:
            _worker.initialize(self._initializer, self._initargs)

    def make(self, engine: Callable[[dict[str, Any]], Any], options: dict[str, Any]) -> Any:
        """The engine, with its zygote forked off or started. Raises what the engine refuses."""
        before = _worker.plan
        _worker.plan = self.plan
        try:
            if self.method == "fork":
                util._flush_std_streams()  # type: ignore[attr-defined]  # what is buffered is printed once, not by each fork
            return engine({**options, **self.engine_options()})
        finally:
            _worker.plan = before

    def close(self) -> None:
        while self.kept:
            os.close(self.kept.pop())


def _tracker_fd() -> int | None:
    """The resource tracker of this program, for the workers to share: what they register is cleaned up once."""
    from multiprocessing import resource_tracker

    try:
        return resource_tracker.getfd()  # type: ignore[no-any-return,attr-defined,unused-ignore]
    except OSError:  # no process can be started: the engine will say so, or run tasks here
        return None

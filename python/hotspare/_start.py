"""How the workers of a pool come to be: fork, forkserver or spawn, in the words of multiprocessing."""

from __future__ import annotations

import importlib
import multiprocessing as mp
import os
import pickle
import sys
import tempfile
import threading
import types
from collections.abc import Callable
from multiprocessing import context as mp_contexts
from multiprocessing import forkserver, reduction, spawn, util
from typing import Any

from hotspare import _core, _process, _worker, _zygote
from hotspare._descriptors import Descriptors
from hotspare._worker import Plan

METHODS = ("fork", "forkserver", "spawn")


def method_of(context: Any) -> str:
    """The start method of a multiprocessing context, a name, or None for this program's default."""
    name = context if isinstance(context, str) else (context or mp.get_context()).get_start_method()
    if name not in METHODS:
        raise ValueError(f"no start method {name!r}: use one of {', '.join(METHODS)}")
    return str(name)


class _Handing:
    """Stands in for the process that multiprocessing is about to spawn, so that locks, queues and connections can be
    pickled for it. Their descriptors are kept open and inherited by the zygote under the same numbers."""

    def __init__(self, kept: Descriptors) -> None:
        self._kept = kept

    def duplicate_for_child(self, fd: int) -> int:
        return self._kept.add(os.dup(fd))

    def DupFd(self, fd: int) -> Any:
        return _KeptFd(fd)


class _KeptFd:
    """A descriptor that the zygote and its forks hold under this number; each worker duplicates its own."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def detach(self) -> int:
        return os.dup(self.fd)


_NOT_A_ZYGOTE = (
    "this program was started by a pool, as an interpreter for a process of multiprocessing or hotspare, and runs its "
    "own main instead. A frozen program calls multiprocessing.freeze_support() first thing under "
    "if __name__ == '__main__'. A program that embeds Python names an interpreter by multiprocessing.set_executable(), "
    "or uses the start method fork"
)
_NO_INTERPRETER = (
    "{method} starts a fresh interpreter, and this program knows of none: sys.executable is {executable!r}. Name one "
    "by multiprocessing.set_executable(path), or use the start method fork"
)


class Launch:
    """All that the engine has to know to start the workers; closes what it keeps open when the pool is gone."""

    def __init__(
        self,
        method: str,
        initializer: Callable[..., object] | None,
        initargs: tuple[Any, ...],
        preload: tuple[str, ...],
        *,
        main_in_each: bool = True,
    ) -> None:
        """main_in_each: with forkserver, too, each process imports the main module itself, unless preload names it."""
        if _core.is_to_be_zygote() or _is_to_be_tracker():
            raise RuntimeError(_NOT_A_ZYGOTE)
        self.method = method
        self._kept = Descriptors()
        modules = tuple(name for name in preload if name != "__main__")
        self.plan = Plan(preload=modules, family=_process.Family(method))
        self._initializer = initializer
        self._initargs = initargs
        if method == "fork":
            self.plan.initializer = initializer
            self.plan.initargs = initargs
            return
        self._check_for_interpreter()
        self.plan.preparation = spawn.get_preparation_data("hotspare worker")
        # As plain bytes: it goes to our own workers, through memory that nobody else can open.
        self.plan.preparation["authkey"] = bytes(self.plan.preparation["authkey"])
        self.plan.prepare_each = "__main__" not in preload and (method == "spawn" or main_in_each)
        if method == "forkserver":
            self.plan.preload_if_there = _preload_of_forkserver()
        if initializer is not None:
            self._pickle_initializer(initializer, initargs)

    def _check_for_interpreter(self) -> None:
        executable = sys.executable if getattr(sys, "frozen", False) else spawn.get_executable()
        if not executable:
            raise RuntimeError(_NO_INTERPRETER.format(method=self.method, executable=sys.executable))

    def _pickle_initializer(self, initializer: Callable[..., object], initargs: tuple[Any, ...]) -> None:
        handing = _Handing(self._kept)
        before = mp_contexts.get_spawning_popen()  # this thread may be pickling a process that multiprocessing spawns
        mp_contexts.set_spawning_popen(handing)  # type: ignore[arg-type]
        try:
            stream = reduction.ForkingPickler.dumps((initializer, initargs))
            self.plan.pickled_initializer = bytes(stream)
        finally:
            mp_contexts.set_spawning_popen(before)

    def engine_options(self) -> dict[str, Any]:
        if self.method == "fork":
            return {"exec": False, "exec_command": [], "exec_keep": []}
        order = self._kept.add(_file_in_memory())
        tracker = _tracker_fd()
        if tracker is not None:
            tracker = self._kept.add(os.dup(tracker))
        kept = self._kept.numbers()
        # What multiprocessing reads in a process that it spawns, in a frozen program, too: data for its preparation,
        # and a process to be.
        with open(order, "wb", closefd=False) as file:
            pickle.dump({"sys_path": list(sys.path)}, file)
            pickle.dump(_zygote.Zygote(self.plan, tuple(kept)), file)
        command = spawn.get_command_line(tracker_fd=tracker, pipe_handle=order)
        return {
            "exec": True,
            "exec_command": [os.fsencode(part) for part in command],
            "exec_keep": kept,
        }

    def host_begins(self) -> None:
        """What workers do before their first task, for tasks that have to run in this process."""
        for name in self.plan.preload:
            importlib.import_module(name)
        if self._initializer is not None:
            _worker.initialize(self._initializer, self._initargs)

    def make(self, engine: Callable[[dict[str, Any]], Any], options: dict[str, Any]) -> Any:
        """The engine, with its zygote forked off or started. Raises what the engine refuses."""
        before = _worker.here.plan
        _worker.here.plan = self.plan
        try:
            if self.method == "fork":
                util._flush_std_streams()  # type: ignore[attr-defined]  # what is buffered is printed once, not by each fork
            return engine({**options, **self.engine_options()})
        finally:
            _worker.here.plan = before

    def close(self) -> None:
        self._kept.close()


_ordering = threading.RLock()
"""The environment is the process's: one order at a time stands in it."""


def _in_fork() -> None:
    global _ordering
    _ordering = threading.RLock()


os.register_at_fork(after_in_child=_in_fork)


def spawn_as_asked(command: list[bytes], inherited: list[int], setting: str) -> int | None:
    """Starts a program as multiprocessing does, if somebody, a debugger say, has put something in front of that."""
    import _posixsubprocess

    if isinstance(_posixsubprocess.fork_exec, types.BuiltinFunctionType):
        return None
    name, _, value = setting.partition("=")
    with _ordering:
        os.putenv(name, value)  # seen by whatever another thread starts just now, too: for that it is no order
        try:
            return int(util.spawnv_passfds(command[0], command, inherited))
        finally:
            os.unsetenv(name)


def _is_to_be_tracker() -> bool:
    """Whether this program was started as an interpreter, for multiprocessing's resource tracker, and runs its main."""
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        words = [os.fsencode(word) for word in sys.argv]
    return any(word.startswith(b"from multiprocessing.resource_tracker import main") for word in words)


def _preload_of_forkserver() -> tuple[str, ...]:
    """What multiprocessing.set_forkserver_preload has named. The main module, which stands there by default, is not
    imported by the fork server of every version: its random numbers would be the same in all workers."""
    names = getattr(forkserver._forkserver, "_preload_modules", ())
    return tuple(name for name in names if name != "__main__")


def _file_in_memory() -> int:
    try:
        return os.memfd_create("hotspare-python-setup", os.MFD_CLOEXEC)
    except OSError:  # a filter forbids it
        with tempfile.TemporaryFile(dir="/dev/shm") as file:
            return os.dup(file.fileno())


def _tracker_fd() -> int | None:
    """The resource tracker of this program, for the workers to share: what they register is cleaned up once."""
    from multiprocessing import resource_tracker

    try:
        return resource_tracker.getfd()  # type: ignore[no-any-return,attr-defined,unused-ignore]
    except OSError:  # no process can be started: the engine will say so, or run tasks here
        return None

"""What a worker is for multiprocessing: one of its processes, begun and ended by its own code.

Whoever wants to be in every process (coverage, debuggers, profilers) puts something around that code.
"""

from __future__ import annotations

import atexit
import multiprocessing as mp
import multiprocessing.process
import multiprocessing.util
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hotspare import _core


@dataclass
class Family:
    """What multiprocessing's processes know of the one that made them. Of this process, unless said otherwise."""

    method: str = "fork"
    parent_pid: int = field(default_factory=os.getpid)
    parent_name: str = field(default_factory=lambda: mp.current_process().name)
    identity: tuple[int, ...] = field(default_factory=lambda: mp.current_process()._identity)


def _process_of(family: Family, number: int) -> Any:
    """As Process(...).start() in the host would have made it."""
    kind: Any = mp.get_context(family.method).Process  # type: ignore[attr-defined,unused-ignore]
    identity = (*family.identity, number)
    process = kind(name=f"{kind.__name__}-{':'.join(map(str, identity))}")
    process.daemon = False  # workers may have children
    process._identity = identity
    process._parent_pid = family.parent_pid
    process._parent_name = family.parent_name
    return process


def _sentinel_of(pid: int) -> int | None:
    """What becomes readable when that process ends: for parent_process().join() and is_alive()."""
    try:
        return os.pidfd_open(pid)
    except OSError as refused:
        gone = isinstance(refused, ProcessLookupError)
    # Without pidfds (Linux before 5.3, a filter): the host's end is ours, so to us it lives. The other end stays open.
    try:
        sentinel, other_end = os.pipe()
    except OSError:
        return None
    if gone:
        os.close(other_end)
    return sentinel


def live(family: Family, run: Callable[[], object]) -> None:
    """Runs run() as a process of that family, and ends the process as multiprocessing does."""
    code = 1
    try:
        process = _process_of(family, _core.worker_number())
        process.run = run
        code = process._bootstrap(parent_sentinel=_sentinel_of(family.parent_pid))
        if family.method == "spawn":  # the others are forks, which do not run what their parents registered
            atexit._run_exitfuncs()
            _flush()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        _flush()
    finally:
        os._exit(code)


def begin(family: Family, number: int) -> None:
    """The same for a process that does not begin and end here: what comes before run() in it."""
    processes: Any = multiprocessing.process
    util: Any = multiprocessing.util
    process = _process_of(family, number)
    mp.context._force_start_method(process._start_method)
    processes._current_process = process
    processes._parent_process = processes._ParentProcess(
        family.parent_name, family.parent_pid, _sentinel_of(family.parent_pid)
    )
    processes._children = set()
    util._close_stdin()
    process._after_fork()


def leave() -> None:
    """And what comes behind it, but for the end itself."""
    import threading

    try:
        multiprocessing.util._exit_function()  # type: ignore[attr-defined]  # first: it ends the threads of queues
        threading._shutdown()  # type: ignore[attr-defined]
    finally:
        _flush()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            continue

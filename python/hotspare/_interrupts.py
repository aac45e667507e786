"""Ctrl-C where it is no KeyboardInterrupt yet: asyncio.run's handler cancels the main task, and raises one at the
end."""

from __future__ import annotations

import signal
import sys
import weakref
from typing import Any


def is_interrupt(kind: type[BaseException] | None) -> bool:
    """Whether an exception of this kind, or its absence, means that somebody has pressed Ctrl-C."""
    if kind is None:
        return False
    if issubclass(kind, KeyboardInterrupt):
        return True
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and issubclass(kind, asyncio.CancelledError) and _runner()[1] > 0


_answered: tuple[weakref.ref[Any] | None, int] = (None, 0)
"""(the runner, how often it was interrupted) of the last one."""


def is_pending() -> bool:
    """Whether the task that runs here was cancelled by one while it ran: it cannot hear of that before it awaits. True
    once for each."""
    global _answered
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        task: Any = asyncio.current_task()
    except RuntimeError:  # no loop runs here
        return False
    if not getattr(task, "_must_cancel", False):
        return False
    runner, count = _runner()
    last, answered = _answered
    if count == 0 or (count == answered and last is not None and last() is runner):
        return False
    _answered = weakref.ref(runner), count
    return True


def _runner() -> tuple[Any, int]:
    """That of asyncio.run, and how often it was interrupted."""
    handler = signal.getsignal(signal.SIGINT)
    runner = getattr(getattr(handler, "func", None), "__self__", None)
    return runner, int(getattr(runner, "_interrupt_count", 0))

"""Whether a thread is one of a pool's own, on which it calls its user back."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_of_this_thread = threading.local()


@contextmanager
def callback() -> Iterator[None]:
    """Around what a pool's own thread calls."""
    before = in_callback()
    _of_this_thread.active = True
    try:
        yield
    finally:
        _of_this_thread.active = before


def in_callback() -> bool:
    return getattr(_of_this_thread, "active", False)


def _in_fork() -> None:
    """The only thread of a fork is nobody's but its program's, whichever it was in the process that it comes from."""
    _of_this_thread.active = False


os.register_at_fork(after_in_child=_in_fork)

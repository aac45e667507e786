"""Whatever a measured pool leaves behind comes to us, and we end it."""

import contextlib
import ctypes
import os
import signal
import time

from peerbench.processes import descendants

PR_SET_CHILD_SUBREAPER = 36
# Trackers of shared memory and semaphores tidy up once their owner has gone.
GRACE_SECONDS = 2


def adopt() -> None:
    """From now on orphans among our descendants become our own children."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def reap() -> set[int]:
    """Reaps those that have ended; returns those that live."""
    alive = descendants(os.getpid())
    for pid in set(alive):
        try:
            if os.waitpid(pid, os.WNOHANG)[0] == pid:
                alive.discard(pid)
        except ChildProcessError:  # A grandchild: its parent reaps it.
            pass
    return alive


def end_leftovers() -> None:
    """Call it only when no child of our own runs."""
    deadline = time.monotonic() + GRACE_SECONDS
    while alive := reap():
        if time.monotonic() > deadline:
            for pid in alive:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)

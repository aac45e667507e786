"""Views of the workers in the shape that users of concurrent.futures know and look into."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from typing import Any


def _begun_at(pid: int) -> str | None:
    """When the process with that number was begun, which no later one of that number shares; None: it has ended."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


class WorkerProcess:
    """One worker process, as far as a multiprocessing.Process shows it. Without pidfds (Linux before 5.3, a filter) it
    is known by its number and when it was begun."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._fd: int | None = None
        self._begun: str | None = None
        try:
            self._fd = os.pidfd_open(pid)
        except ProcessLookupError:
            return
        except OSError:
            self._begun = _begun_at(pid)

    def __del__(self) -> None:
        if self._fd is not None:
            os.close(self._fd)

    @property
    def ident(self) -> int:
        return self.pid

    def join(self, timeout: float | None = None) -> None:
        """Waits until the process has ended, at most ``timeout`` seconds."""
        if self._fd is not None:
            poller = select.poll()
            poller.register(self._fd, select.POLLIN)
            poller.poll(None if timeout is None else timeout * 1000)
            return
        end = None if timeout is None else time.monotonic() + timeout
        while self.is_alive() and (end is None or time.monotonic() < end):
            time.sleep(0.005)  # without pidfds the kernel tells the end of a process to its parent only

    def is_alive(self) -> bool:
        if self._fd is None:
            return self._begun is not None and _begun_at(self.pid) == self._begun
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        return not poller.poll(0)

    def _send(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._fd is not None:
                signal.pidfd_send_signal(self._fd, number)
            elif self.is_alive():
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def __repr__(self) -> str:
        return f"<hotspare worker {self.pid}>"


class PoolThread:
    """What an executor's manager thread is to those who join it: over when the pool is gone."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def join(self, timeout: float | None = None) -> None:
        self._engine.wait_gone(timeout)

    def is_alive(self) -> bool:
        return not self._engine.wait_gone(0)


class CallQueue:
    """There is none; for those who join its thread."""

    def join_thread(self) -> None:
        return

    def close(self) -> None:
        return

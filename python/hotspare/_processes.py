"""Views of the workers in the shape that users of concurrent.futures know and look into."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from typing import Any


class WorkerProcess:
    """One worker process, as far as a multiprocessing.Process shows it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        try:
            self._fd: int | None = os.pidfd_open(pid)
        except OSError:
            self._fd = None

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

    def is_alive(self) -> bool:
        if self._fd is None:
            return False
        poller = select.poll()
        poller.register(self._fd, select.POLLIN)
        return not poller.poll(0)

    def _send(self, number: int) -> None:
        if self._fd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, number)

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

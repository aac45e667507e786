"""The zygote of a pool whose workers are no forks of its host: a fresh interpreter."""

from __future__ import annotations

import pickle
import sys


def main(setup_fd: int) -> None:
    # Opened anew: another zygote of the pool may read the same memory, at its own place.
    with open(f"/proc/self/fd/{setup_fd}", "rb") as file:
        path, tracker_fd = pickle.load(file)
        sys.path[:] = path
        from multiprocessing import resource_tracker

        resource_tracker._resource_tracker._fd = tracker_fd  # type: ignore[attr-defined]
        from hotspare import _core, _worker

        _worker.plan = pickle.load(file)
    _core.become_zygote_if_asked()
    raise SystemExit("hotspare: this program is started by a pool, as its zygote")

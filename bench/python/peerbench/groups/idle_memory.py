"""Memory of a worker that has done something small and idles, and of what stands
beside the workers: fork servers, trackers, zygotes, spares."""

import os
import time
from collections.abc import Iterator

from peerbench import tasks
from peerbench.figures import WORKERS, Figure, Group, Row, Settings
from peerbench.peers import OpenPool
from peerbench.peers.base import Pool
from peerbench.processes import descendants, memory
from peerbench.samples import median

ATTEMPTS = 20


def worker_pids(pool: Pool) -> set[int]:
    """Asks tasks where they run until all workers have shown up."""
    found: set[int] = set()
    for _ in range(ATTEMPTS):
        found.update(pool.run(tasks.pid_after, [0.05] * WORKERS))
        if len(found) >= WORKERS:
            return found
    raise AssertionError(f"{len(found)} workers instead of {WORKERS}")


def measure(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    pool = open_pool(WORKERS)
    pids = worker_pids(pool)
    time.sleep(0.2)  # What they tidy up after a task is done by then.
    helpers = descendants(os.getpid()) - pids
    idle = [memory(pid) for pid in pids]
    yield Figure("idle_worker_private", median([use.private for use in idle]))
    yield Figure("idle_worker_pss", median([use.proportional for use in idle]))
    private = sum(memory(pid).private for pid in helpers)
    yield Figure("idle_helpers_private", private, f"{len(helpers)} processes")


IDLE_MEMORY = Group(
    "idle_memory",
    rows=(
        Row("idle_worker_private", "MB"),
        Row("idle_worker_pss", "MB"),
        Row("idle_helpers_private", "MB", "neither"),
    ),
    measure=measure,
)

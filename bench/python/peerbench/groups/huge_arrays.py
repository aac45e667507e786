"""8 arrays of 1 GB, submitted at once, each dropped when it was seen: does the memory
stay bounded? Only ours, and only when asked for: it takes gigabytes."""

import os
import time
from collections.abc import Iterator

from peerbench import tasks
from peerbench.figures import WORKERS, Figure, Group, Row, Settings
from peerbench.groups.arrays import check
from peerbench.peak_memory import peak_memory
from peerbench.peers import OpenPool

COUNT = 8
MEGABYTES = 1_000


def measure(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    pool = open_pool(WORKERS)
    pool.run(tasks.noop, range(100))
    with peak_memory(os.getpid()) as peak:
        started = time.perf_counter()
        # Taken from the end, so that no list keeps what was seen.
        answers = [pool.submit(tasks.fresh_array, MEGABYTES) for _ in range(COUNT)]
        answers.reverse()
        while answers:
            check(pool.get(answers.pop()), MEGABYTES)
        seconds = time.perf_counter() - started
    yield Figure("array_1gb_8_at_once", COUNT * MEGABYTES / seconds)
    yield Figure("array_1gb_peak_memory", peak.megabytes)


HUGE_ARRAYS = Group(
    "huge_arrays",
    rows=(
        Row("array_1gb_8_at_once", "MB/s", "higher"),
        Row("array_1gb_peak_memory", "MB"),
    ),
    measure=measure,
    needs=("numpy",),
    ours_only=True,
    skip=lambda settings: "" if settings.huge else "only with --huge",
)

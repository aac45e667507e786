"""Tasks that do nothing: submit all, collect all."""

import time
from collections.abc import Iterator

from peerbench import tasks
from peerbench.figures import WORKERS, Figure, Group, Row, Settings
from peerbench.peers import OpenPool
from peerbench.samples import median


def measure(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    count = settings.rounds(20_000, 5_000)
    pool = open_pool(WORKERS)
    pool.run(tasks.noop, range(1_000))
    rates = []
    for _ in range(settings.rounds(7, 3)):
        started = time.perf_counter()
        pool.run(tasks.noop, range(count))
        rates.append(count / (time.perf_counter() - started))
    yield Figure("noop_tasks", median(rates))


THROUGHPUT = Group("throughput", rows=(Row("noop_tasks", "1/s", "higher"),), measure=measure)

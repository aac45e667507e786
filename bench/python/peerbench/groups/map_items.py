"""map over many trivial items: ours without a chunk size, the others at their best."""

import time
from collections.abc import Iterator

from peerbench import tasks
from peerbench.figures import WORKERS, Figure, Group, Row, Settings
from peerbench.peers import OpenPool
from peerbench.peers.base import Pool
from peerbench.samples import median

ITEMS = 1_000_000
SECONDS_FOR_ROUNDS = 10


def items_per_second(pool: Pool, chunk_size: int | None) -> float:
    started = time.perf_counter()
    found = pool.map(tasks.increment, range(ITEMS), chunk_size)
    seconds = time.perf_counter() - started
    if len(found) != ITEMS or found[-1] != ITEMS:
        raise AssertionError("map lost items")
    return ITEMS / seconds


def measure(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    pool = open_pool(WORKERS)
    pool.run(tasks.noop, range(100))
    sweep = {size: items_per_second(pool, size) for size in pool.chunk_sizes}
    best = max(sweep, key=lambda size: sweep[size])
    # A slow peer gets fewer rounds: its figure is near nobody's.
    affordable = int(SECONDS_FOR_ROUNDS * sweep[best] / ITEMS)
    rounds = max(1, min(settings.rounds(5, 2), affordable))
    rate = median([items_per_second(pool, best) for _ in range(rounds)])
    note = "no chunk size" if best is None else f"chunks of {best}"
    yield Figure("map_items", rate, note)


MAP_ITEMS = Group("map_items", rows=(Row("map_items", "1/s", "higher"),), measure=measure, seconds=90)

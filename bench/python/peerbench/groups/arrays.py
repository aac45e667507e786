"""A 100 MB numpy array that the worker already holds, back to the caller."""

import time
from collections.abc import Iterator

from peerbench import tasks
from peerbench.figures import WORKERS, Figure, Group, Row, Settings
from peerbench.peers import OpenPool
from peerbench.peers.base import Pool
from peerbench.samples import median

MEGABYTES = 100
NUMBERS_IN_A_PAGE = 4096 // 8


def check(array: "tasks.Array", megabytes: int) -> None:
    """Reads a number of each page: a result must be there, not only promised."""
    pages = array[::NUMBERS_IN_A_PAGE]
    if array.nbytes != megabytes * 1_000_000 or float(pages.sum()) != len(pages):
        raise AssertionError("not the array that was sent")


def one(pool: Pool) -> float:
    started = time.perf_counter()
    check(pool.call(tasks.warm_array, MEGABYTES), MEGABYTES)
    return MEGABYTES / (time.perf_counter() - started)


def several_at_once(pool: Pool, count: int) -> float:
    started = time.perf_counter()
    for array in pool.run(tasks.warm_array, [MEGABYTES] * count):
        check(array, MEGABYTES)
    return count * MEGABYTES / (time.perf_counter() - started)


def measure(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    pool = open_pool(WORKERS)
    several_at_once(pool, 2 * WORKERS)  # Warms both workers.
    rates = [one(pool) for _ in range(settings.rounds(15, 3))]
    yield Figure("array_100mb", median(rates))
    rates = [several_at_once(pool, 8) for _ in range(settings.rounds(5, 1))]
    yield Figure("array_100mb_8_at_once", median(rates))


ARRAYS = Group(
    "arrays",
    rows=(
        Row("array_100mb", "MB/s", "higher"),
        Row("array_100mb_8_at_once", "MB/s", "higher"),
    ),
    measure=measure,
    needs=("numpy",),
)

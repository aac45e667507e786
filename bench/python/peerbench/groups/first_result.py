"""From the constructor's call to the first result; once in each fresh process, which has
imported the peer but not numpy."""

import time
from collections.abc import Iterator

from peerbench import tasks
from peerbench.figures import WORKERS, Figure, Group, Row, Settings
from peerbench.peers import OpenPool


def plain(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    started = time.perf_counter()
    pool = open_pool(WORKERS)
    pool.call(tasks.noop, None)
    yield Figure("first_result", (time.perf_counter() - started) * 1e3)


def with_numpy(peer: str, open_pool: OpenPool, settings: Settings) -> Iterator[Figure]:
    started = time.perf_counter()
    pool = open_pool(WORKERS, with_numpy=True)
    pool.call(tasks.use_numpy, None)
    yield Figure("first_result_numpy", (time.perf_counter() - started) * 1e3)


FIRST_RESULT = Group(
    "first_result",
    rows=(Row("first_result", "ms"),),
    measure=plain,
    seconds=30,
    processes=7,
)
FIRST_RESULT_NUMPY = Group(
    "first_result_numpy",
    rows=(Row("first_result_numpy", "ms"),),
    measure=with_numpy,
    needs=("numpy",),
    seconds=30,
    processes=7,
)

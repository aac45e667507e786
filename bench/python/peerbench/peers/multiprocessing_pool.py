"""multiprocessing.Pool, started by fork."""

import multiprocessing
from collections.abc import Callable, Iterable
from typing import Any

from peerbench import tasks
from peerbench.peers.base import Pool


class MultiprocessingPool(Pool):
    # None: it cuts the items into four chunks for each worker.
    chunk_sizes = (None, 100, 1_000, 10_000, 50_000)

    def __init__(self, workers: int, with_numpy: bool = False) -> None:
        self._pool = multiprocessing.get_context("fork").Pool(
            workers, initializer=tasks.import_numpy if with_numpy else None
        )

    def submit(self, function: Callable[..., Any], *args: object) -> Any:
        return self._pool.apply_async(function, args)

    def get(self, answer: Any, timeout: float | None = None) -> Any:
        return answer.get(timeout)

    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        chunk_size: int | None,
    ) -> list[Any]:
        return self._pool.map(function, items, chunksize=chunk_size)

    def close(self) -> None:
        self._pool.terminate()
        self._pool.join()

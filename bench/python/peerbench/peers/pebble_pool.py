"""pebble.ProcessPool, started by fork."""

import importlib
import multiprocessing
from collections.abc import Callable, Iterable
from typing import Any

from peerbench import tasks
from peerbench.peers.base import Pool


class PebblePool(Pool):
    def __init__(self, workers: int, with_numpy: bool = False) -> None:
        self._pool = importlib.import_module("pebble").ProcessPool(
            max_workers=workers,
            initializer=tasks.import_numpy if with_numpy else None,
            context=multiprocessing.get_context("fork"),
        )

    def submit(self, function: Callable[..., Any], *args: object) -> Any:
        return self._pool.schedule(function, args=args)

    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        chunk_size: int | None,
    ) -> list[Any]:
        found = self._pool.map(function, items, chunksize=chunk_size or 1)
        return list(found.result())

    def close(self) -> None:
        self._pool.stop()
        self._pool.join()

"""loky.ProcessPoolExecutor."""

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from peerbench import tasks
from peerbench.peers.base import Pool


class LokyExecutor(Pool):
    def __init__(self, workers: int, with_numpy: bool = False) -> None:
        self._executor = importlib.import_module("loky").ProcessPoolExecutor(
            workers, initializer=tasks.import_numpy if with_numpy else None
        )

    def submit(self, function: Callable[..., Any], *args: object) -> Any:
        return self._executor.submit(function, *args)

    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        chunk_size: int | None,
    ) -> list[Any]:
        return list(self._executor.map(function, items, chunksize=chunk_size or 1))

    def close(self) -> None:
        self._executor.shutdown(kill_workers=True)

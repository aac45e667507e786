"""concurrent.futures.ProcessPoolExecutor."""

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Iterable
from typing import Any, Literal

from peerbench import tasks
from peerbench.peers.base import Pool


class StdlibExecutor(Pool):
    def __init__(
        self,
        workers: int,
        with_numpy: bool = False,
        *,
        start_method: Literal["fork", "forkserver"],
    ) -> None:
        self._executor = concurrent.futures.ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context(start_method),
            initializer=tasks.import_numpy if with_numpy else None,
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
        self._executor.shutdown(cancel_futures=True)

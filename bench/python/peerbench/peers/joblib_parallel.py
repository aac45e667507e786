"""joblib.Parallel over its default backend. It takes batches, not single tasks."""

import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from peerbench.peers.base import Outcome, Pool


class JoblibParallel(Pool):
    chunk_sizes = (None, 1_000, 10_000, 50_000)  # None: batch_size="auto"

    def __init__(self, workers: int, with_numpy: bool = False) -> None:
        # Without an initializer: joblib and its workers import numpy by themselves.
        del with_numpy
        self._joblib = importlib.import_module("joblib")
        self._workers = workers
        # A task for each item, as with the others; map may batch.
        self._parallel = self._open(batch_size=1)

    def _open(self, **options: object) -> Any:
        # Held open, so that the workers outlive each call.
        return self._joblib.Parallel(self._workers, **options).__enter__()

    def _delayed(self, function: Callable[..., Any], items: Iterable[Any]) -> Any:
        delayed = self._joblib.delayed(function)
        return (delayed(item) for item in items)

    def submit(self, function: Callable[..., Any], *args: object) -> Any:
        raise NotImplementedError("joblib takes batches")

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        return self._parallel([self._joblib.delayed(function)(*args)])[0]

    def run(self, function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
        found: list[Any] = self._parallel(self._delayed(function, items))
        return found

    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        chunk_size: int | None,
    ) -> list[Any]:
        parallel = self._open(batch_size=chunk_size or "auto")
        found: list[Any] = parallel(self._delayed(function, items))
        return found

    def outcomes(self, function: Callable[..., Any], items: Sequence[Any], patience: float) -> list[Outcome]:
        """Its first error ends the call: what has not come by then never will."""
        found = []
        parallel = self._open(batch_size=1, return_as="generator")
        try:
            for value in parallel(self._delayed(function, items)):
                found.append(Outcome("good", value))
        except Exception as error:
            found += [Outcome("failed", error)] * (len(items) - len(found))
        return found

    def close(self) -> None:
        executor = importlib.import_module("joblib.externals.loky")
        executor.get_reusable_executor().shutdown(kill_workers=True)

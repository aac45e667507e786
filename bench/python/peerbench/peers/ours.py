"""hotspare: the native class and the drop-in."""

import importlib
from collections.abc import Callable, Iterable
from typing import Any

from peerbench.peers.base import Pool


class _Hotspare(Pool):
    chunk_sizes = (None,)  # Nobody should have to find the best one.

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def submit(self, function: Callable[..., Any], *args: object) -> Any:
        return self._pool.submit(function, *args)

    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        chunk_size: int | None,
    ) -> list[Any]:
        return list(self._pool.map(function, items))

    def close(self) -> None:
        self._pool.__exit__(None, None, None)


def _preload(with_numpy: bool) -> dict[str, list[str]]:
    return {"preload": ["numpy"]} if with_numpy else {}


class HotsparePool(_Hotspare):
    def __init__(self, workers: int, with_numpy: bool = False) -> None:
        hotspare = importlib.import_module("hotspare")
        super().__init__(hotspare.Pool(workers=workers, **_preload(with_numpy)))


class HotspareExecutor(_Hotspare):
    def __init__(self, workers: int, with_numpy: bool = False) -> None:
        hotspare = importlib.import_module("hotspare")
        super().__init__(hotspare.ProcessPoolExecutor(workers, **_preload(with_numpy)))

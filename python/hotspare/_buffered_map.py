"""The map of concurrent.futures with a buffersize: one task for each item."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from hotspare._future import Future


def buffered(
    submit: Callable[..., Future[Any]],
    function: Callable[..., Any],
    items: Iterator[Any],
    size: int,
    end: float | None,
) -> Iterator[Any]:
    """One task for each item, at most ``size`` of them ahead of the reader."""
    flying: deque[Future[Any]] = deque(submit(function, *item) for item in itertools.islice(items, size))
    return _buffered(submit, function, items, flying, end)


def _buffered(
    submit: Callable[..., Future[Any]],
    function: Callable[..., Any],
    items: Iterator[Any],
    flying: deque[Future[Any]],
    end: float | None,
) -> Iterator[Any]:
    try:
        while flying:
            future = flying.popleft()
            value = future.result(None if end is None else max(0.0, end - time.monotonic()))
            del future
            for item in itertools.islice(items, 1):
                flying.append(submit(function, *item))
            yield value
            del value
    finally:
        for future in flying:
            future.cancel()

"""Chunks: items of a map that travel together. Their size follows the time that the items take, so that trivial ones
cost little and slow ones are spread evenly."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import TimeoutError as _FutureTimeoutError
from typing import Any

from hotspare._errors import WorkerDied
from hotspare._future import Faults, _outcome, rebuilt

_TARGET_SECONDS = 0.004
"""How long a chunk should run: long against what a chunk costs (some 50 µs), short against what people notice."""
_GROWTH = 16
AHEAD = 3
"""Chunks under way for each worker."""


class Chunk:
    """A run of items on its way, and what became of each."""

    def __init__(self, task: Any, items: list[Any]) -> None:
        self.task = task
        self.owner: Any = None
        """Whom to tell when it has settled, if somebody wants that."""
        self.items = items
        self.decoded = False
        self.decoding = False
        """Somebody reads its values just now: unpickling runs any code, which may come back to this chunk's map."""
        self.values: list[Any] = []
        """Of the items that have an outcome, from the first on. None in the place of a failure."""
        self.failures: dict[int, BaseException] = {}
        self.described: dict[int, Any] = {}
        """Of the failures those that the items raised, as the workers told of them."""
        self.error: BaseException | None = None
        """Of the item behind them."""
        self.dead = False
        """The error is a death: the items behind that one never began."""
        self.made_room = False
        """A death for others' sake: the item that was running has not failed."""
        self.never_ran = False
        """The error came before any of them began."""
        self.single = False
        """One item that is run again, by a task of its own."""

    def refused(self, error: BaseException) -> Chunk:
        self.error = error
        self.decoded = True
        return self

    def _settled_by_pool(self) -> None:
        self.owner.settled(self)


class Sizer:
    """How many items the next chunk is to have. Not thread-safe."""

    def __init__(self) -> None:
        self.size = 1

    def note(self, items: int, seconds: float) -> None:
        if items == 0:
            return
        fitting = int(_TARGET_SECONDS / max(seconds / items, 1e-8))
        self.size = max(1, min(fitting, self.size * _GROWTH))


def decode(chunk: Chunk, faults: type[Faults], label: Any, sizer: Sizer) -> None:
    """Takes what became of the items out of the engine."""
    task = chunk.task
    state, payload, error = _outcome(task, faults, label)
    if chunk.single:
        chunk.values = [] if error is not None or state != "FINISHED" else [payload]
        chunk.error = error
        chunk.decoded = True
        chunk.task = None
        return
    seconds = 0.0
    if error is None and payload is not None:
        values, failures, seconds = payload
    elif state != "FINISHED":
        from concurrent.futures import CancelledError

        values, failures, error = [], [], CancelledError()
    else:
        values, failures, _ = task.salvaged()
        chunk.dead = isinstance(error, WorkerDied)
        chunk.never_ran = task.never_ran
        chunk.made_room = chunk.dead and task.made_room
    if error is None and not _fit(values, failures, chunk.items):
        error = RuntimeError("a task's results are damaged: there are not as many as items")
        del values[len(chunk.items) :]
        failures = [each for each in failures if each[0] < len(values)]
    if seconds > 0:
        sizer.note(len(values), seconds)
    chunk.values = values
    chunk.failures = {index: _failure(failure, faults) for index, failure in failures}
    chunk.described = {index: failure for index, failure in failures if not isinstance(failure, BaseException)}
    chunk.error = error
    chunk.decoded = True
    chunk.task = None


def _fit(values: list[Any], failures: list[tuple[int, Any]], items: list[Any]) -> bool:
    """At a failure a chunk may have ended."""
    return len(values) == len(items) or (len(values) < len(items) and bool(failures))


def _failure(failure: Any, faults: type[Faults]) -> BaseException:
    """failure: the description of an exception, or the exception that unpickling raised."""
    if isinstance(failure, Exception):
        return failure
    if isinstance(failure, BaseException):
        return faults.exit_of(failure)
    return rebuilt(failure)


def until_failure(chunk: Chunk) -> Iterator[Any]:
    """The values up to the first item that failed, whose exception is raised."""
    first = min(chunk.failures, default=None)
    error = chunk.error if first is None else chunk.failures[first]
    values = chunk.values if first is None else chunk.values[:first]
    chunk.values = []
    del chunk
    values.reverse()
    while values:
        yield values.pop()
    if error is not None:
        try:
            raise error
        finally:
            del error


def wait_for(chunk: Chunk, end: float | None) -> None:
    """Until its task has settled, or until ``end`` on time.monotonic()'s clock."""
    task = chunk.task
    if task is not None and not task.wait(-1.0 if end is None else max(0.0, end - time.monotonic())):
        raise _FutureTimeoutError


def lost(error: BaseException) -> Exception:
    return RuntimeError(f"some items of this map were not handed out: {type(error).__name__} came in between")


def cancel_all(chunks: Iterable[Chunk]) -> None:
    for chunk in list(chunks):
        task = chunk.task
        if task is not None:
            task.cancel(False)

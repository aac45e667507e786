"""map: items travel in chunks whose size follows the time that the items take, so that trivial ones cost little and
slow ones are spread evenly."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as _FutureTimeoutError
from typing import Any

from hotspare._engine import refusal
from hotspare._future import Faults, Future, _outcome, rebuilt

_TARGET_SECONDS = 0.004
"""How long a chunk should run: long against what a chunk costs (some 50 µs), short against what people notice."""
_GROWTH = 16
_AHEAD = 3
"""Chunks under way for each worker."""


class Chunk:
    """A run of items on its way."""

    def __init__(self, task: Any, owner: Any) -> None:
        self.task = task
        self.owner = owner
        self.outcome: tuple[list[Any], BaseException | None] | None = None

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
    """Takes the chunk's values and its failure, if any, out of the engine."""
    state, payload, error = _outcome(chunk.task, faults, label)
    if error is None and payload is not None:
        values, failure, seconds = payload
        sizer.note(len(values), seconds)
        chunk.outcome = (values, _failure(failure, faults))
    elif state != "FINISHED":
        from concurrent.futures import CancelledError

        chunk.outcome = ([], CancelledError())
    else:
        # The values of the items before the one that killed the worker. A damaged one of them comes first, then.
        values, failure, _ = chunk.task.salvaged()
        chunk.outcome = (values, _failure(failure, faults) or error)
    chunk.task = None


def _failure(failure: Any, faults: type[Faults]) -> BaseException | None:
    """failure: None, the description of an exception, or the exception that unpickling raised."""
    if failure is None or isinstance(failure, Exception):
        return failure
    if isinstance(failure, BaseException):
        return faults.exit_of(failure)
    return rebuilt(failure)


def _wait(chunk: Chunk, end: float | None) -> None:
    """Until its task has settled, or until ``end`` on time.monotonic()'s clock."""
    task = chunk.task
    if task is not None and not task.wait(-1.0 if end is None else max(0.0, end - time.monotonic())):
        raise _FutureTimeoutError


def _cancel(chunks: Iterable[Chunk]) -> None:
    for chunk in chunks:
        task = chunk.task
        if task is not None:
            task.cancel(False)


class EagerMap:
    """Of a list whose items are all to be run, whether somebody reads the results or not."""

    def __init__(
        self,
        core: Any,
        function: Callable[..., Any],
        items: list[Any],
        star: bool,
        workers: int,
        faults: type[Faults],
        chunksize: int | None,
    ) -> None:
        self._core = core
        self._function = function
        self._items = items
        self._star = star
        self._workers = workers
        self._faults = faults
        self._fixed = chunksize
        self._sizer = Sizer()
        self._lock = threading.RLock()
        self._chunks: deque[Chunk] = deque()
        self._flying = 0
        self._at = 0
        with self._lock:
            self._feed()

    def _next_size(self) -> int:
        if self._fixed is not None:
            return self._fixed
        share = -(-(len(self._items) - self._at) // (2 * self._workers))
        return max(1, min(self._sizer.size, share))

    def _feed(self, everything: bool = False) -> None:
        """Hands out chunks. Under the lock."""
        ahead = _AHEAD * self._workers
        while self._at < len(self._items) and (everything or self._fixed is not None or self._flying < ahead):
            size = self._next_size()
            if everything and self._fixed is None:
                size = max(size, (len(self._items) - self._at) // (16 * self._workers))
            part = self._items[self._at : self._at + size]
            self._at += len(part)
            try:
                task = self._core.submit_chunk(self._function, part, self._star, None)
            except Exception as error:  # it cannot be pickled, or the pool is closed or broken
                chunk = Chunk(None, self)
                chunk.outcome = ([], refusal(error, self._faults.broken))
                self._chunks.append(chunk)
                continue
            chunk = Chunk(task, self)
            self._chunks.append(chunk)
            self._flying += 1
            if self._fixed is None:
                self._core.watch(task, chunk)
        if self._at >= len(self._items):
            self._items = []
            self._at = 0

    def settled(self, chunk: Chunk) -> None:
        with self._lock:
            if chunk.outcome is None:
                decode(chunk, self._faults, self._function, self._sizer)
                self._flying -= 1
                self._feed()

    def flush(self, cancel: bool) -> None:
        """The pool closes: what is left is handed out now, or dropped."""
        with self._lock:
            if cancel:
                self._items = []
                self._at = 0
            else:
                self._feed(everything=True)

    def stop(self) -> None:
        with self._lock:
            self._items = []
            self._at = 0
            _cancel(self._chunks)
            self._chunks.clear()

    def results(self, timeout: float | None) -> Iterator[Any]:
        end = None if timeout is None else time.monotonic() + timeout
        return self._results(end)

    def _results(self, end: float | None) -> Iterator[Any]:
        try:
            while self._chunks:
                chunk = self._chunks[0]
                _wait(chunk, end)
                self._chunks.popleft()
                self.settled(chunk)
                assert chunk.outcome is not None
                values, error = chunk.outcome
                del chunk
                values.reverse()
                while values:
                    yield values.pop()
                if error is not None:
                    try:
                        raise error
                    finally:
                        del error
        finally:
            self.stop()


class StreamMap:
    """Of any input, an endless one too: as much of it is read as keeps the workers busy, when results are asked for."""

    def __init__(
        self,
        core: Any,
        function: Callable[..., Any],
        items: Iterable[Any],
        star: bool,
        workers: int,
        options: Any,
        faults: type[Faults],
        return_exceptions: bool,
    ) -> None:
        self._core = core
        self._function = function
        self._items = iter(items)
        self._return_exceptions = return_exceptions
        self._star = star
        self._ahead = _AHEAD * workers
        self._options = options
        self._faults = faults
        self._sizer = Sizer()

    def _next_chunk(self) -> Chunk | None:
        # One by one, if each is to have an outcome of its own whatever happens to its neighbours.
        size = 1 if self._return_exceptions else self._sizer.size
        part = list(itertools.islice(self._items, size))
        if not part:
            return None
        try:
            task = self._core.submit_chunk(self._function, part, self._star, self._options)
        except Exception as error:
            refused = refusal(error)
            if refused is not error or not self._return_exceptions:
                raise refused from None
            chunk = Chunk(None, self)  # it cannot be pickled: that is this item's outcome
            chunk.outcome = ([], error)
            return chunk
        return Chunk(task, self)

    def _values(self, chunk: Chunk) -> Iterator[Any]:
        if chunk.outcome is None:
            decode(chunk, self._faults, self._function, self._sizer)
        assert chunk.outcome is not None
        values, error = chunk.outcome
        chunk.outcome = ([], None)
        values.reverse()
        while values:
            yield values.pop()
        if error is None:
            return
        if self._return_exceptions:
            yield error
        else:
            raise error

    def ordered(self, timeout: float | None) -> Iterator[Any]:
        end = None if timeout is None else time.monotonic() + timeout
        flying: deque[Chunk] = deque()
        try:
            more = True
            while True:
                while more and len(flying) < self._ahead:
                    chunk = self._next_chunk()
                    more = chunk is not None
                    if chunk is not None:
                        flying.append(chunk)
                if not flying:
                    return
                _wait(flying[0], end)
                yield from self._values(flying.popleft())
        finally:
            _cancel(flying)

    def settled(self, chunk: Chunk) -> None:
        self._ready.put(chunk)

    def unordered(self, timeout: float | None) -> Iterator[Any]:
        end = None if timeout is None else time.monotonic() + timeout
        self._ready: queue.SimpleQueue[Chunk] = queue.SimpleQueue()
        flying: set[Chunk] = set()
        try:
            more = True
            while True:
                while more and len(flying) < self._ahead:
                    chunk = self._next_chunk()
                    more = chunk is not None
                    if chunk is not None:
                        flying.add(chunk)
                        if chunk.task is None:
                            self._ready.put(chunk)
                        else:
                            self._core.watch(chunk.task, chunk)
                if not flying:
                    return
                try:
                    done = self._ready.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
                except queue.Empty:
                    raise _FutureTimeoutError from None
                flying.discard(done)
                yield from self._values(done)
        finally:
            _cancel(flying)


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

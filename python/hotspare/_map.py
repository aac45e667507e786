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
from hotspare._errors import WorkerDied
from hotspare._future import Faults, Future, _outcome, rebuilt

_TARGET_SECONDS = 0.004
"""How long a chunk should run: long against what a chunk costs (some 50 µs), short against what people notice."""
_GROWTH = 16
_AHEAD = 3
"""Chunks under way for each worker."""


class Chunk:
    """A run of items on its way, and what became of each."""

    def __init__(self, task: Any, owner: Any, items: list[Any]) -> None:
        self.task = task
        self.owner = owner
        self.items = items
        self.decoded = False
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
    if seconds > 0:
        sizer.note(len(values), seconds)
    chunk.values = values
    chunk.failures = {index: _failure(failure, faults) for index, failure in failures}
    chunk.described = {index: failure for index, failure in failures if not isinstance(failure, BaseException)}
    chunk.error = error
    chunk.decoded = True
    chunk.task = None


def _failure(failure: Any, faults: type[Faults]) -> BaseException:
    """failure: the description of an exception, or the exception that unpickling raised."""
    if isinstance(failure, Exception):
        return failure
    if isinstance(failure, BaseException):
        return faults.exit_of(failure)
    return rebuilt(failure)


def _until_failure(chunk: Chunk) -> Iterator[Any]:
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


class _Map:
    """What both kinds of map do with items that travel together when their worker dies."""

    _retrying = False
    _splits = True
    """Items behind one that killed its worker are run by another; else nobody will want them."""

    def __init__(
        self,
        core: Any,
        function: Callable[..., Any],
        star: bool,
        goes_on: bool,
        options: Any,
        faults: type[Faults],
    ) -> None:
        self._core = core
        self._function = function
        self._star = star
        self._goes_on = goes_on
        self._options = options
        self._faults = faults
        self._sizer = Sizer()

    def _submit(self, items: list[Any]) -> list[Chunk]:
        try:
            task = self._core.submit_chunk(self._function, items, self._star, self._goes_on, self._options)
        except Exception as error:  # it cannot be pickled, or the pool is closed or broken
            return self._not_submitted(items, error)
        return [Chunk(task, self, items)]

    def _not_submitted(self, items: list[Any], error: Exception) -> list[Chunk]:
        raise NotImplementedError

    def _one_by_one(self, items: list[Any]) -> list[Chunk]:
        return [chunk for item in items for chunk in self._submit([item])]

    def _take(self, chunk: Chunk) -> list[Chunk]:
        """Decodes a settled chunk. Returns those that come after it in its place: of items that are to be run after
        all, or again, and of those between them."""
        if chunk.decoded:
            return []
        task = chunk.task
        decode(chunk, self._faults, self._function, self._sizer)
        if chunk.single:
            return []
        if chunk.never_ran and len(chunk.items) > 1:
            chunk.error = None  # one of them is guilty: alone it will be known
            return self._one_by_one(chunk.items)
        if chunk.failures and not self._goes_on:
            return []  # at that one it had ended
        after: list[Chunk] = []
        if chunk.dead and (self._splits or chunk.made_room):
            behind = chunk.items[len(chunk.values) + 1 :]
            del chunk.items[len(chunk.values) + 1 :]
            try:
                after = self._submit(behind) if behind else []
            except Exception as error:  # the pool was closed meanwhile
                after = [Chunk(None, self, behind).refused(error)]
        if not self._retrying and not chunk.made_room:
            return after
        try:
            return self._split(chunk, task) + after
        except Exception as error:
            refused = refusal(error)
            if refused is error:
                raise
            return after  # the pool was closed meanwhile: what has failed has failed for good

    def _split(self, chunk: Chunk, task: Any) -> list[Chunk]:
        """Has the items that are to be run again run, each by a task of its own. The chunk keeps those before the
        first."""
        again: list[tuple[int, Any, Any]] = []
        if self._retrying:
            again += [(index, None, described) for index, described in sorted(chunk.described.items())]
        if chunk.dead:
            again.append((len(chunk.values), task.outcome()[1], None))
        pieces: list[Chunk] = []
        for place, (index, report, described) in enumerate(again):
            pieces.append(self._again(chunk, index, report, described))
            end = again[place + 1][0] if place + 1 < len(again) else len(chunk.values)
            if end > index + 1:
                between = Chunk(None, self, chunk.items[index + 1 : end])
                between.values = chunk.values[index + 1 : end]
                between.failures = {
                    at - index - 1: failure for at, failure in chunk.failures.items() if index < at < end
                }
                between.decoded = True
                pieces.append(between)
        if again:
            first = again[0][0]
            del chunk.values[first:], chunk.items[first:]
            chunk.failures = {at: failure for at, failure in chunk.failures.items() if at < first}
            chunk.error = None
        return pieces

    def _again(self, chunk: Chunk, index: int, report: Any, described: Any) -> Chunk:
        item = chunk.items[index]
        arguments = tuple(item) if self._star else (item,)
        if report is not None and chunk.made_room:
            task = self._core.submit_alone(self._function, arguments, self._options)
        else:
            task = self._core.submit_failed(self._function, arguments, self._options, report, described)
        single = Chunk(task, self, [item])
        single.single = True
        return single


class EagerMap(_Map):
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
        super().__init__(core, function, star, False, None, faults)
        self._items = items
        self._workers = workers
        self._fixed = chunksize
        self._lock = threading.RLock()
        self._chunks: deque[Chunk] = deque()
        self._flying = 0
        self._at = 0
        self._stopped = False
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
            for chunk in self._submit(part):
                self._chunks.append(chunk)
                self._expect(chunk)
        if self._at >= len(self._items):
            self._items = []
            self._at = 0

    def _not_submitted(self, items: list[Any], error: Exception) -> list[Chunk]:
        return [Chunk(None, self, []).refused(refusal(error, self._faults.broken))]

    def _expect(self, chunk: Chunk) -> None:
        """Of a single item of the caller's own size nothing has to be known before it is read."""
        if chunk.task is None:
            return
        self._flying += 1
        if self._fixed is None or len(chunk.items) > 1:
            self._core.watch(chunk.task, chunk)

    def settled(self, chunk: Chunk) -> None:
        with self._lock:
            if chunk.decoded:
                return
            self._flying -= 1
            if self._stopped:
                decode(chunk, self._faults, self._function, self._sizer)
                return
            after = self._take(chunk)
            chunk.items = []
            for new in after:
                self._expect(new)
            if after:
                self._follow(chunk, after)
            self._feed()

    def _follow(self, chunk: Chunk, after: list[Chunk]) -> None:
        place = self._chunks.index(chunk) + 1
        behind = list(itertools.islice(self._chunks, place, None))
        self._chunks = deque([*itertools.islice(self._chunks, place), *after, *behind])

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
            self._stopped = True
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
                self.settled(chunk)
                with self._lock:
                    self._chunks.popleft()
                values = _until_failure(chunk)
                del chunk
                yield from values
        finally:
            self.stop()


class StreamMap(_Map):
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
        retrying: bool,
    ) -> None:
        super().__init__(core, function, star, return_exceptions or retrying, options, faults)
        self._items = iter(items)
        self._return_exceptions = return_exceptions
        self._retrying = retrying
        self._splits = self._goes_on
        self._ahead = _AHEAD * workers

    def _next_chunks(self) -> list[Chunk]:
        """The next run of items on its way; none at the end of the input."""
        items = list(itertools.islice(self._items, self._sizer.size))
        return self._submit(items) if items else []

    def _not_submitted(self, items: list[Any], error: Exception) -> list[Chunk]:
        refused = refusal(error)
        if refused is not error or not self._return_exceptions:
            raise refused from None
        if len(items) == 1:
            return [Chunk(None, self, items).refused(error)]  # it cannot be pickled: that is this item's outcome
        return self._one_by_one(items)

    def _values(self, chunk: Chunk) -> Iterator[Any]:
        if not self._return_exceptions:
            yield from _until_failure(chunk)
            return
        values, failures = chunk.values, chunk.failures
        chunk.values = []
        for index, value in enumerate(values):
            values[index] = None  # the caller's alone
            yield failures.get(index, value)
            del value
        if chunk.error is not None:
            for _ in chunk.items[len(values) :]:
                yield chunk.error

    def ordered(self, timeout: float | None) -> Iterator[Any]:
        end = None if timeout is None else time.monotonic() + timeout
        flying: deque[Chunk] = deque()
        try:
            more = True
            while True:
                while more and len(flying) < self._ahead:
                    chunks = self._next_chunks()
                    more = bool(chunks)
                    flying.extend(chunks)
                if not flying:
                    return
                _wait(flying[0], end)
                first = flying.popleft()
                flying.extendleft(reversed(self._take(first)))
                yield from self._values(first)
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
                    chunks = self._next_chunks()
                    more = bool(chunks)
                    self._expect(chunks, flying)
                if not flying:
                    return
                try:
                    done = self._ready.get(timeout=None if end is None else max(0.0, end - time.monotonic()))
                except queue.Empty:
                    raise _FutureTimeoutError from None
                flying.discard(done)
                self._expect(self._take(done), flying)
                yield from self._values(done)
        finally:
            _cancel(flying)

    def _expect(self, chunks: list[Chunk], flying: set[Chunk]) -> None:
        for chunk in chunks:
            flying.add(chunk)
            if chunk.task is None:
                self._ready.put(chunk)
            else:
                self._core.watch(chunk.task, chunk)


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

"""map: items travel in chunks whose size follows the time that the items take, so that trivial ones cost little and
slow ones are spread evenly."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as _FutureTimeoutError
from typing import Any, TypeAlias

from hotspare import _core
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

    def __init__(self, task: Any, items: list[Any]) -> None:
        self.task = task
        self.owner: Any = None
        """Whom to tell when it has settled, if somebody wants that."""
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


def _lost(error: BaseException) -> Exception:
    return RuntimeError(f"some items of this map were not handed out: {type(error).__name__} came in between")


def _cancel(chunks: Iterable[Chunk]) -> None:
    for chunk in list(chunks):
        task = chunk.task
        if task is not None:
            task.cancel(False)


class _Map:
    """What both kinds of map do with items that travel together when their worker dies."""

    _handler_raised: BaseException | None = None
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
        except _core.HandlerRaised as raised:
            self._handler_raised = raised.args[0]
            raise raised.args[0] from None
        except Exception as error:  # it cannot be pickled, or the pool is closed or broken
            return self._not_submitted(items, error)
        return [Chunk(task, items)]

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
                after = [Chunk(None, behind).refused(error)]
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
                between = Chunk(None, chunk.items[index + 1 : end])
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
        single = Chunk(task, [item])
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
        feeding: dict[EagerMap, None],
    ) -> None:
        """feeding: the maps of this pool that have not handed out all their items."""
        super().__init__(core, function, star, False, None, faults)
        self._feeding = feeding
        self._items = items
        self._workers = workers
        self._fixed = chunksize
        self._lock = threading.RLock()
        self._chunks: deque[Chunk] = deque()
        self._flying = 0
        self._at = 0
        self._stopped = False
        with self._lock:
            self._feeding[self] = None
            try:
                self._feed()
            except BaseException:
                self.stop()
                raise

    def _next_size(self) -> int:
        if self._fixed is not None:
            return self._fixed
        share = -(-(len(self._items) - self._at) // (2 * self._workers))
        return max(1, min(self._sizer.size, share))

    def _feed(self, everything: bool = False) -> None:
        """Hands out chunks. Under the lock."""
        ahead = _AHEAD * self._workers
        try:
            while self._at < len(self._items) and (everything or self._fixed is not None or self._flying < ahead):
                size = self._next_size()
                if everything and self._fixed is None:
                    size = max(size, (len(self._items) - self._at) // (16 * self._workers))
                part = self._items[self._at : self._at + size]
                for chunk in self._submit(part):
                    self._chunks.append(chunk)
                    self._expect(chunk)
                self._at += len(part)
        except BaseException as error:  # of a signal handler: it cannot be told how far this had come
            self._chunks.append(Chunk(None, []).refused(_lost(error)))
            self._all_handed_out()
            raise
        if self._at >= len(self._items):
            self._all_handed_out()

    def _all_handed_out(self) -> None:
        self._items = []
        self._at = 0
        self._feeding.pop(self, None)

    def _not_submitted(self, items: list[Any], error: Exception) -> list[Chunk]:
        return [Chunk(None, []).refused(refusal(error, self._faults.broken))]

    def _expect(self, chunk: Chunk) -> None:
        """Of a single item of the caller's own size nothing has to be known before it is read."""
        if chunk.task is None:
            return
        self._flying += 1
        if self._fixed is None or len(chunk.items) > 1:
            chunk.owner = self
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
        """What is left is handed out now, because the pool closes or somebody else submits; or it is dropped."""
        with self._lock:
            if cancel:
                self._all_handed_out()
            else:
                self._feed(everything=True)

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            self._all_handed_out()
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


Feeding: TypeAlias = "dict[int, weakref.ref[StreamMap]]"


class StreamMap(_Map):
    """Of any input, an endless one too: as much of it is read as keeps the workers busy. The rest of a bounded one is
    handed out before what others submit later."""

    _numbers = itertools.count()

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
        self._workers = workers
        self._more = True
        self._last: Exception | None = None
        """What comes after all results: the input's own error, or why the pool takes no more."""
        self._lock = threading.RLock()
        self._reading_input = False
        self._handed_out = 0
        self._number = next(self._numbers)
        self._feeding: Feeding = {}

    def keep_place(self, feeding: Feeding) -> None:
        """feeding: the bounded maps of this pool that have not handed out all their items. Those that nobody can read
        any more go by themselves."""
        number = self._number
        self._feeding = feeding
        feeding[number] = weakref.ref(self, lambda _: feeding.pop(number, None))

    def flush(self) -> None:
        """What is left is handed out now, because somebody else submits. Reads no more often than it gives chunks away:
        these grow with what was handed out."""
        self._hand_out(float("inf"))

    def _hand_out(self, most: float) -> None:
        """Until so many chunks are under way."""
        with self._lock:
            if self._reading_input:
                return  # the input itself submits
            self._reading_input = True
            try:
                while self._more and len(self._flying) < most:
                    size = self._sizer.size
                    if most == float("inf"):
                        size = max(size, self._handed_out // (8 * self._workers))
                    self._put(self._next_chunks(size))
            finally:
                self._reading_input = False
            if not self._more:
                self._feeding.pop(self._number, None)

    def _next_chunks(self, size: int) -> list[Chunk]:
        """The next run of items on its way; none at the end of the input."""
        items: list[Any] = []
        try:
            for item in itertools.islice(self._items, size):
                items.append(item)
        except Exception as error:
            self._more, self._last = False, error
        self._more = self._more and bool(items)
        self._handed_out += len(items)
        try:
            return self._submit(items) if items else []
        except BaseException as error:
            self._more, self._last = False, _lost(error)
            if error is self._handler_raised or not isinstance(error, Exception):
                raise
            self._last = error
            return []

    def _not_submitted(self, items: list[Any], error: Exception) -> list[Chunk]:
        refused = refusal(error)
        if refused is not error or not self._return_exceptions:
            raise refused from None
        if len(items) == 1:
            return [Chunk(None, items).refused(error)]  # it cannot be pickled: that is this item's outcome
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

    def _ended(self) -> None:
        """All results were given."""
        last, self._last = self._last, None
        if last is not None:
            try:
                raise last
            finally:
                del last

    def ordered(self, timeout: float | None) -> Iterator[Any]:
        """Begins at once."""
        flying: deque[Chunk] = deque()
        self._flying: deque[Chunk] | set[Chunk] = flying
        self._put: Callable[[list[Chunk]], None] = flying.extend
        return self._begun(self._ordered(flying, None if timeout is None else time.monotonic() + timeout))

    def _begun(self, results: Iterator[Any]) -> Iterator[Any]:
        try:
            self._hand_out(_AHEAD * self._workers)
        except BaseException:
            self._stop()
            raise
        return results

    def _stop(self) -> None:
        self._more = False
        self._feeding.pop(self._number, None)
        _cancel(self._flying)

    def _ordered(self, flying: deque[Chunk], end: float | None) -> Iterator[Any]:
        try:
            while True:
                self._hand_out(_AHEAD * self._workers)
                if not flying:
                    break
                _wait(flying[0], end)
                with self._lock:
                    first = flying.popleft()
                    flying.extendleft(reversed(self._take(first)))
                yield from self._values(first)
            self._ended()
        finally:
            self._stop()

    def settled(self, chunk: Chunk) -> None:
        self._ready.append(chunk)
        self._bell.ring()

    def unordered(self, timeout: float | None) -> Iterator[Any]:
        """Begins at once."""
        flying: set[Chunk] = set()
        self._flying = flying
        self._ready: deque[Chunk] = deque()
        self._bell = _core.Bell()
        self._put = lambda chunks: self._expect(chunks, flying)
        return self._begun(self._unordered(flying, None if timeout is None else time.monotonic() + timeout))

    def _unordered(self, flying: set[Chunk], end: float | None) -> Iterator[Any]:
        try:
            while True:
                self._hand_out(_AHEAD * self._workers)
                if not flying:
                    break
                done = self._next_ready(end)
                with self._lock:
                    flying.discard(done)
                    self._expect(self._take(done), flying)
                yield from self._values(done)
            self._ended()
        finally:
            self._stop()

    def _next_ready(self, end: float | None) -> Chunk:
        while not self._ready:
            self._bell.clear()
            if self._ready:
                break  # it came before that
            if not self._bell.wait(-1.0 if end is None else max(0.0, end - time.monotonic())) and not self._ready:
                raise _FutureTimeoutError
        return self._ready.popleft()

    def _expect(self, chunks: list[Chunk], flying: set[Chunk]) -> None:
        for chunk in chunks:
            flying.add(chunk)
            if chunk.task is None:
                self._ready.append(chunk)
            else:
                chunk.owner = self
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

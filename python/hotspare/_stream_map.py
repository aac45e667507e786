"""The maps of Pool: as much of the input is read as keeps the workers busy."""

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
from hotspare._chunks import AHEAD, Chunk, cancel_all, lost, until_failure, wait_for
from hotspare._engine import refusal
from hotspare._future import Faults
from hotspare._map import Map

Feeding: TypeAlias = "dict[int, weakref.ref[StreamMap]]"


class StreamMap(Map):
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
        feeding: Feeding | None,
    ) -> None:
        """feeding: the bounded maps of this pool that have not handed out all their items, if this is one."""
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
        self._feeding: Feeding = {} if feeding is None else feeding

    def _keep_place(self) -> None:
        """From now on others flush it. One that nobody can read any more goes by itself."""
        number, feeding = self._number, self._feeding
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
            try:
                self._reading_input = True
                while self._more and len(self._flying) < most:
                    size = self._sizer.size
                    if most == float("inf"):
                        size = max(size, self._handed_out // (8 * self._workers))
                    self._put(self._next_chunks(size))
            except BaseException as error:  # of a signal handler: what was read last is nowhere
                self._more, self._last = False, lost(error)
                raise
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
        except Exception as error:
            if error is self._handler_raised:
                raise
            self._more, self._last = False, error
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
            yield from until_failure(chunk)
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
            self._keep_place()
            self._hand_out(AHEAD * self._workers)
        except BaseException:
            self._stop()
            raise
        return results

    def _stop(self) -> None:
        self._more = False
        self._feeding.pop(self._number, None)
        cancel_all(self._flying)

    def _ordered(self, flying: deque[Chunk], end: float | None) -> Iterator[Any]:
        try:
            while True:
                self._hand_out(AHEAD * self._workers)
                if not flying:
                    break
                wait_for(flying[0], end)
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
                self._hand_out(AHEAD * self._workers)
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
            if chunk.task is None:
                self._ready.append(chunk)
            else:
                chunk.owner = self
                self._core.watch(chunk.task, chunk)
            flying.add(chunk)  # last: what is waited for is told of

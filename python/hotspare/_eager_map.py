"""The map of concurrent.futures: all items are run, whether somebody reads the results or not."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

from hotspare._chunks import AHEAD, Chunk, cancel_all, decode, lost, until_failure, wait_for
from hotspare._engine import refusal
from hotspare._future import Faults
from hotspare._map import Map


class EagerMap(Map):
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
        self._told: deque[Chunk] = deque()
        """Those that have settled while somebody had the lock, who looks at them when he lets go of it."""
        self._flying = 0
        self._at = 0
        self._stopped = False
        self._dropped = False
        self._giving_way = False
        with self._locked():
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
        ahead = AHEAD * self._workers
        try:
            while self._is_left() and (everything or self._fixed is not None or self._flying < ahead):
                size = self._next_size()
                if everything and self._fixed is None:
                    size = max(size, (len(self._items) - self._at) // (16 * self._workers))
                self._hand_out(size)
        except BaseException as error:  # of a signal handler: it cannot be told how far this had come
            self._chunks.append(Chunk(None, []).refused(lost(error)))
            self._all_handed_out()
            raise
        if not self._is_left():
            self._end_of_input()

    def _is_left(self) -> bool:
        return self._at < len(self._items) and not self._dropped

    def _end_of_input(self) -> None:
        if self._at < len(self._items):
            self._chunks.append(Chunk(None, []).refused(CancelledError()))
        self._all_handed_out()

    def _hand_out(self, size: int) -> None:
        """The next part. A signal's handler, or the pickling of an item, may submit or close the pool itself meanwhile:
        then what is behind this part is handed out before it."""
        # In one stretch, without a call, so that no handler comes in between.
        at = self._at
        behind = at + size
        self._at = behind
        part = self._items[at:behind]
        last = self._chunks[-1] if self._chunks else None
        if not part:
            return
        new = self._submit(part)
        if self._at == behind:
            self._chunks.extend(new)
        else:
            self._follow(last, new)
        for chunk in new:
            self._expect(chunk)

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

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with self._lock:
                yield
        finally:
            self._take_told()

    def settled(self, chunk: Chunk) -> None:
        """On the pool's thread. It never waits: who has the lock may wait for the pool's end, in a signal's handler."""
        self._told.append(chunk)
        self._take_told()

    def _take_told(self) -> None:
        while self._told and self._lock.acquire(blocking=False):
            try:
                while self._told:
                    self._settle(self._told.popleft())
            finally:
                self._lock.release()

    def _settle(self, chunk: Chunk) -> None:
        """Under the lock."""
        if chunk.decoded or chunk.decoding:
            return
        chunk.decoding = True
        after: list[Chunk] = []
        try:
            if self._stopped:
                decode(chunk, self._faults, self._function, self._sizer)
            else:
                after = self._take(chunk)
        finally:
            chunk.decoding = False
            if chunk.decoded:
                self._flying -= 1
        if self._stopped:
            cancel_all(after)
            return
        chunk.items = []
        for new in after:
            self._expect(new)
        if after:
            self._follow(chunk, after)
        self._feed()

    def _follow(self, chunk: Chunk | None, after: list[Chunk]) -> None:
        place = 0 if chunk is None else self._chunks.index(chunk) + 1
        for new in reversed(after):
            self._chunks.insert(place, new)

    def flush(self) -> None:
        """What is left is handed out now, because the pool closes; or it is dropped."""
        with self._locked():
            self._feed(everything=True)

    def give_way(self) -> None:
        """The same, because somebody else submits. If that is the pickling of an item that is handed out by this, the
        rest stays where it is: items that all submit would go as deep as there are items."""
        with self._locked():
            if self._giving_way:
                return
            self._giving_way = True
            try:
                self._feed(everything=True)
            finally:
                self._giving_way = False

    def drop(self) -> None:
        """What is left is not to be handed out any more. Waits for nobody: who hands out may wait for room himself."""
        self._dropped = True

    def stop(self) -> None:
        with self._locked():
            self._stopped = True
            self._all_handed_out()
            cancel_all(self._chunks)
            self._chunks.clear()

    def results(self, timeout: float | None) -> Iterator[Any]:
        end = None if timeout is None else time.monotonic() + timeout
        return self._results(end)

    def _results(self, end: float | None) -> Iterator[Any]:
        try:
            while self._chunks:
                chunk = self._chunks[0]
                wait_for(chunk, end)
                with self._locked():
                    self._settle(chunk)
                    self._chunks.popleft()
                values = until_failure(chunk)
                del chunk
                yield from values
        finally:
            self.stop()

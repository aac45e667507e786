"""Durable batches: a map whose results outlive everything."""

from __future__ import annotations

import os
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from hotspare import _core, _options
from hotspare._engine import refusal
from hotspare._errors import JournalError
from hotspare._future import Faults, _outcome
from hotspare._keys import KeyMaker

if TYPE_CHECKING:
    from hotspare._pool import Pool

T = TypeVar("T")

_RERUN = {"raised": 1, "died": 2, "timeout": 4, "memory": 8}
_AHEAD = 64
"""Tasks submitted ahead of the reader, for each worker."""


class Recovered(NamedTuple):
    """What recover_journal did."""

    saved: int
    """Records in the journal now: all that are whole."""
    lost: int
    """Records that had been committed and are not there or not whole; 0 if that is not known."""
    all_known: bool
    """Whether it is known how many records there were."""
    damaged_copy: str
    """Where the journal lies as it was found; empty if it was whole."""


def _file_name(path: str | os.PathLike[str]) -> str:
    name = _options.text("the journal's path", os.fsdecode(path))
    if "\0" in name:
        raise ValueError("the journal's path has a null character in it")
    return name


def recover_journal(path: str | os.PathLike[str]) -> Recovered:
    """Puts a journal that holds all intact records of this one in its place. What was found goes to ``path``.damaged
    and is not changed; a journal that is whole stays as it is. Raises JournalError."""
    return Recovered(*_core.recover_journal(_file_name(path)))


class _Asked:
    """One element of a map on its way."""

    __slots__ = ("answer", "error")

    def __init__(self, answer: Any, error: BaseException | None = None) -> None:
        self.answer = answer
        self.error = error
        """It could not be asked: the item cannot be pickled, say."""


class Batch:
    """What Pool.batch returns: see there. Any thread may use it; each iterator is for one."""

    def __init__(
        self,
        pool: Pool,
        path: str | os.PathLike[str],
        *,
        version: str = "",
        durability: str = "process",
        rerun: Iterable[str] = (),
        window: int | None = None,
        of_any_user: bool = False,
        task_options: Any = None,
    ) -> None:
        self._pool = pool
        self._version = str(version)
        self._task_options = task_options
        self._window = _AHEAD * pool._workers if window is None else _options.count("window", window, 1)
        power = _options.choice("durability", durability, ("process", "power")) == "power"
        if isinstance(rerun, str):
            raise TypeError("rerun must be a set of kinds, not a string")
        bits = 0
        for kind in rerun:
            bits |= _RERUN[_options.choice("rerun", kind, tuple(_RERUN))]
        self._core = _core.CoreBatch(_file_name(path), power, bits, bool(of_any_user))
        self._finalizer = weakref.finalize(self, _close_quietly, self._core)
        if self._core.warning:
            warnings.warn(self._core.warning, RuntimeWarning, stacklevel=3)

    @property
    def path(self) -> str:
        """The journal's file."""
        return self._core.path

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        key: Callable[..., Any] | None = None,
        return_exceptions: bool = False,
    ) -> Iterator[T]:
        """Results in the items' order, each when its record is committed. Takes from the input only what keeps the
        workers busy. Raises JournalError.

        key: called with the item's arguments, its value stands for them; for items that are large, or not equal to
        themselves in another run. return_exceptions: an item that fails gives its exception instead of raising it, and
        the rest goes on.
        """
        return self._ordered(fn, self._arguments(iterables), key, return_exceptions)

    def as_completed(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        key: Callable[..., Any] | None = None,
        return_exceptions: bool = False,
    ) -> Iterator[T]:
        """Results as they come; else as map."""
        return self._unordered(fn, self._arguments(iterables), key, return_exceptions)

    def counts(self) -> dict[str, int]:
        """kept: answers that the journal had; run: tasks submitted; committed: records written; commits: in so many."""
        return self._core.counts()

    def close(self, wait: bool = True) -> None:
        """Closes the journal: afterwards it is one file (and the folder of large values), which can be copied.
        wait: first, the tasks that run are finished and written. Raises JournalError."""
        self._core.close(wait)

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            # Who presses Ctrl-C does not want to wait for what runs.
            self.close(wait=kind is None or issubclass(kind, Exception))
        except JournalError:
            if kind is None:
                raise  # else what was raised first says more

    # ---- asking ----

    def _arguments(self, iterables: tuple[Iterable[Any], ...]) -> Iterator[tuple[Any, ...]]:
        if not iterables:
            raise TypeError("map needs at least one iterable")
        return zip(*iterables)

    def _asker(self, fn: Callable[..., Any], key: Callable[..., Any] | None) -> Callable[[tuple[Any, ...]], _Asked]:
        keys = KeyMaker(self._version, fn)
        batch = self._core
        pool = self._pool

        def ask(arguments: tuple[Any, ...]) -> _Asked:
            if key is not None:
                name = keys.of(key(*arguments), True)
            else:
                try:
                    name = keys.of(arguments, False)
                except Exception as error:  # it cannot be pickled: that is this item's outcome
                    return _Asked(None, error)
            answer = batch.find(name)
            if answer is not None:
                return _Asked(answer)
            core = pool._core or pool._start()
            try:
                return _Asked(batch.submit(name, core, fn, arguments, self._task_options))
            except _core.HandlerRaised as raised:
                raise raised.args[0] from None
            except JournalError:
                raise
            except Exception as error:
                refused = refusal(error)
                if refused is not error:
                    raise refused from None
                return _Asked(None, error)

        return ask

    def _given(self, asked: _Asked, fn: Callable[..., Any], return_exceptions: bool) -> Any:
        error = asked.error
        value = None
        if error is None:
            state, value, error = _outcome(asked.answer, Faults, fn)
            if state != "FINISHED":
                from concurrent.futures import CancelledError

                error = CancelledError()
        if error is None:
            return value
        if return_exceptions:
            return error
        try:
            raise error
        finally:
            del error

    def _ordered(
        self,
        fn: Callable[..., Any],
        items: Iterator[tuple[Any, ...]],
        key: Callable[..., Any] | None,
        return_exceptions: bool,
    ) -> Iterator[Any]:
        ask = self._asker(fn, key)
        waiting: deque[_Asked] = deque()
        running = 0
        more = True
        try:
            while True:
                while more and running < self._window and len(waiting) < 16 * self._window:
                    arguments = next(items, None)
                    more = arguments is not None
                    if arguments is not None:
                        waiting.append(ask(arguments))
                        running += _runs(waiting[-1])
                if not waiting:
                    return
                first = waiting[0]
                if first.answer is not None:
                    self._core.wait(first.answer)
                waiting.popleft()
                running -= _runs(first)
                yield self._given(first, fn, return_exceptions)
                del first
        finally:
            self._leave(waiting)

    def _unordered(
        self,
        fn: Callable[..., Any],
        items: Iterator[tuple[Any, ...]],
        key: Callable[..., Any] | None,
        return_exceptions: bool,
    ) -> Iterator[Any]:
        ask = self._asker(fn, key)
        ready = _core.CoreAnswerQueue(self._core)
        waiting: dict[int, _Asked] = {}
        running = 0
        number = 0
        more = True
        try:
            while True:
                while more and running < self._window and len(waiting) < 16 * self._window:
                    arguments = next(items, None)
                    more = arguments is not None
                    if arguments is None:
                        break
                    asked = ask(arguments)
                    if asked.answer is None:
                        yield self._given(asked, fn, return_exceptions)
                        continue
                    number += 1
                    waiting[number] = asked
                    running += _runs(asked)
                    ready.watch(asked.answer, number)
                if not waiting:
                    return
                done = waiting.pop(ready.take())
                running -= _runs(done)
                yield self._given(done, fn, return_exceptions)
                del done
        finally:
            self._leave(waiting.values())

    def _leave(self, waiting: Iterable[_Asked]) -> None:
        """What has not begun is dropped."""
        for asked in waiting:
            if asked.answer is not None:
                self._core.leave(asked.answer)


def _runs(asked: _Asked) -> int:
    return 1 if asked.answer is not None and asked.answer.running else 0


def _close_quietly(core: Any) -> None:
    """Nobody asked for it, so nobody hears of it: what was committed is safe."""
    try:
        core.close(False)
    except Exception:
        return

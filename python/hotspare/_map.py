"""What all maps do with the items of a chunk whose worker dies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hotspare import _core
from hotspare._chunks import Chunk, Sizer, decode
from hotspare._engine import refusal
from hotspare._future import Faults


class Map:
    """Submits chunks, and in the place of those that have ended what is to be run after all, or again."""

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

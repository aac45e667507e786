"""What the groups ask of a pool, whoever wrote it."""

import concurrent.futures
import multiprocessing
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

# One class from Python 3.11 on, except for multiprocessing's.
TIMEOUTS = (
    TimeoutError,
    concurrent.futures.TimeoutError,
    multiprocessing.TimeoutError,
)


@dataclass(frozen=True)
class Outcome:
    """How one task ended. `value` is its result, or the error that the pool gave."""

    state: Literal["good", "failed", "unanswered"]
    value: object = None


class Pool(ABC):
    """An open pool. `submit` and `get` are as thin as they can be: they are measured."""

    chunk_sizes: Sequence[int | None] = (100, 1_000, 10_000, 50_000)
    """For map: the best of these counts. None leaves the choice to the pool."""

    @abstractmethod
    def submit(self, function: Callable[..., Any], *args: object) -> Any:
        """Hands a task over; what it returns is for `get`."""

    def get(self, answer: Any, timeout: float | None = None) -> Any:
        return answer.result(timeout)

    @abstractmethod
    def map(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        chunk_size: int | None,
    ) -> list[Any]:
        """All results in order."""

    @abstractmethod
    def close(self) -> None:
        """Ends the workers without waiting for tasks."""

    def call(self, function: Callable[..., Any], *args: object) -> Any:
        """One task there and back."""
        return self.get(self.submit(function, *args))

    def run(self, function: Callable[..., Any], items: Iterable[Any]) -> list[Any]:
        """Submits all, then collects all: a task for each item."""
        answers = [self.submit(function, item) for item in items]
        return [self.get(answer) for answer in answers]

    def outcomes(self, function: Callable[..., Any], items: Sequence[Any], patience: float) -> list[Outcome]:
        """As `run`, for tasks that may fail. A task counts as unanswered once
        nothing has come for `patience` seconds."""
        answers = [self._try_submit(function, item) for item in items]
        patient = True
        found = []
        for answer in answers:
            outcome = self._outcome(answer, patience if patient else 0.0)
            patient = patient and outcome.state != "unanswered"
            found.append(outcome)
        return found

    def _try_submit(self, function: Callable[..., Any], item: object) -> Any:
        try:
            return self.submit(function, item)
        except Exception as error:
            return Outcome("failed", error)

    def _outcome(self, answer: Any, patience: float) -> Outcome:
        if isinstance(answer, Outcome):
            return answer
        started = time.monotonic()
        try:
            return Outcome("good", self.get(answer, patience))
        except TIMEOUTS as error:
            # pebble's own timeouts are such errors as well, and come early.
            late = time.monotonic() - started >= patience
            return Outcome("unanswered" if late else "failed", error)
        except Exception as error:
            return Outcome("failed", error)

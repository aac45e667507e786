"""Which failed attempts are made again, and what holds for all tasks with a tag."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hotspare import _options
from hotspare._callbacks import callback
from hotspare._future import Faults, death, rebuilt

_REASONS = ("death", "timeout", "exception")


@dataclass(frozen=True)
class Failure:
    """One failed attempt of a task, as its retry policy sees it."""

    attempt: int
    """1 for the first."""
    task_id: int
    error: BaseException
    """What the future would raise if it was the last attempt: WorkerDied, TaskTimeout, or what the task raised."""


@dataclass(frozen=True)
class Retries:
    """Which failed attempts of a task are made again. A task that may be retried must not mind if an attempt ended
    anywhere in its middle: that is why the default is never to run again what has begun.

    ``when`` and ``before_retry`` are called one at a time on the thread that runs the pool's callbacks; they must not
    wait for tasks of the pool. What ``when`` raises counts as no; what ``before_retry`` raises ends the retrying.
    """

    attempts: int = 3
    """In all, the first one included."""
    on: tuple[Any, ...] = ("death", "timeout")
    """Of "death", "timeout", "exception" (any) and exception classes."""
    when: Callable[[Failure], object] | None = None
    """Asked about each failure that may be retried; None: yes."""
    before_retry: Callable[[Failure], object] | None = None
    """Called before each retry: the place to remove a cut download, say."""
    base: float = 0.05
    """Pause before a retry, seconds: drawn between base and three times the pause before it, at most cap."""
    cap: float = 10.0
    memory_attempts: int = 1
    """After death for want of memory, so often, whatever ``attempts`` says; no other task runs meanwhile."""

    def __post_init__(self) -> None:
        _options.count("attempts", self.attempts, 1, 65535)
        _options.count("memory_attempts", self.memory_attempts, 0, 65535)
        if isinstance(self.on, (str, type)):
            object.__setattr__(self, "on", (self.on,))
        for reason in self.on:
            if reason not in _REASONS and not (isinstance(reason, type) and issubclass(reason, BaseException)):
                raise ValueError(f"on: {reason!r} is none of {', '.join(_REASONS)} and no exception class")
        _options.function("when", self.when)
        _options.function("before_retry", self.before_retry)
        for name in ("base", "cap"):
            if getattr(self, name) != 0:
                _options.seconds(name, getattr(self, name))

    def _classes(self) -> tuple[type[BaseException], ...]:
        return tuple(reason for reason in self.on if isinstance(reason, type))

    def _core(self, faults: type[Faults], label: Any) -> dict[str, Any]:
        """As the engine wants it."""
        classes = self._classes()
        return {
            "attempts": self.attempts,
            "on_death": "death" in self.on,
            "on_timeout": "timeout" in self.on,
            "on_exception": "exception" in self.on or bool(classes),
            "memory_attempts": self.memory_attempts,
            "base": float(self.base),
            "cap": float(self.cap),
            "ask": self._asker(faults, label) if classes or self.when or self.before_retry else None,
        }

    def _asker(self, faults: type[Faults], label: Any) -> Callable[[int, int, Any, Any], bool]:
        classes = () if "exception" in self.on else self._classes()

        def ask(attempt: int, task_id: int, report: Any, described: Any) -> bool:
            error = rebuilt(described) if report is None else death(report, faults, label)
            if report is None and classes and not isinstance(error, classes):
                return False
            failure = Failure(attempt, task_id, error)
            with callback():
                if self.when is not None and not self.when(failure):
                    return False
                if self.before_retry is not None:
                    self.before_retry(failure)
            return True

        return ask


def retries_of(value: Any) -> Retries | None:
    """What users may give: a number of retries (not of attempts), a policy, or nothing."""
    if value is None or isinstance(value, Retries):
        return value
    return Retries(attempts=1 + _options.count("retries", value, 0, 65534))


@dataclass(frozen=True)
class Tag:
    """What holds for all tasks of a pool that carry a tag. Those that must wait hold up no others."""

    at_once: int | None = None
    """So many run at the same time, at most."""
    per_second: int | None = None
    """So many begin within any second, at most."""
    breaker_failures: int | None = None
    """Failures in a row after which none begins for ``breaker_pause`` seconds; then one does, and if it succeeds all
    may."""
    breaker_pause: float = 10.0

    def _core(self) -> dict[str, Any]:
        most = 2**31
        return {
            "at_once": 0 if self.at_once is None else _options.count("at_once", self.at_once, 1, most),
            "per_second": 0 if self.per_second is None else _options.count("per_second", self.per_second, 1, most),
            "breaker_failures": 0
            if self.breaker_failures is None
            else _options.count("breaker_failures", self.breaker_failures, 1, most),
            "breaker_pause": _options.seconds("breaker_pause", self.breaker_pause),
        }


def tags_of(value: Any) -> dict[str, dict[str, Any]]:
    """Of the constructor: {name: Tag}."""
    if not hasattr(value, "items"):
        raise TypeError(f"tags must be a dict of names and Tags, not {type(value).__name__}")
    for name, tag in value.items():
        if not isinstance(name, str) or not isinstance(tag, Tag):
            raise TypeError(f"tags must be a dict of names and Tags, not {name!r}: {tag!r}")
    return {_options.text("tags", name): tag._core() for name, tag in value.items()}

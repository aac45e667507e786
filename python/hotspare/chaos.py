"""Faults on purpose: makes chosen tasks die, hang, leak or raise, so that people can test their own batch against that.

    chaos = Chaos(seed=7, rate=0.02, how=("sigkill", "raise"))
    future = pool.submit(wrap(decode, chaos), path)
    was_hit = chaos.choose(path) is not None

The ways, each done for real:

sigkill, sigsegv, abort: the worker dies of that signal.
exit: its process ends with code 3, without exit handlers.
stack_overflow: recursion without end. RuntimeError where the stack is larger than 1 GiB.
memory: takes memory until the task's memory_limit ends it. RuntimeError in a task that has none.
leak: takes memory that its worker never gives back; the task goes on.
hang: sleeps in C code, holding the GIL, and heeds nothing: only a deadline or a cancel with kill ends it.
stop: the worker is stopped (SIGSTOP): the same. The task goes on if somebody sends SIGCONT.
raise: raises Struck.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hotspare import _core, _options

T = TypeVar("T")
Key = int | str | bytes | os.PathLike[str]

WAYS = _core.chaos_ways()
_MOST = 2**64 - 1
_DEFAULTS = _core.chaos_from_text("")

__all__ = ["WAYS", "Chaos", "Key", "Struck", "from_environment", "from_text", "key_of", "strike", "wrap"]


class Struck(RuntimeError):
    """What the way "raise" raises, in the worker and from the future."""


def key_of(value: Key) -> int:
    """What the choice rests on: a whole number is its own key (modulo 2**64), text, bytes and paths are hashed
    (FNV-1a of the bytes, as UTF-8)."""
    if isinstance(value, int):
        return value % 2**64
    if isinstance(value, (str, bytes, os.PathLike)):
        text = os.fspath(value)
        return _core.chaos_hash(text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape"))
    raise TypeError(
        f"the key of a task must be a whole number, text or a path, not {type(value).__name__}: "
        "give wrap a function that makes one of the task's arguments, key=…"
    )


@dataclass(frozen=True)
class Chaos:
    """Which tasks are struck, and how.

    seed: of what ``rate`` draws.
    rate: part of the keys that is struck, 0 to 1; how is drawn, too.
    every: keys that are a multiple of it are struck, by the ways of ``how`` in turn; 0: none.
    how: ways, as of the module; they count in the order of WAYS. One, several, or "sigkill+hang".
    attempts: only the first so many attempts of a task, so that retries end well; 0: all.
    bytes: what one leak takes. No worker leaks more than 1 GiB: RuntimeError.
    """

    seed: int = _DEFAULTS[0]
    rate: float = _DEFAULTS[1]
    every: int = _DEFAULTS[2]
    how: str | tuple[str, ...] = _DEFAULTS[3]
    attempts: int = _DEFAULTS[4]
    bytes: int = _DEFAULTS[5]

    def __post_init__(self) -> None:
        for name in ("seed", "every", "bytes"):
            _options.count(name, getattr(self, name), 0, _MOST)
        _options.count("attempts", self.attempts, 0, 2**32 - 1)
        if _options.number("rate", self.rate) > 1:
            raise ValueError("rate must be at most 1")
        ways = self.how.split("+") if isinstance(self.how, str) else _options.texts("how", self.how)
        for way in ways:
            _options.choice("how", way, WAYS)
        if not ways:
            raise ValueError(f"how must name at least one of {', '.join(WAYS)}")
        object.__setattr__(self, "how", tuple(way for way in WAYS if way in ways))

    def __str__(self) -> str:
        """What from_text reads back: print it, so that a run can be repeated."""
        return (
            f"seed={self.seed},rate={float(self.rate)!r},every={self.every},"
            f"how={'+'.join(self.how)},attempts={self.attempts},bytes={self.bytes}"
        )

    def choose(self, key: Key) -> str | None:
        """How the task of this key is struck, if at all. Depends on seed, rate, every, how and the key alone: the same
        in each process, on each machine, in Python and in C++."""
        return _core.chaos_choose(str(self), key_of(key))


def from_text(text: str) -> Chaos:
    """From "seed=7,rate=0.02,how=sigkill+hang": the fields of Chaos, each at most once; what is not named keeps its
    default. ValueError says what is wrong, where, and what is allowed."""
    return Chaos(*_core.chaos_from_text(_options.text("text", text)))


def from_environment(variable: str = "HOTSPARE_CHAOS") -> Chaos:
    """from_text of this variable; a Chaos that strikes nothing if there is no such variable, or it is empty."""
    try:
        return from_text(os.environ.get(variable, ""))
    except ValueError as error:
        raise ValueError(f"{variable}: {error}") from None


def strike(how: str, *, bytes: int = _DEFAULTS[5]) -> None:
    """Does it, here and now, in the task that runs: real deaths. In a process that is no worker it does nothing and
    raises RuntimeError: your program is safe from it. bytes: as of Chaos."""
    _options.choice("how", how, WAYS)
    _options.count("bytes", bytes, 0, _MOST)
    if how == "raise" and _core.in_worker_process():
        raise Struck("chaos: this task was told to raise")
    _core.chaos_strike(how, bytes)


def _first_argument(*args: Any, **_: Any) -> Any:
    if not args:
        raise TypeError("the key of a task is its first argument, and this one has none: give wrap a key=…")
    return args[0]


class Wrapped(Generic[T]):
    """What wrap returns."""

    def __init__(self, fn: Callable[..., T], chaos: Chaos, key: Callable[..., Key]) -> None:
        self._fn = fn
        self._chaos = chaos
        self._key = key
        functools.update_wrapper(self, fn, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> T:
        chaos = self._chaos
        if chaos.attempts == 0 or _core.attempt() <= chaos.attempts:
            how = chaos.choose(self._key(*args, **kwargs))
            if how is not None:
                strike(how, bytes=chaos.bytes)
        return self._fn(*args, **kwargs)


def wrap(fn: Callable[..., T], chaos: Chaos, *, key: Callable[..., Key] | None = None) -> Callable[..., T]:
    """fn, to be submitted or mapped: strikes before it calls fn, if the task is chosen. It can be pickled if fn can.
    key: makes the key of a task from its arguments; None: its key is the first one."""
    if not isinstance(chaos, Chaos):
        raise TypeError(f"chaos must be a Chaos, not {type(chaos).__name__}")
    if not callable(fn):
        raise TypeError("fn must be a callable")
    return Wrapped(fn, chaos, _options.function("key", key) or _first_argument)

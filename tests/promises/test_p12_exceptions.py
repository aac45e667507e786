"""P12. Exceptions of whatever class: each arrives as itself, or as a RemoteError that says what could not be done, and
whoever waits in whatever way is told."""

from __future__ import annotations

import builtins
import concurrent.futures
import dataclasses
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest
from hotspare import Failure, Pool, ProcessPoolExecutor, RemoteError, Retries, TaskTimeout, WorkerDied
from python_tasks import square

_HOST = os.getpid()


def _raise(kind: Callable[[], BaseException]) -> None:
    raise kind()


@pytest.fixture(params=[Pool, ProcessPoolExecutor])
def any_pool(request: pytest.FixtureRequest) -> Iterator[Any]:
    with request.param(1) as pool:
        yield pool
        assert pool.submit(square, 3).result() == 9
        assert pool.stats()["deaths"] == 0
    request.node.funcargs.pop("any_pool", None)


# ---- that forbid something ----


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    pass


@dataclasses.dataclass(frozen=True)
class FrozenWithField(Exception):
    code: int = 7


class NoAttributes(Exception):
    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class Slots(Exception):
    __slots__ = ()


class NoTraceback(Exception):
    __traceback__ = property(lambda self: None)  # type: ignore[assignment]
    __cause__ = property(lambda self: None)  # type: ignore[assignment]


class Falsy(Exception):
    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0


class Unequal(Exception):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = None  # type: ignore[assignment]


class Hidden(Exception):
    def __getattribute__(self, name: str) -> Any:
        if name in ("__cause__", "__context__", "__traceback__", "__notes__", "__suppress_context__"):
            raise RuntimeError(name)
        return super().__getattribute__(name)


_ODD = [Frozen, NoAttributes, Slots, NoTraceback, Falsy, Unequal]


@pytest.mark.parametrize("kind", [*_ODD, Hidden])
def test_an_odd_exception_arrives_as_itself(any_pool: Any, kind: type[Exception]) -> None:
    future = any_pool.submit(_raise, kind)
    for _ in range(2):
        with pytest.raises(kind) as caught:
            future.result()
    cause = BaseException.__cause__.__get__(caught.value)  # type: ignore[attr-defined]
    assert "in _raise" in str(cause)


@pytest.mark.parametrize("kind", _ODD)
def test_whoever_waits_is_told_of_an_odd_exception(any_pool: Any, kind: type[Exception]) -> None:
    called: list[Any] = []
    future = any_pool.submit(_raise, kind)
    future.add_done_callback(called.append)
    other = any_pool.submit(_raise, kind)
    done, pending = concurrent.futures.wait([future, other])
    assert (done, pending) == ({future, other}, set())
    assert list(concurrent.futures.as_completed([other])) == [other]
    assert type(future.exception()) is kind
    any_pool.submit(square, 1).result()
    assert called == [future]


@pytest.mark.parametrize("kind", _ODD)
def test_an_odd_exception_of_an_item(any_pool: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        list(any_pool.map(_raise, [kind] * 3))


# ---- that cannot be told ----


class _Words(Exception):
    what: Any = None

    def __str__(self) -> str:
        if isinstance(self.what, type):
            raise self.what("no words")
        return self.what  # type: ignore[no-any-return]


class ExitsInStr(_Words):
    what = SystemExit


class InterruptsInStr(_Words):
    what = KeyboardInterrupt


class NumberForStr(_Words):
    what = 5


class Surrogates(_Words):
    what = "\udc80 \x00 x"


class LongWinded(_Words):
    what = "blah" * 1_000_000


class OwnString(_Words):
    class Text(str):
        def __reduce__(self) -> Any:
            raise RuntimeError("no")

    what = Text("mine")


class RecursesInStr(Exception):
    def __str__(self) -> str:
        return str(self)


@pytest.mark.parametrize(
    "kind", [ExitsInStr, InterruptsInStr, NumberForStr, Surrogates, LongWinded, OwnString, RecursesInStr]
)
def test_an_exception_without_a_message_arrives_as_itself(any_pool: Any, kind: type[Exception]) -> None:
    assert type(any_pool.submit(_raise, kind).exception()) is kind


def _raise_deep() -> None:
    error: BaseException | None = None
    for number in range(3000):
        outer = ValueError(number)
        outer.__context__ = error
        error = outer
    assert error is not None
    raise error


def _recurse() -> None:
    _recurse()


class _NoGroup(Exception):
    def __init__(self, text: str, errors: list[Exception]) -> None:
        super().__init__(text)


_Group: Any = getattr(builtins, "ExceptionGroup", _NoGroup)  # since 3.11


def _raise_group() -> None:
    raise _Group("all", [ValueError(1), _Group("inner", [Falsy()])])


class OddSyntax(SyntaxError):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.text: Any = 7
        self.lineno: Any = "x"
        self.filename: Any = object


def _raise_odd_syntax() -> None:
    raise OddSyntax("odd")


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (_raise_deep, ValueError),
        (_recurse, RecursionError),
        (_raise_group, _Group),
        (_raise_odd_syntax, OddSyntax),
    ],
)
def test_an_exception_that_is_hard_to_print(any_pool: Any, function: Any, kind: type[Exception]) -> None:
    error = any_pool.submit(function).exception()
    assert type(error) is kind
    assert error.__cause__ is not None


# ---- that cannot travel ----


class RaisesInReduce(Exception):
    problem: Any = ValueError("I failed to pickle")

    def __reduce__(self) -> Any:
        raise self.problem


class ExitsInReduce(RaisesInReduce):
    problem = SystemExit(3)


class FrozenInReduce(RaisesInReduce):
    problem = Frozen()


class TwoArguments(Exception):
    def __init__(self, first: int = 0, *, second: int) -> None:
        super().__init__("just one")


class NoException(Exception):
    def __reduce__(self) -> Any:
        return int, ("3",)


def _raise_two_arguments() -> None:
    raise TwoArguments(second=2)


def _raise_local() -> None:
    class Local(Exception):
        def __reduce__(self) -> Any:
            raise MemoryError

    raise Local("here")


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (_raise, (RaisesInReduce,), "could not be pickled in the worker: ValueError: I failed to pickle"),
        (_raise, (ExitsInReduce,), "could not be pickled in the worker: SystemExit: 3"),
        (_raise, (FrozenInReduce,), "could not be pickled in the worker: test_p12_exceptions.Frozen"),
        (_raise_two_arguments, (), "but not be unpickled: TypeError"),
        (_raise, (FrozenWithField,), "but not be unpickled: dataclasses.FrozenInstanceError"),
        (_raise, (NoException,), "its pickle is that of no exception"),
        (_raise_local, (), "could not be pickled in the worker: MemoryError"),
    ],
)
def test_a_remote_error_says_what_could_not_be_done(any_pool: Any, function: Any, arguments: Any, words: str) -> None:
    error = any_pool.submit(function, *arguments).exception()
    assert type(error) is RemoteError
    assert words in str(error)
    assert words in error.problem
    assert f"in {function.__name__}" in str(error.__cause__)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)


class OnlyThere(Exception):
    """Can be unpickled in the worker, not in the host."""

    how: Any = LookupError("only there")

    def __reduce__(self) -> Any:
        return _only_there, (type(self),)


class ExitsHere(OnlyThere):
    how = SystemExit(4)


class InterruptsHere(OnlyThere):
    how = KeyboardInterrupt()


def _only_there(kind: type[OnlyThere]) -> OnlyThere:
    if os.getpid() == _HOST:
        raise kind.how
    return kind()


@pytest.mark.parametrize("kind", [OnlyThere, ExitsHere])
def test_an_exception_that_cannot_be_unpickled_here_says_so(any_pool: Any, kind: type[OnlyThere]) -> None:
    error = any_pool.submit(_raise, kind).exception()
    assert type(error) is RemoteError
    assert f"could not be unpickled here: {type(kind.how).__name__}" in str(error)


def test_an_interrupt_that_unpickling_raises_hangs_nobody(any_pool: Any) -> None:
    future = any_pool.submit(_raise, InterruptsHere)
    assert concurrent.futures.wait([future]).done == {future}
    assert type(future.exception()) is RemoteError


class _ExitsWhenPickled:
    def __reduce__(self) -> Any:
        sys.exit(7)


def test_an_argument_whose_pickling_exits_does_not_end_the_caller(any_pool: Any) -> None:
    error = any_pool.submit(square, _ExitsWhenPickled()).exception()
    assert isinstance(error, pickle.PicklingError)
    assert "SystemExit: 7" in str(error)


class _Result:
    def __reduce__(self) -> Any:
        raise Frozen()


def test_a_result_whose_pickling_raises_an_odd_exception(any_pool: Any) -> None:
    assert type(any_pool.submit(_Result).exception()) is Frozen


class _ExitsInHost:
    def __reduce__(self) -> Any:
        return sys.exit, (5,)


def test_a_result_whose_unpickling_exits_does_not_end_the_caller(any_pool: Any) -> None:
    error = any_pool.submit(_ExitsInHost).exception()
    assert isinstance(error, RemoteError)
    assert "SystemExit: 5" in str(error)
    assert isinstance(error, BrokenProcessPool) == isinstance(any_pool, ProcessPoolExecutor)


def _raise_frozen_in_initializer() -> None:
    raise Surrogates


def test_an_odd_exception_in_an_initializer_is_told() -> None:
    with (
        pytest.raises(concurrent.futures.BrokenExecutor, match="Surrogates"),
        Pool(1, initializer=_raise_frozen_in_initializer) as pool,
    ):
        pool.submit(square, 1).result()


class HangsInStr(Exception):
    def __str__(self) -> str:
        while True:
            pass


class HangsInReduce(Exception):
    def __reduce__(self) -> Any:
        while True:
            pass


@pytest.mark.parametrize("kind", [HangsInStr, HangsInReduce])
def test_an_exception_that_hangs_is_ended_by_the_deadline_of_its_task(kind: type[Exception]) -> None:
    with Pool(1) as pool:
        error = pool.with_options(timeout=0.3).submit(_raise, kind).exception()
        assert isinstance(error, TaskTimeout)
        assert pool.submit(square, 3).result() == 9


class DiesInReduce(Exception):
    def __reduce__(self) -> Any:
        os._exit(5)


def test_an_exception_whose_pickling_ends_the_worker_is_a_death() -> None:
    with Pool(1) as pool:
        error = pool.submit(_raise, DiesInReduce).exception()
        assert isinstance(error, WorkerDied)
        assert error.exitcode == 5


def _raise_with_note() -> None:
    error = ValueError("noted")
    error.more = {"deep": [1, 2]}  # type: ignore[attr-defined]
    error.__notes__ = ["a note"]
    raise error from KeyError("cause")


def test_attributes_and_notes_arrive(any_pool: Any) -> None:
    error = any_pool.submit(_raise_with_note).exception()
    assert (error.more, error.__notes__) == ({"deep": [1, 2]}, ["a note"])
    assert "KeyError" in str(error.__cause__)


def _raise_any(size: int) -> None:
    raise ValueError(b"x" * size)


@pytest.mark.parametrize("size", [10, 300_000, 3_000_000])
def test_large_exceptions_arrive(any_pool: Any, size: int) -> None:
    error = any_pool.submit(_raise_any, size).exception()
    assert error.args == (b"x" * size,)


def test_odd_exceptions_of_items_that_are_told_one_by_one(pool: Pool) -> None:
    outcomes = list(pool.map(_raise, [Frozen, RaisesInReduce, Falsy], return_exceptions=True))
    assert [type(outcome) for outcome in outcomes] == [Frozen, RemoteError, Falsy]


@pytest.mark.parametrize("kind", [Frozen, RaisesInReduce, OnlyThere])
def test_a_retry_policy_is_asked_about_odd_exceptions(pool: Pool, kind: type[Exception]) -> None:
    asked: list[Failure] = []
    policy = Retries(attempts=2, on=("exception",), when=lambda failure: asked.append(failure) is None)
    error = pool.with_options(retries=policy).submit(_raise, kind).exception()
    assert [type(failure.error) for failure in asked] == [type(error)]

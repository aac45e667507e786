"""Whatever is handed in: a clear error at the call or on that future alone, nothing lost, and the pool
goes on."""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hotspare
import pytest
from hotspare import Pool, ProcessPoolExecutor, RemoteError, Tag, WorkerDied, _describe
from python_tasks import same, square


@pytest.fixture(params=[Pool, ProcessPoolExecutor])
def any_pool(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Either class, with healthy tasks before and after those of the test."""
    with request.param(2) as pool:
        healthy = [pool.submit(square, x) for x in range(20)]
        yield pool
        healthy += [pool.submit(square, x) for x in range(20, 40)]
        assert [future.result() for future in healthy] == [x * x for x in range(40)]
    request.node.funcargs.pop("any_pool", None)


class Reduced:
    """Unpickles by a call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.how = function, args

    def __reduce__(self) -> Any:
        return self.how


class ReduceRaises:
    def __reduce__(self) -> Any:
        raise KeyError("in __reduce__")


class ReduceGivesNonsense:
    def __reduce__(self) -> Any:
        return 17


class ReduceExits:
    def __reduce__(self) -> Any:
        raise SystemExit(5)


class ReduceRecurses:
    def __reduce__(self) -> Any:
        return same, (ReduceRecurses(),)


class StateRaises:
    def __init__(self) -> None:
        self.x = 1

    def __setstate__(self, state: object) -> None:
        raise ValueError("in __setstate__")


def _fail_unpickling() -> None:
    raise ValueError("while it was unpickled")


def _exit_unpickling() -> None:
    raise SystemExit(3)


def _in_host_only(pid: int, function: Callable[..., object], *args: object) -> object:
    """For results: harmless in the worker, harmful in the host."""
    return function(*args) if os.getpid() == pid else None


def _make(kind: Any, *args: Any) -> Any:
    return kind(*args)


def _lock() -> Any:
    return threading.Lock()


# ---- arguments ----


@pytest.mark.parametrize(
    "make",
    [
        _lock,
        ReduceRaises,
        ReduceGivesNonsense,
        ReduceRecurses,
        ReduceExits,
    ],
)
def test_an_argument_that_cannot_be_pickled_fails_its_own_future(any_pool: Any, make: Callable[[], Any]) -> None:
    error = any_pool.submit(same, make()).exception()
    assert error is not None
    assert not isinstance(error, WorkerDied)


def test_the_error_of_an_argument_is_the_one_of_pickle(any_pool: Any) -> None:
    with pytest.raises(TypeError, match="lock"):
        any_pool.submit(same, threading.Lock()).result()
    with pytest.raises(KeyError, match="in __reduce__"):
        any_pool.submit(same, ReduceRaises()).result()


def test_an_argument_whose_unpickling_raises_fails_its_own_future(any_pool: Any) -> None:
    error = any_pool.submit(same, Reduced(_fail_unpickling)).exception()
    assert isinstance(error, ValueError)
    assert "while it was unpickled" in str(error)


def test_an_argument_whose_setstate_raises_fails_its_own_future(any_pool: Any) -> None:
    error = any_pool.submit(same, StateRaises()).exception()
    assert isinstance(error, ValueError)


def test_an_argument_whose_unpickling_raises_system_exit_fails_its_own_future(any_pool: Any) -> None:
    error = any_pool.submit(same, Reduced(_exit_unpickling)).exception()
    assert isinstance(error, (SystemExit, RemoteError))


@pytest.mark.parametrize(
    ("how", "cause"),
    [((os._exit, 3), "exited"), ((os.abort,), "signal"), ((ctypes.string_at, 0), "signal")],
)
def test_an_argument_whose_unpickling_kills_the_worker_is_a_death(
    any_pool: Any, how: tuple[Any, ...], cause: str
) -> None:
    error = any_pool.submit(same, Reduced(*how)).exception()
    assert isinstance(error, WorkerDied)
    assert error.cause == cause


def test_an_argument_whose_unpickling_never_ends_meets_its_deadline(pool: Pool) -> None:
    from python_tasks import spin_for_ever

    error = pool.with_options(timeout=0.2).submit(same, Reduced(spin_for_ever)).exception()
    assert isinstance(error, hotspare.TaskTimeout)
    assert pool.submit(square, 3).result() == 9


def test_a_function_that_no_worker_can_find_fails_its_own_future() -> None:
    import types

    module = types.ModuleType("module_of_the_host_only")
    exec("def function(x):\n    return x", module.__dict__)
    import sys

    with Pool(1, start="spawn") as pool:
        sys.modules[module.__name__] = module
        try:
            error = pool.submit(module.function, 1).exception()
            assert error is None or "module_of_the_host_only" in str(error)
        finally:
            del sys.modules[module.__name__]
        assert pool.submit(square, 3).result() == 9


@pytest.mark.parametrize("function", [None, 17, "text"])
def test_a_function_that_is_none_fails_its_own_future_or_the_call(any_pool: Any, function: Any) -> None:
    with pytest.raises(TypeError, match="callable"):
        any_pool.submit(function, 1).result()


def test_arguments_that_do_not_fit_fail_their_own_future(any_pool: Any) -> None:
    with pytest.raises(TypeError, match="square"):
        any_pool.submit(square, 1, 2, 3).result()


def test_submit_without_a_function_is_a_type_error(any_pool: Any) -> None:
    with pytest.raises(TypeError):
        any_pool.submit()


def test_an_unpicklable_item_of_a_map_raises_in_its_place(any_pool: Any) -> None:
    with pytest.raises(TypeError, match="lock"):
        list(any_pool.map(same, [threading.Lock()]))


def test_an_unpicklable_item_is_given_in_its_place(pool: Pool) -> None:
    results = list(pool.map(same, [1, threading.Lock(), 3], return_exceptions=True))
    assert results[0] == 1
    assert isinstance(results[1], TypeError)
    assert results[2] == 3


def test_a_map_over_no_iterable_is_a_type_error(any_pool: Any) -> None:
    with pytest.raises(TypeError):
        any_pool.map(square, 17)


# ---- results ----


@pytest.mark.parametrize("kind", [_lock, ReduceRaises, ReduceGivesNonsense, ReduceRecurses, ReduceExits])
def test_a_result_that_cannot_be_pickled_fails_its_own_future(any_pool: Any, kind: Callable[[], Any]) -> None:
    error = any_pool.submit(_make, kind).exception()
    assert error is not None
    assert not isinstance(error, WorkerDied)


def test_a_result_whose_unpickling_raises_fails_its_own_future(any_pool: Any) -> None:
    error = any_pool.submit(_make, Reduced, _in_host_only, os.getpid(), _fail_unpickling).exception()
    assert isinstance(error, ValueError)


def test_a_result_whose_unpickling_exits_fails_its_own_future(any_pool: Any) -> None:
    error = any_pool.submit(_make, Reduced, _in_host_only, os.getpid(), _exit_unpickling).exception()
    assert isinstance(error, RemoteError)
    assert "SystemExit" in str(error)


def test_a_bad_result_does_not_stop_those_that_wait_by_callback(any_pool: Any) -> None:
    futures = [any_pool.submit(_make, Reduced, _in_host_only, os.getpid(), _exit_unpickling) for _ in range(5)]
    good = [any_pool.submit(square, x) for x in range(5)]
    done, not_done = hotspare_wait(futures + good)
    assert not not_done
    assert len(done) == 10
    assert [future.result() for future in good] == [0, 1, 4, 9, 16]


def hotspare_wait(futures: list[Any]) -> tuple[set[Any], set[Any]]:
    from concurrent.futures import wait

    done, not_done = wait(futures)
    return done, not_done


def test_a_bad_result_in_a_map_raises_in_its_place(any_pool: Any) -> None:
    results = any_pool.map(_bad_at_two, range(4), [os.getpid()] * 4)
    with pytest.raises((ValueError, RemoteError)):
        list(results)


def _bad_at_two(x: int, pid: int) -> Any:
    return Reduced(_in_host_only, pid, _fail_unpickling) if x == 2 else x


# ---- exceptions ----


class TwoArguments(Exception):
    """Pickles, but cannot be made from its args."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class HoldsALock(Exception):
    def __init__(self) -> None:
        super().__init__("held")
        self.lock = threading.Lock()


class StrRaises(Exception):
    def __str__(self) -> str:
        raise ValueError("in __str__")


class BadInHost(Exception):
    def __init__(self, pid: int, function: Any) -> None:
        super().__init__("bad in the host")
        self.how = pid, function

    def __reduce__(self) -> Any:
        return _in_host_only, (self.how[0], self.how[1])


class ReprRaises(Exception):
    def __repr__(self) -> str:
        raise ValueError("in __repr__")


def _raise(kind: Any, *args: Any) -> None:
    raise kind(*args)


def test_an_exception_that_cannot_be_unpickled_is_a_remote_error(any_pool: Any) -> None:
    error = any_pool.submit(_raise, TwoArguments, 1, 2).exception()
    assert isinstance(error, RemoteError)
    assert error.type_name.endswith("TwoArguments")
    assert error.message == "1 and 2"
    assert "raise kind(*args)" in error.traceback


def test_an_exception_that_cannot_be_pickled_is_a_remote_error(any_pool: Any) -> None:
    error = any_pool.submit(_raise, HoldsALock).exception()
    assert isinstance(error, RemoteError)
    assert error.type_name.endswith("HoldsALock")


def test_an_exception_whose_text_raises_arrives(any_pool: Any) -> None:
    assert isinstance(any_pool.submit(_raise, StrRaises).exception(), (StrRaises, RemoteError))
    assert isinstance(any_pool.submit(_raise, ReprRaises).exception(), (ReprRaises, RemoteError))


@pytest.mark.parametrize("function", [_fail_unpickling, dict])
def test_an_exception_that_unpickles_only_in_the_worker_is_a_remote_error(any_pool: Any, function: Any) -> None:
    error = any_pool.submit(_raise, BadInHost, os.getpid(), function).exception()
    assert isinstance(error, RemoteError)
    assert "bad in the host" in str(error)


def test_an_exception_that_exits_when_unpickled_does_not_end_the_host(any_pool: Any) -> None:
    error = any_pool.submit(_raise, BadInHost, os.getpid(), _exit_unpickling).exception()
    assert isinstance(error, RemoteError)


def test_a_remote_error_pickles(any_pool: Any) -> None:
    import pickle

    error = any_pool.submit(_raise, HoldsALock).exception()
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.args) == (type(error), error.args)


def test_a_class_that_is_no_exception_cannot_be_raised(any_pool: Any) -> None:
    assert isinstance(any_pool.submit(_raise, dict).exception(), TypeError)


def test_an_exception_group_arrives(any_pool: Any) -> None:
    group = getattr(__builtins__, "ExceptionGroup", None) or __import__("builtins").__dict__.get("ExceptionGroup")
    if group is None:
        pytest.skip("no exception groups in this Python")
    error = any_pool.submit(_raise, group, "many", [ValueError(1), KeyError(2)]).exception()
    assert [type(each) for each in error.exceptions] == [ValueError, KeyError]


def test_an_exception_with_a_huge_message_arrives(any_pool: Any) -> None:
    error = any_pool.submit(_raise, ValueError, "x" * 5_000_000).exception()
    assert isinstance(error, (ValueError, RemoteError))
    assert len(str(error)) == 5_000_000


def test_text_that_is_no_unicode_arrives(any_pool: Any) -> None:
    error = any_pool.submit(_raise, ValueError, "lone \udc80 surrogate").exception()
    assert error is not None
    assert "surrogate" in str(error)


# ---- options ----

_WRONG: list[tuple[str, Any]] = [
    ("workers", 0),
    ("workers", -1),
    ("workers", 1.5),
    ("workers", "2"),
    ("workers", True),
    ("workers", 10**30),
    ("workers", 1_000_000),
    ("spares", -1),
    ("spares", 0.5),
    ("spares", None),
    ("spares", 10**30),
    ("start", "frok"),
    ("start", 3),
    ("initializer", 5),
    ("initargs", 5),
    ("preload", "numpy"),
    ("preload", [1]),
    ("preload", 7),
    ("tasks_per_worker", 0),
    ("tasks_per_worker", 1.5),
    ("tasks_per_worker", 10**30),
    ("queue_limit", 0),
    ("queue_limit", "many"),
    ("queue_limit", 10**30),
    ("payload_limit", 0),
    ("payload_limit", 1e9),
    ("payload_limit", 10**30),
    ("when_full", "explode"),
    ("when_full", None),
    ("when_full", ["wait"]),
    ("on_event", 3),
    ("name", "\ud800"),
    ("tags", {"\ud800": Tag()}),
    ("no_such_option", 1),
]


def _cases(wrong: list[tuple[str, Any]]) -> list[Any]:
    return [pytest.param(name, value, id=f"{name}={value!r}") for name, value in wrong]


@pytest.mark.parametrize(("name", "value"), _cases(_WRONG))
def test_a_wrong_option_is_refused_at_the_call(name: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        Pool(**{name: value})


_WRONG_DROP_IN: list[tuple[str, Any]] = [
    ("max_workers", 0),
    ("max_workers", 1.5),
    ("max_workers", 10**30),
    ("mp_context", 5),
    ("mp_context", "no_such_method"),
    ("initializer", 5),
    ("max_tasks_per_child", 0),
    ("max_tasks_per_child", 1.5),
    ("spares", -1),
    ("spares", "one"),
    ("preload", "numpy"),
    ("preload", [None]),
    ("on_event", 3),
    ("name", "\ud800"),
    ("no_such_option", 1),
]


@pytest.mark.parametrize(("name", "value"), _cases(_WRONG_DROP_IN))
def test_a_wrong_option_of_the_drop_in_is_refused_at_the_call(name: str, value: Any) -> None:
    with pytest.raises((TypeError, ValueError, AttributeError)):
        ProcessPoolExecutor(**{name: value})


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": -1}, "timeout"),
        ({"timeout": "1"}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"memory_limit": 0}, "memory_limit"),
        ({"memory_limit": 1e9}, "memory_limit"),
        ({"memory_limit": -5}, "memory_limit"),
        ({"memory_limit": 10**30}, "memory_limit"),
        ({"name": 5}, "name"),
        ({"name": "\udcff"}, "name must be text"),
        ({"key": "\ud800"}, "key must be text"),
        ({"retries": "3"}, "retries"),
    ],
    ids=str,
)
def test_a_wrong_option_of_a_task_is_refused_at_the_call(pool: Pool, options: dict[str, Any], name: str) -> None:
    with pytest.raises((TypeError, ValueError), match=name):
        pool.with_options(**options)


@pytest.mark.parametrize(
    "timeout",
    [
        float("inf"),
        1e300,
        1e12,
        1e9,
    ],
)
def test_a_deadline_that_never_comes_is_none(pool: Pool, timeout: float) -> None:
    assert pool.with_options(timeout=timeout).submit(time.sleep, 0.3).result() is None


@pytest.mark.parametrize("timeout", [1e300, float("inf"), 1e12])
def test_a_wait_that_is_too_long_for_a_clock_still_waits(pool: Pool, timeout: float) -> None:
    assert pool.submit(square, 3).result(timeout=timeout) == 9


def test_a_negative_wait_is_no_wait(pool: Pool) -> None:
    future = pool.submit(square, 3)
    try:
        assert future.result(timeout=-5) == 9
    except TimeoutError:
        assert future.result() == 9


@pytest.mark.parametrize("workers", [0, -1, 1.5, "2", None, 10**30, 100_000])
def test_a_wrong_size_is_refused_at_the_call(pool: Pool, workers: Any) -> None:
    pool.submit(square, 1).result()
    with pytest.raises((TypeError, ValueError), match="workers"):
        pool.resize(workers)
    assert pool.submit(square, 3).result() == 9


@pytest.mark.parametrize("chunksize", [0, -1])
def test_a_wrong_chunksize_is_refused_at_the_call(chunksize: int) -> None:
    with ProcessPoolExecutor(1) as executor, pytest.raises(ValueError, match="chunksize"):
        executor.map(square, [1], chunksize=chunksize)


@pytest.mark.parametrize("chunksize", [1.5, "2"])
def test_a_chunksize_that_is_no_integer_is_a_type_error(chunksize: Any) -> None:
    with ProcessPoolExecutor(1) as executor, pytest.raises(TypeError):
        list(executor.map(square, [1, 2, 3], chunksize=chunksize))


def test_initargs_that_cannot_be_pickled_raise_at_the_first_submit() -> None:
    with Pool(1, start="spawn", initializer=same, initargs=(threading.Lock(),)) as pool:
        for _ in range(2):
            with pytest.raises(TypeError, match="lock"):
                pool.submit(square, 1)


# ---- size ----


def test_deeply_nested_data_fails_its_own_future_or_arrives(any_pool: Any) -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    error = any_pool.submit(len, nested).exception()
    assert error is None or isinstance(error, (RecursionError, MemoryError))
    while nested:
        nested = nested.pop()


def test_an_argument_that_refers_to_itself_arrives(any_pool: Any) -> None:
    loop: list[Any] = []
    loop.append(loop)
    back = any_pool.submit(same, loop).result()
    assert back[0] is back


def test_ten_thousand_arguments_arrive(any_pool: Any) -> None:
    assert any_pool.submit(max, *range(10_000)).result() == 9_999


@pytest.mark.slow
def test_a_string_larger_than_4_gib_goes_there_and_back() -> None:
    size = (4 << 30) + 17
    with open("/proc/meminfo") as file:
        available = int(next(line for line in file if line.startswith("MemAvailable")).split()[1]) << 10
    if available < 8 * size:
        pytest.skip("not enough memory")
    with Pool(1, payload_limit=3 * size) as pool:
        assert pool.submit(len, "x" * size).result() == size


@pytest.mark.parametrize("path", ["\udcff", b"\xff", "a\0b"])
def test_a_journal_whose_name_cannot_be_carried_is_refused(pool: Pool, tmp_path: Path, path: Any) -> None:
    whole = os.fsencode(tmp_path) + b"/" + os.fsencode(path)
    for each in (whole, os.fsdecode(whole)):
        with pytest.raises(ValueError, match="the journal's path"):
            pool.batch(each)
        with pytest.raises(ValueError, match="the journal's path"):
            hotspare.recover_journal(each)


def _tell(note: str) -> None:
    hotspare.progress(1, 2, note)


def test_a_note_that_is_no_unicode_is_told(pool: Pool) -> None:
    pool.submit(_tell, "name\udcff").result()


# ---- what a worker tells of an exception is damaged ----


class Damaged:
    """Unpickles nowhere."""

    def __reduce__(self) -> Any:
        return pickle.loads, (b"garbage!",)


_ODD = 150
"""By then many items travel together."""


def _damage(x: int) -> int:
    """What is told of its exception cannot be read."""
    if x == _ODD:
        _describe.describe = lambda _error: Damaged()
        raise ValueError(x)
    return x


def _damage_and_die(x: int) -> int:
    if x == _ODD + 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return _damage(x)


def test_a_damaged_exception_is_its_items_failure(pool: Pool) -> None:
    each = [
        type(x) if isinstance(x, BaseException) else x for x in pool.map(_damage, range(200), return_exceptions=True)
    ]
    assert each == [*range(_ODD), pickle.UnpicklingError, *range(_ODD + 1, 200)]
    assert list(pool.map(square, range(3))) == [0, 1, 4]


def test_so_it_is_of_one_behind_which_another_died(pool: Pool) -> None:
    run = pool.map(_damage_and_die, range(200), return_exceptions=True)
    each = [type(x) if isinstance(x, BaseException) else x for x in run]
    assert each == [*range(_ODD), pickle.UnpicklingError, WorkerDied, *range(_ODD + 2, 200)]
    assert list(pool.map(square, range(3))) == [0, 1, 4]

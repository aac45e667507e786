"""P12. Details of the drop-in, and of the native class, that CPython's own suite (tests/conformance)
does not look at."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import itertools
import multiprocessing as mp
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Executor, as_completed, wait
from concurrent.futures.process import BrokenProcessPool, _RemoteTraceback  # type: ignore[attr-defined]
from pathlib import Path
from typing import Any

import hotspare
import pytest
from conftest import wait_for_end
from hotspare import Event, Pool, ProcessPoolExecutor, TaskTimeout, WorkerDied
from python_tasks import Fifo, kill_self, meet, note, raise_value_error, same, spin_for_ever, square


@pytest.fixture
def executor(request: pytest.FixtureRequest) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2) as executor:
        yield executor
    request.node.funcargs.pop("executor", None)


# ---- what code written for the standard class relies on ----


def test_it_is_an_executor(executor: ProcessPoolExecutor) -> None:
    assert isinstance(executor, Executor)
    assert executor._max_workers == 2


def test_its_futures_are_futures(executor: ProcessPoolExecutor) -> None:
    assert isinstance(executor.submit(square, 2), concurrent.futures.Future)


def test_the_cause_of_an_exception_is_the_workers_traceback(executor: ProcessPoolExecutor) -> None:
    error = executor.submit(raise_value_error, "x").exception()
    assert error is not None
    assert type(error.__cause__) is _RemoteTraceback
    assert "raise ValueError(text)" in str(error.__cause__)


def _raise_from() -> None:
    try:
        raise_value_error("inner")
    except ValueError as inner:
        raise KeyError("outer") from inner


def test_a_chain_of_exceptions_is_in_the_cause(executor: ProcessPoolExecutor) -> None:
    error = executor.submit(_raise_from).exception()
    assert isinstance(error, KeyError)
    assert "ValueError: inner" in str(error.__cause__)
    assert "direct cause" in str(error.__cause__)


def test_a_death_is_caught_by_except_broken_process_pool(executor: ProcessPoolExecutor) -> None:
    with pytest.raises(BrokenProcessPool):
        executor.submit(kill_self).result()


def test_keywords_named_self_and_fn_pass_through(executor: ProcessPoolExecutor) -> None:
    assert executor.submit(dict, self=1, fn=2, args=3, kwargs=4).result() == {
        "self": 1,
        "fn": 2,
        "args": 3,
        "kwargs": 4,
    }


def test_result_with_a_timeout_raises_timeout_error(executor: ProcessPoolExecutor, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    future = executor.submit(meet, begun, go_on, "late")
    begun.hear()
    with pytest.raises(concurrent.futures.TimeoutError):
        future.result(timeout=0.01)
    with pytest.raises(concurrent.futures.TimeoutError):
        future.exception(timeout=0)
    go_on.tell()
    assert future.result() == "late"


@pytest.mark.parametrize("kind", [Pool, ProcessPoolExecutor])
def test_map_with_a_timeout_raises_timeout_error(kind: Any, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with kind(1) as pool:
        pool.submit(square, 1).result()  # there is a worker, so that it begins before the time is over
        results = pool.map(meet, [begun], [go_on], timeout=0.05)
        thread = threading.Thread(target=lambda: (begun.hear(), go_on.tell()))
        with pytest.raises(concurrent.futures.TimeoutError):
            next(results)
        thread.start()
        thread.join()


def test_a_tasks_own_timeout_error_is_its_own(executor: ProcessPoolExecutor) -> None:
    error = executor.submit(_raise_timeout).exception()
    assert type(error) is TimeoutError
    assert error.args == ("mine",)


def _raise_timeout() -> None:
    raise TimeoutError("mine")


def test_wait_returns_at_the_first_exception(executor: ProcessPoolExecutor, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    running = executor.submit(meet, begun, go_on)
    begun.hear()
    dying = executor.submit(kill_self)
    done, pending = wait([running, dying], return_when=FIRST_EXCEPTION)
    assert done == {dying}
    assert pending == {running}
    go_on.tell()


def test_futures_of_two_pools_wait_together(executor: ProcessPoolExecutor, pool: Pool) -> None:
    futures = [executor.submit(square, 2), pool.submit(square, 3)]
    assert {future.result() for future in as_completed(futures)} == {4, 9}


@pytest.mark.parametrize("kind", [Pool, ProcessPoolExecutor])
def test_submit_after_shutdown_is_refused(kind: Any) -> None:
    pool = kind(1)
    pool.submit(square, 1).result()
    pool.shutdown()
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(square, 1)
    with pytest.raises(RuntimeError):
        pool.map(square, [1])


@pytest.mark.parametrize("kind", [Pool, ProcessPoolExecutor])
def test_submit_after_shutdown_of_an_unused_pool_is_refused(kind: Any) -> None:
    pool = kind(1)
    pool.shutdown()
    with pytest.raises(RuntimeError):
        pool.submit(square, 1)


def test_map_stops_at_the_shortest_and_takes_many_iterables(executor: ProcessPoolExecutor) -> None:
    assert list(executor.map(pow, [2, 3, 4], itertools.count(1))) == [2, 9, 64]


def test_map_runs_whether_somebody_reads_or_not(executor: ProcessPoolExecutor, tmp_path: Any) -> None:
    from python_tasks import note_and_return

    ledger = str(tmp_path / "ledger")
    executor.map(functools.partial(note_and_return, ledger), range(40))
    executor.shutdown()
    with open(ledger) as file:
        assert sorted(map(int, file)) == list(range(40))


def test_map_in_the_drop_in_raises_in_order(executor: ProcessPoolExecutor) -> None:
    results = executor.map(_raise_at_three, range(6), chunksize=1)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert list(results) == []


def _raise_at_three(x: int) -> int:
    if x == 3:
        raise_value_error("three")
    return x


def _note_and_die_at(ledger: str, guilty: int, x: int) -> int:
    note(ledger, x)
    if x == guilty:
        kill_self()
    return x


def _noted(ledger: Path) -> list[int]:
    return sorted(map(int, ledger.read_text().split()))


def test_of_a_chunk_whose_worker_dies_only_the_guilty_item_is_lost(
    executor: ProcessPoolExecutor, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger"
    results = executor.map(functools.partial(_note_and_die_at, str(ledger), 7), range(10), chunksize=5)
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(BrokenProcessPool) as caught:
        next(results)
    assert isinstance(caught.value, WorkerDied)
    assert list(results) == []
    assert executor.submit(square, 3).result() == 9
    executor.shutdown()
    noted = _noted(ledger)
    assert noted[:8] == list(range(8)), "each once"
    assert len(noted) == len(set(noted)), "closing has cancelled those behind, if they had not begun"


def _note_die_or_tell(ledger: str, end: Fifo, x: int) -> int:
    _note_and_die_at(ledger, 2, x)
    if x == 9:
        end.tell()
    return x


def test_those_behind_the_guilty_item_of_a_chunk_run_whether_somebody_reads_or_not(
    executor: ProcessPoolExecutor, tmp_path: Path, fifo: Callable[[], Fifo]
) -> None:
    ledger, end = tmp_path / "ledger", fifo()
    results = executor.map(functools.partial(_note_die_or_tell, str(ledger), end), range(10), chunksize=10)
    end.hear()
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(BrokenProcessPool):
        next(results)
    executor.shutdown()
    assert _noted(ledger) == list(range(10))


@pytest.mark.parametrize("chunksize", [1, 3, 40, None])
def test_items_that_die_one_after_the_other(
    executor: ProcessPoolExecutor, tmp_path: Path, chunksize: int | None
) -> None:
    ledger = tmp_path / "ledger"
    for guilty in (0, 1, 38, 39):
        ledger.unlink(missing_ok=True)
        f = functools.partial(_note_and_die_at, str(ledger), guilty)
        results = executor.map(f, range(40), chunksize=chunksize)
        assert list(itertools.islice(results, guilty)) == list(range(guilty))
        with pytest.raises(BrokenProcessPool):
            next(results)
    assert executor.submit(square, 3).result() == 9


class _KillsItsReader:
    def __reduce__(self) -> Any:
        return kill_self, ()


def test_an_item_that_cannot_even_be_read_is_the_only_one_that_is_lost(executor: ProcessPoolExecutor) -> None:
    results = executor.map(same, [1, 2, _KillsItsReader(), 4], chunksize=4)
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(BrokenProcessPool):
        next(results)


def test_a_chunk_ends_at_an_item_that_raises(executor: ProcessPoolExecutor, tmp_path: Path) -> None:
    """As in the standard class; but what was before it is not lost."""
    ledger = tmp_path / "ledger"
    results = executor.map(functools.partial(_note_and_raise_at_three, str(ledger)), range(6), chunksize=6)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert _noted(ledger) == [0, 1, 2, 3]


def _note_and_raise_at_three(ledger: str, x: int) -> int:
    note(ledger, x)
    return _raise_at_three(x)


# ---- asyncio ----


def test_run_in_executor(executor: ProcessPoolExecutor) -> None:
    async def main() -> list[int]:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(executor, square, x) for x in range(50)))

    assert asyncio.run(main()) == [x * x for x in range(50)]


def test_run_in_executor_survives_a_death(executor: ProcessPoolExecutor) -> None:
    async def main() -> list[Any]:
        loop = asyncio.get_running_loop()
        tasks = [loop.run_in_executor(executor, square, 5), loop.run_in_executor(executor, kill_self)]
        return await asyncio.gather(*tasks, return_exceptions=True)

    value, error = asyncio.run(main())
    assert value == 25
    assert isinstance(error, BrokenProcessPool)


def test_futures_can_be_awaited() -> None:
    async def main() -> list[Any]:
        async with Pool(2) as pool:
            value = await pool.submit(square, 7)
            error = (await asyncio.gather(pool.submit(kill_self), return_exceptions=True))[0]
            with pytest.raises(ValueError, match="awaited"):
                await pool.submit(raise_value_error, "awaited")
            return [value, error]

    value, error = asyncio.run(main())
    assert value == 49
    assert isinstance(error, WorkerDied)


def test_a_cancelled_await_cancels_the_task(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()

    async def main(pool: Pool) -> None:
        pool.submit(meet, begun, go_on)
        begun.hear()
        for _ in range(30):
            pool.submit(square, 1)
        last = pool.submit(square, 2)
        waiter = asyncio.ensure_future(last)  # type: ignore[arg-type]
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        assert last.cancelled()

    with Pool(1) as pool:
        try:
            asyncio.run(main(pool))
        finally:
            go_on.tell()


def test_asyncio_timeouts_leave_the_pool_alone(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()

    async def main() -> int:
        running = pool.submit(meet, begun, go_on)
        begun.hear()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(running), 0.05)
        return await pool.submit(square, 3)

    try:
        assert asyncio.run(main()) == 9
    finally:
        go_on.tell()


# ---- contexts, locks, queues ----

_shared: dict[str, Any] = {}


def _take(**things: Any) -> None:
    _shared.update(things)


def _take_positional(lock: Any, queue: Any, event: Any, value: Any) -> None:
    _take(lock=lock, queue=queue, event=event, value=value)


def _use_shared(x: int) -> int:
    _shared["event"].wait()
    with _shared["lock"]:
        _shared["value"].value += x
    _shared["queue"].put(x)
    return x


def _add_under_lock(x: int) -> None:
    with _shared["lock"]:
        _shared["value"].value += x


@pytest.mark.parametrize("kind", ["native", "drop-in"])
def test_locks_queues_and_events_in_initargs(start: str, kind: str) -> None:
    context = mp.get_context(start)
    queue, event, value = context.Queue(), context.Event(), context.Value("i", 0)
    initargs = (context.Lock(), queue, event, value)
    pool: Any
    if kind == "native":
        pool = Pool(2, start=start, initializer=_take_positional, initargs=initargs)
    else:
        pool = ProcessPoolExecutor(2, context, _take_positional, initargs)
    with pool:
        futures = [pool.submit(_use_shared, x) for x in range(20)]
        event.set()
        assert sum(future.result() for future in futures) == 190
        assert sorted(queue.get() for _ in range(20)) == list(range(20))
        assert value.value == 190
    queue.close()
    queue.join_thread()


def test_a_lock_in_initargs_still_works_after_deaths(start: str) -> None:
    context = mp.get_context(start)
    value = context.Value("i", 0)
    initargs = (context.Lock(), None, None, value)
    with Pool(1, start=start, initializer=_take_positional, initargs=initargs) as pool:
        for x in range(4):
            assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
            pool.submit(_add_under_lock, x).result()
    assert value.value == 0 + 1 + 2 + 3


def test_a_fork_sees_what_was_set_before_the_first_submit() -> None:
    with Pool(1, start="fork") as pool:
        _shared["early"] = 17
        assert pool.submit(_get_shared, "early").result() == 17


def _get_shared(name: str) -> Any:
    return _shared.get(name)


def test_a_spawned_worker_sees_nothing_of_the_hosts_globals() -> None:
    _shared["early"] = 18
    with Pool(1, start="spawn") as pool:
        assert pool.submit(_get_shared, "early").result() is None


def _parent_and_name() -> tuple[int, str]:
    parent = mp.parent_process()
    assert parent is not None
    return parent.pid or 0, mp.current_process().name


def test_a_worker_is_a_child_process_of_multiprocessing(start: str) -> None:
    with Pool(1, start=start) as pool:
        parent, name = pool.submit(_parent_and_name).result()
    assert parent == os.getpid()
    assert "Process-" in name


def test_preload_is_there_before_the_first_task(start: str) -> None:
    with Pool(1, start=start, preload=["wave", "colorsys"]) as pool:
        assert pool.submit(_is_loaded, "wave", "colorsys").result()


def _is_loaded(*names: str) -> bool:
    return all(name in sys.modules for name in names)


def test_max_tasks_per_child_renews_the_worker() -> None:
    with ProcessPoolExecutor(1, max_tasks_per_child=2) as executor:
        pids = [executor.submit(os.getpid).result() for _ in range(6)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4] == pids[5]


# ---- nested, forked ----


def _in_a_pool_of_its_own(x: int) -> int:
    with ProcessPoolExecutor(1) as inner:
        try:
            inner.submit(kill_self).result()
        except BrokenProcessPool:
            return inner.submit(square, x).result()
    raise AssertionError


def test_pools_nest(start: str) -> None:
    with Pool(1, start=start) as pool:
        assert pool.submit(_in_a_pool_of_its_own, 6).result() == 36


def test_a_worker_that_dies_takes_its_nested_pool_along() -> None:
    with Pool(1) as pool:
        inner = pool.submit(_leave_a_pool_open).result()
        (worker,) = {pool.submit(os.getpid).result()}
        os.kill(worker, signal.SIGKILL)
        wait_for_end(inner)


_inner: list[Pool] = []


def _leave_a_pool_open() -> int:
    _inner.append(Pool(1))
    return _inner[0].submit(os.getpid).result()


def _in_fork(action: Callable[[], object]) -> str:
    """What happens in a fork of this process, as the name of the exception."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            outcome = repr(action())
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
        os.write(tell, outcome.encode())
        os._exit(0)
    os.close(tell)
    with os.fdopen(told) as end:
        outcome = end.read()
    os.waitpid(pid, 0)
    return outcome


@pytest.mark.parametrize("kind", [Pool, ProcessPoolExecutor])
def test_use_in_a_fork_raises_clearly(kind: Any) -> None:
    with kind(1) as pool:
        future = pool.submit(square, 3)
        pool.submit(square, 3).result()
        assert "fork" in _in_fork(lambda: pool.submit(square, 2))
        assert "fork" in _in_fork(lambda: list(pool.map(square, [2])))
        assert pool.submit(square, 4).result() == 16
        assert future.result() == 9


def test_waiting_in_a_fork_raises_clearly(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with Pool(1) as pool:
        future = pool.submit(meet, begun, go_on, 5)
        begun.hear()
        assert "fork" in _in_fork(lambda: future.result())
        go_on.tell()
        assert future.result() == 5


def test_shutdown_in_a_fork_harms_nobody(pool: Pool) -> None:
    assert pool.submit(square, 3).result() == 9
    assert _in_fork(lambda: pool.shutdown()) == "None"
    assert pool.submit(square, 4).result() == 16


def test_a_fork_may_have_a_pool_of_its_own(pool: Pool) -> None:
    assert pool.submit(square, 3).result() == 9
    assert _in_fork(_a_pool_of_its_own) == "49"
    assert pool.submit(square, 4).result() == 16


def _a_pool_of_its_own() -> int:
    with Pool(1) as own:
        return own.submit(square, 7).result()


# ---- what cannot be pickled by name ----


def test_lambdas_and_closures(start: str) -> None:
    factor = 6
    with Pool(1, start=start) as pool:
        assert pool.submit(lambda x: x * factor, 7).result() == 42
        assert list(pool.map(lambda x: x + factor, range(3))) == [6, 7, 8]


def test_a_lambda_that_is_returned(pool: Pool) -> None:
    assert pool.submit(lambda: lambda x: x + 1).result()(1) == 2


def test_a_local_class_and_its_exception(pool: Pool) -> None:
    class LocalError(Exception):
        pass

    def fail() -> None:
        raise LocalError("here")

    error = pool.submit(fail).exception()
    assert error is not None
    assert "here" in str(error)


def test_a_method_and_a_partial(pool: Pool) -> None:
    assert pool.submit("a-b".split, "-").result() == ["a", "b"]
    assert pool.submit(functools.partial(pow, 2), 5).result() == 32


def test_a_decorated_function(pool: Pool) -> None:
    assert pool.submit(_decorated, 3).result() == 10


def _plus_one(function: Callable[[int], int]) -> Callable[[int], int]:
    @functools.wraps(function)
    def wrapper(x: int) -> int:
        return function(x) + 1

    return wrapper


@_plus_one
def _decorated(x: int) -> int:
    return x * x


# ---- the native class ----


def test_map_takes_from_an_endless_generator(pool: Pool) -> None:
    taken = itertools.count()
    results = pool.map(square, taken)
    assert list(itertools.islice(results, 500)) == [x * x for x in range(500)]
    results.close()  # type: ignore[attr-defined]
    assert next(taken) < 10_000_000


def test_as_completed_takes_from_an_endless_generator(pool: Pool) -> None:
    results = pool.as_completed(square, itertools.count())
    given = list(itertools.islice(results, 500))
    assert len(set(given)) == 500
    results.close()  # type: ignore[attr-defined]


def test_an_input_that_raises_raises_where_it_is_read(pool: Pool) -> None:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("the input ends")

    with pytest.raises(KeyError, match="the input ends"):
        list(pool.map(square, numbers()))
    assert pool.submit(square, 5).result() == 25


def test_map_of_nothing(pool: Pool) -> None:
    assert list(pool.map(square, [])) == []
    assert list(pool.as_completed(square, [])) == []


def test_with_options_leaves_the_pool_as_it_was(pool: Pool) -> None:
    limited = pool.with_options(timeout=0.1)
    assert isinstance(limited.submit(spin_for_ever).exception(), TaskTimeout)
    assert limited.submit(square, 3).result() == 9
    assert pool.submit(_longer_than_the_limit).result() == "whole"


def _longer_than_the_limit() -> str:
    time.sleep(0.3)
    return "whole"


def test_resize_up_runs_more_at_once(tmp_path: Path) -> None:
    """Tasks that wait for each other: none must stay behind one that runs."""
    ledger, end = str(tmp_path / "ledger"), str(tmp_path / "end")
    with Pool(1, spares=0) as pool:
        futures = [pool.submit(_wait_for_file, ledger, end, n) for n in range(4)]
        while not os.path.exists(ledger):
            pass
        pool.resize(4)
        all_began = _has_lines(ledger, 4)
        Path(end).touch()
        assert [future.result() for future in futures] == [0, 1, 2, 3]
    assert all_began


def _wait_for_file(ledger: str, end: str, x: int) -> int:
    note(ledger, x)
    while not os.path.exists(end):
        time.sleep(0.005)
    return x


def _has_lines(path: str, count: int) -> bool:
    for _ in range(300):
        if len(Path(path).read_text().split()) == count:
            return True
        time.sleep(0.01)
    return False


def test_resize_down_loses_nothing() -> None:
    with Pool(4, spares=0) as pool:
        futures = [pool.submit(square, x) for x in range(300)]
        pool.resize(1)
        assert [future.result() for future in futures] == [x * x for x in range(300)]
        while len(pool.worker_pids()) > 1:
            pool.submit(square, 1).result()
        assert pool.stats()["died"] == 0


def test_resize_before_the_first_task() -> None:
    with Pool(1, spares=0) as pool:
        pool.resize(3)
        pool.submit(square, 1).result()
        while len(pool.worker_pids()) < 3:
            pool.submit(square, 1).result()


def test_resize_while_workers_die(pool: Pool) -> None:
    for n in [1, 4, 2, 3, 1, 2]:
        futures = [pool.submit(kill_self if x % 5 == 2 else os.getpid) for x in range(20)]
        pool.resize(n)
        assert sum(isinstance(future.exception(), WorkerDied) for future in futures) == 4


@pytest.mark.parametrize("kind", [Pool, ProcessPoolExecutor])
def test_event_callbacks_get_events(kind: Any) -> None:
    events: list[Any] = []
    with kind(1, on_event=events.append) as pool:
        assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
    assert all(isinstance(event, Event) for event in events)
    assert {"worker_ready", "refill", "death"} <= {event.kind for event in events}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_event_callback_that_raises_harms_nobody() -> None:
    def fail(event: Event) -> None:
        raise RuntimeError("in a callback")

    with Pool(1, on_event=fail) as pool:
        assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
        assert pool.submit(square, 3).result() == 9


def test_a_pool_in_a_thread_that_ends(pool: Pool) -> None:
    futures: list[Any] = []
    thread = threading.Thread(target=lambda: futures.append(pool.submit(square, 11)))
    thread.start()
    thread.join()
    assert futures[0].result() == 121
    assert pool.submit(square, 12).result() == 144


def test_a_pool_outlives_the_thread_that_made_it() -> None:
    """The kernel's parent-death signal is tied to a thread."""
    made: list[Pool] = []

    def make() -> None:
        made.append(Pool(1))
        made[0].submit(square, 1).result()

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    assert made[0].submit(square, 13).result() == 169
    assert made[0].stats()["deaths"] == 0
    made.pop().shutdown()


def test_a_future_without_a_pool_behaves_as_the_standard_one() -> None:
    future: Any = hotspare.Future()
    assert not future.done()
    assert future.set_running_or_notify_cancel()
    future.set_result(5)
    assert future.result() == 5
    other: Any = hotspare.Future()
    assert other.cancel()
    with pytest.raises(CancelledError):
        other.result()


def test_terminate_workers_and_kill_workers(fifo: Callable[[], Fifo]) -> None:
    for name in ("terminate_workers", "kill_workers"):
        begun = fifo()
        executor = ProcessPoolExecutor(1)
        running = executor.submit(meet, begun)
        begun.hear()
        waiting = [executor.submit(square, x) for x in range(20)]
        getattr(executor, name)()
        assert isinstance(running.exception(), BrokenProcessPool)
        assert all(future.done() for future in waiting) or wait(waiting).not_done == set()
        with pytest.raises(RuntimeError):
            executor.submit(square, 1)
        executor.shutdown()


def test_values_of_every_common_type(pool: Pool) -> None:
    for value in (
        None,
        True,
        3,
        2**70,
        1.5,
        2j,
        "ö",
        b"b",
        (1,),
        [1],
        {1},
        {"a": 1},
        range(3),
        ...,
        int,
        len,
    ):
        assert pool.submit(same, value).result() == value


def _says_who_it_is(begun: Fifo, go_on: Fifo) -> None:
    begun.tell(os.getpid())
    go_on.hear()


def test_its_processes_are_those_that_run_tasks(executor: ProcessPoolExecutor, fifo: Callable[[], Fifo]) -> None:
    for _ in range(3):  # each death makes a spare a worker
        begun, go_on = (fifo(), fifo()), (fifo(), fifo())
        futures = [executor.submit(_says_who_it_is, *each) for each in zip(begun, go_on)]
        busy = {int(each.hear()) for each in begun}
        assert executor._processes is not None
        assert set(executor._processes) == busy
        for each in go_on:
            each.tell()
        for future in futures:
            future.result()
        with pytest.raises(BrokenProcessPool):
            executor.submit(kill_self).result()

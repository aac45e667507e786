"""P1. The death of a worker costs at most the attempt that it was running."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import hotspare
import pytest
from hotspare import Pool, ProcessPoolExecutor, WorkerDied
from python_tasks import (
    Fifo,
    kill_self,
    meet,
    note,
    read_null,
    square,
    square_or_die,
    square_unless_thirteenth,
)


def test_only_the_tasks_that_died_are_lost(start: str) -> None:
    with Pool(2, start=start) as pool:
        futures = [pool.submit(square_unless_thirteenth, x) for x in range(60)]
        for x, future in enumerate(futures):
            if x % 13 == 12:
                with pytest.raises(WorkerDied):
                    future.result()
            else:
                assert future.result() == x * x


def test_only_the_tasks_that_died_are_lost_in_the_drop_in(start: str) -> None:
    with ProcessPoolExecutor(2, mp.get_context(start)) as executor:
        futures = [executor.submit(square_unless_thirteenth, x) for x in range(60)]
        died = {x for x, future in enumerate(futures) if isinstance(future.exception(), WorkerDied)}
        assert died == {12, 25, 38, 51}
        assert [f.result() for x, f in enumerate(futures) if x not in died] == [
            x * x for x in range(60) if x not in died
        ]


def test_tasks_queued_behind_a_killed_one_all_run(fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    with Pool(1) as pool:
        doomed = pool.submit(meet, begun)
        pid = int(begun.hear())
        behind = [pool.submit(square, x) for x in range(200)]
        os.kill(pid, signal.SIGKILL)
        assert [future.result() for future in behind] == [x * x for x in range(200)]
        assert isinstance(doomed.exception(), WorkerDied)


def test_a_task_in_another_worker_goes_on(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    running = pool.submit(meet, begun, go_on, "lived")
    begun.hear()
    for _ in range(5):
        assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
    go_on.tell()
    assert running.result() == "lived"


def test_a_pool_without_spares_goes_on() -> None:
    with Pool(1, spares=0) as pool:
        for x in range(5):
            assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
            assert pool.submit(square, x).result() == x * x


def test_idle_workers_that_are_killed_cost_nothing(pool: Pool) -> None:
    assert pool.submit(square, 3).result() == 9
    for pid in pool.worker_pids():
        os.kill(pid, signal.SIGKILL)
    assert [pool.submit(square, x).exception() for x in range(20)].count(None) >= 20 - 3
    assert pool.submit(square, 4).result() == 16


def test_death_of_the_zygote_costs_nothing(start: str) -> None:
    with Pool(2, start=start) as pool:
        assert pool.submit(square, 2).result() == 4
        core = pool._engine.core
        for _ in range(2):
            # Not a worker's parent: after the first death that is the seed.
            while (zygote := core.zygote_pid()) <= 0:
                os.sched_yield()
            os.kill(zygote, signal.SIGKILL)
            assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
            assert [future.result() for future in [pool.submit(square, x) for x in range(20)]] == [
                x * x for x in range(20)
            ]


def test_tasks_of_all_threads_that_submit_go_on(pool: Pool) -> None:
    wrong: list[object] = []

    def submit_many(first: int) -> None:
        futures = {x: pool.submit(square_unless_thirteenth, x) for x in range(first, first + 52)}
        for x, future in futures.items():
            error = future.exception()
            if isinstance(error, WorkerDied) != (x % 13 == 12) or (error is None and future.result() != x * x):
                wrong.append((x, error))

    threads = [threading.Thread(target=submit_many, args=(first,)) for first in (0, 100, 200, 300)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_map_gives_each_death_in_its_items_place(pool: Pool) -> None:
    results = list(pool.map(square_unless_thirteenth, range(60), return_exceptions=True))
    assert [x for x, result in enumerate(results) if isinstance(result, WorkerDied)] == [12, 25, 38, 51]
    assert [result for result in results if not isinstance(result, WorkerDied)] == [
        x * x for x in range(60) if x % 13 != 12
    ]


def test_as_completed_gives_all_that_did_not_die(pool: Pool) -> None:
    results = list(pool.as_completed(square_unless_thirteenth, range(60), return_exceptions=True))
    assert sum(isinstance(result, WorkerDied) for result in results) == 4
    assert sorted(result for result in results if isinstance(result, int)) == [x * x for x in range(60) if x % 13 != 12]


@pytest.mark.parametrize("chunksize", [1, None, 10])
def test_map_of_the_drop_in_gives_all_before_the_item_that_died(chunksize: int | None) -> None:
    with ProcessPoolExecutor(2) as executor:
        given: list[int] = []
        with pytest.raises(WorkerDied):
            given.extend(executor.map(square_or_die, range(30), [15] * 30, chunksize=chunksize))
        assert given == [x * x for x in range(15)]


def test_native_map_gives_all_before_the_item_that_died(pool: Pool) -> None:
    given: list[int] = []
    with pytest.raises(WorkerDied):
        given.extend(pool.map(square_or_die, range(3000), [2500] * 3000))
    assert given == [x * x for x in range(2500)]


_KINDS: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63 - 1,
    -(2**63),
    2**63,
    -(2**200),
    1.5,
    float("inf"),
    "",
    "naïve \0 text",
    "half a pair \ud800",
    b"",
    b"\0bytes",
    (1, [2, {"three": 3}]),
    bytearray(200_000),
    "x" * 500_000,
]


def _kind(n: int) -> Any:
    if n == len(_KINDS):
        os.kill(os.getpid(), signal.SIGKILL)
    return _KINDS[n]


@pytest.mark.parametrize("chunksize", [1, 7, 100])
def test_all_kinds_of_values_outlive_their_worker(chunksize: int) -> None:
    given: list[Any] = []
    with ProcessPoolExecutor(1) as executor, pytest.raises(WorkerDied):
        given.extend(executor.map(_kind, range(len(_KINDS) + 1), chunksize=chunksize))
    assert given == _KINDS
    assert [type(value) for value in given] == [type(value) for value in _KINDS]


def _array_or_die(n: int) -> Any:
    import numpy

    if n == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return numpy.full(50_000, n)


def test_arrays_outlive_their_worker() -> None:
    pytest.importorskip("numpy")
    given: list[Any] = []
    with ProcessPoolExecutor(1) as executor, pytest.raises(WorkerDied):
        given.extend(executor.map(_array_or_die, range(10), chunksize=10))
    assert [array[-1] for array in given] == [0, 1, 2, 3, 4]
    for array in given:
        array += 1  # ours alone
    assert [int(array.sum()) for array in given] == [50_000 * n for n in range(1, 6)]


def _raises_at_seven(n: int) -> int:
    if n == 7:
        raise KeyError(n)
    return n


def test_an_item_that_raises_keeps_those_before_it() -> None:
    given: list[int] = []
    with ProcessPoolExecutor(1) as executor, pytest.raises(KeyError):
        given.extend(executor.map(_raises_at_seven, range(20), chunksize=20))
    assert given == list(range(7))


class _CannotBePickled:
    def __reduce__(self) -> Any:
        raise ValueError("not this one")


def _cannot_be_pickled_at_three(n: int) -> Any:
    return _CannotBePickled() if n == 3 else n


def test_a_value_that_cannot_be_pickled_keeps_those_before_it() -> None:
    given: list[int] = []
    with ProcessPoolExecutor(1) as executor, pytest.raises(ValueError, match="not this one"):
        given.extend(executor.map(_cannot_be_pickled_at_three, range(20), chunksize=20))
    assert given == [0, 1, 2]


class _CannotBeUnpickled:
    def __reduce__(self) -> Any:
        return _explode, ()


def _explode() -> None:
    raise ValueError("on arrival")


def _cannot_be_unpickled_at_three(n: int) -> Any:
    return _CannotBeUnpickled() if n == 3 else n


def test_a_value_that_cannot_be_unpickled_keeps_those_before_it() -> None:
    given: list[int] = []
    with ProcessPoolExecutor(1) as executor, pytest.raises(ValueError, match="on arrival"):
        given.extend(executor.map(_cannot_be_unpickled_at_three, range(20), chunksize=20))
    assert given == [0, 1, 2]


def test_pools_do_not_harm_each_other() -> None:
    with Pool(1) as one, Pool(1) as other:
        for x in range(5):
            assert isinstance(one.submit(read_null).exception(), WorkerDied)
            assert other.submit(square, x).result() == x * x


def test_the_drop_in_takes_tasks_after_a_death() -> None:
    with ProcessPoolExecutor(1) as executor:
        assert isinstance(executor.submit(kill_self).exception(), hotspare.BrokenWorker)
        assert executor.submit(square, 5).result() == 25


def _noted_or_die(ledger: str, n: int) -> int:
    note(ledger, n)
    if n % 100 == 50:
        os.kill(os.getpid(), signal.SIGKILL if n % 200 == 50 else signal.SIGSEGV)
    if n % 100 == 70:
        raise KeyError(n)
    return n


@pytest.mark.parametrize("ordered", [True, False])
def test_each_item_has_its_outcome_and_none_runs_twice(pool: Pool, tmp_path: Path, ordered: bool) -> None:
    ledger = str(tmp_path / "ledger")
    run = pool.map if ordered else pool.as_completed
    results = list(run(partial(_noted_or_die, ledger), range(1000), return_exceptions=True))
    assert len(results) == 1000
    good = [x for x in results if isinstance(x, int)]
    assert sorted(good) == [n for n in range(1000) if n % 100 not in (50, 70)]
    if ordered:
        assert good == sorted(good)
        assert [n for n, x in enumerate(results) if isinstance(x, WorkerDied)] == list(range(50, 1000, 100))
        assert [n for n, x in enumerate(results) if isinstance(x, KeyError)] == list(range(70, 1000, 100))
    assert sum(isinstance(x, WorkerDied) for x in results) == 10
    assert sum(isinstance(x, KeyError) for x in results) == 10
    assert sorted(map(int, Path(ledger).read_text().split())) == list(range(1000))


class _KillsWhoeverReadsIt:
    def __init__(self, deadly: bool) -> None:
        self.deadly = deadly

    def __reduce__(self) -> Any:
        return _read, (self.deadly,)


def _read(deadly: bool) -> int:
    if deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def test_an_argument_that_kills_its_reader_costs_itself_only(pool: Pool) -> None:
    items = [_KillsWhoeverReadsIt(n == 2_345) for n in range(3_000)]
    results = list(pool.map(_same, items, return_exceptions=True))
    assert [n for n, x in enumerate(results) if isinstance(x, WorkerDied)] == [2_345]
    assert sum(x == 1 for x in results) == 2_999


def _same(x: Any) -> Any:
    return x


class _RaisesWhenRead(_KillsWhoeverReadsIt):
    def __reduce__(self) -> Any:
        return _read_or_raise, (self.deadly,)


def _read_or_raise(deadly: bool) -> int:
    if deadly:
        raise ValueError("unreadable")
    return 1


def test_an_argument_that_cannot_be_read_costs_itself_only(pool: Pool) -> None:
    items = [_RaisesWhenRead(n == 2_345) for n in range(3_000)]
    results = list(pool.map(_same, items, return_exceptions=True))
    assert [n for n, x in enumerate(results) if isinstance(x, ValueError)] == [2_345]
    assert sum(x == 1 for x in results) == 2_999


def test_an_argument_that_cannot_be_pickled_costs_itself_only(pool: Pool) -> None:
    items: list[Any] = [threading.Lock() if n == 2_345 else n for n in range(3_000)]
    results = list(pool.map(_same, items, return_exceptions=True))
    assert [n for n, x in enumerate(results) if isinstance(x, Exception)] == [2_345]
    assert len(results) == 3_000


NO_DESCRIPTORS = """
import errno, os, resource, sys
from hotspare import Pool

if __name__ == "__main__":
    free = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, 4096))
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    for fd in held[-free:]:
        os.close(fd)
    del held[-free:]
    try:
        pool = Pool(1, start="fork")
        future = pool.submit(len, "abc")
    except RuntimeError as error:
        assert "Too many open files" in str(error), error
        print("refused")
        sys.exit()
    for fd in held:
        os.close(fd)
    assert pool.submit(resource.getrlimit, resource.RLIMIT_NOFILE).result() == (200, 4096)
    try:
        print(future.result())
    except OSError as error:
        assert error.errno == errno.EMFILE  # what pickling needs could not be imported then
        print("refused")
    pool.shutdown()
"""


@pytest.mark.parametrize("free", range(8, 16))
def test_a_pool_made_when_descriptors_were_short_works_when_they_are_not(free: int) -> None:
    """Its zygote is a copy of the program of then, and stays so."""
    done = subprocess.run(
        [sys.executable, "-c", NO_DESCRIPTORS, str(free)], capture_output=True, text=True, check=False
    )
    assert done.stdout in ("refused\n", "3\n"), done.stderr

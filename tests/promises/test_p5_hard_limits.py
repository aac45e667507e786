"""P5. A deadline or a memory limit holds whatever the worker does. Its stack is taken first, then it is
ended."""

from __future__ import annotations

import mmap
import os
import pickle
import resource
import signal
import threading
import time
from collections.abc import Callable

import hotspare
import pytest
from hotspare import Pool, TaskTimeout, WorkerDied
from python_tasks import (
    Fifo,
    block_all_signals_for_ever,
    hold_the_gil_for_ever,
    ignore_all_signals_for_ever,
    meet,
    same,
    spin_for_ever,
    square,
)


def _timeout_of(pool: Pool, fn: Callable[..., object], *args: object) -> TaskTimeout:
    error = pool.with_options(timeout=0.2).submit(fn, *args).exception()
    assert isinstance(error, TaskTimeout), error
    assert pool.submit(square, 3).result() == 9, "the pool goes on"
    return error


def _stop_self() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _block_all_signals_in_c() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    hold_the_gil_for_ever()


def _wait_for_a_child() -> None:
    if os.fork() == 0:
        signal.pause()
    os.wait()


@pytest.mark.parametrize(
    "task",
    [
        spin_for_ever,
        hold_the_gil_for_ever,
        block_all_signals_for_ever,
        ignore_all_signals_for_ever,
        _block_all_signals_in_c,
        _stop_self,
        _wait_for_a_child,
    ],
)
def test_a_deadline_ends_it_and_its_stacks_are_taken(pool: Pool, task: Callable[[], None]) -> None:
    error = _timeout_of(pool, task)
    assert error.cause == "deadline"
    assert task.__name__ in [frame.function for frame in error.python_stack]
    assert error.native_stack


def _hang_in_a_second_thread_too() -> None:
    thread = threading.Thread(target=_wait_for_ever, name="second", daemon=True)
    thread.start()
    spin_for_ever()


def _wait_for_ever() -> None:
    threading.Event().wait()


def test_the_stacks_of_all_threads_are_taken(pool: Pool) -> None:
    report = _timeout_of(pool, _hang_in_a_second_thread_too).report
    assert "_wait_for_ever" in report.python_stack_text
    assert "_hang_in_a_second_thread_too" in report.python_stack_text
    assert len(report.other_threads) == 1
    assert all(report.other_threads.values())
    assert pickle.loads(pickle.dumps(report)).other_threads == report.other_threads


def test_the_stack_of_a_task_that_holds_the_gil_is_taken(pool: Pool) -> None:
    error = _timeout_of(pool, hold_the_gil_for_ever)
    assert "hold_the_gil_for_ever" in [frame.function for frame in error.python_stack]
    assert error.native_stack


def _catch_everything_for_ever() -> None:
    while True:
        try:
            signal.pause()
        except BaseException:
            continue


def test_a_task_that_catches_everything_is_ended(pool: Pool) -> None:
    _timeout_of(pool, _catch_everything_for_ever)


def test_a_task_that_is_stopped_from_outside_is_ended(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    future = pool.with_options(timeout=0.3).submit(meet, begun)
    os.kill(int(begun.hear()), signal.SIGSTOP)
    error = future.exception()
    assert isinstance(error, TaskTimeout)
    assert "meet" in [frame.function for frame in error.python_stack] or error.native_stack


def _fork_and_wait() -> None:
    if os.fork() == 0:
        signal.pause()
    os.wait()


def test_a_deadline_ends_the_tasks_children(pool: Pool) -> None:
    _timeout_of(pool, _fork_and_wait)


def test_the_deadline_counts_from_the_tasks_start(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with Pool(1, spares=0) as pool:
        pool.submit(meet, begun, go_on)
        begun.hear()
        limited = pool.with_options(timeout=2.0).submit(same, "in time")
        unlimited = hotspare.Pool(1)
        with unlimited:
            assert isinstance(unlimited.with_options(timeout=2.0).submit(spin_for_ever).exception(), TaskTimeout)
        assert not limited.done()
        go_on.tell()
        assert limited.result() == "in time"


def test_a_task_without_a_deadline_is_not_ended_by_its_neighbours(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    future = pool.submit(meet, begun, go_on, "whole")
    begun.hear()
    for _ in range(3):
        _timeout_of(pool, spin_for_ever)
    go_on.tell()
    assert future.result() == "whole"


def test_each_item_of_a_map_has_the_deadline_of_its_own(pool: Pool) -> None:
    """Together the items take longer than the deadline of one."""
    results = list(pool.with_options(timeout=0.5).map(_spin_for, [0.05] * 30))
    assert results == [0.05] * 30


def _spin_for(seconds: float) -> float:
    import time

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds


def test_a_map_gives_the_timeout_in_its_items_place(pool: Pool) -> None:
    results = list(
        pool.with_options(timeout=0.3).map(_spin_if, [False, True, False, True, False], return_exceptions=True)
    )
    assert [isinstance(result, TaskTimeout) for result in results] == [False, True, False, True, False]


def _spin_if(spin: bool) -> bool:
    if spin:
        spin_for_ever()
    return spin


def _grow_to(megabytes: int) -> int:
    return len(bytearray(b"x") * (megabytes << 20))


def test_a_task_below_its_memory_limit_is_left_alone(pool: Pool) -> None:
    assert pool.with_options(memory_limit=256 << 20).submit(_grow_to, 64).result() == 64 << 20


def test_the_limit_is_gone_for_the_next_task() -> None:
    with Pool(1, spares=0) as pool:
        pool.with_options(memory_limit=32 << 20).submit(_grow_to, 1).result()
        assert pool.submit(_grow_to, 256).result() == 256 << 20


def _grow_in_numpy() -> None:
    import numpy

    held = []
    while True:
        held.append(numpy.ones(1 << 20))


def test_a_memory_limit_holds_in_numpy(pool: Pool) -> None:
    error = pool.with_options(memory_limit=128 << 20).submit(_grow_in_numpy).exception()
    assert isinstance(error, MemoryError) or (isinstance(error, WorkerDied) and error.cause == "memory_limit")


LIMIT_MB = 500
FAR_MB = 1500


def _touch(room: mmap.mmap) -> None:
    """At 1 GB/s or less."""
    step = 4 << 20
    for at in range(0, len(room), step):
        begin = time.perf_counter()
        room[at : at + step] = b"x" * step
        while time.perf_counter() - begin < 0.004:
            pass


def _hog_shared_memory() -> None:
    _touch(mmap.mmap(-1, FAR_MB << 20))


def _hog_in_a_child() -> None:
    if os.fork() == 0:
        _hog_shared_memory()
        os._exit(0)
    os.wait()


def _hog_in_a_childs_heap() -> None:
    """The rlimit is a child's own affair; the limit is not."""
    if os.fork() == 0:
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        held = []
        for _ in range(FAR_MB // 4):
            held.append(bytearray(b"x" * (4 << 20)))
            time.sleep(0.004)
        os._exit(0)
    os.wait()


@pytest.mark.parametrize("hog", [_hog_shared_memory, _hog_in_a_child, _hog_in_a_childs_heap])
def test_a_memory_limit_holds_for_shared_memory_and_children(
    pool: Pool, fifo: Callable[[], Fifo], hog: Callable[[], None]
) -> None:
    began, over = fifo(), fifo()
    neighbour = pool.submit(meet, began, over, 7)
    began.hear()
    error = pool.with_options(memory_limit=LIMIT_MB << 20).submit(hog).exception()
    over.tell()
    assert neighbour.result() == 7
    assert isinstance(error, WorkerDied), error
    assert error.cause == "memory_limit", error.report.text
    assert error.report.peak_rss < 700 << 20
    assert hog.__name__ in [frame.function for frame in error.python_stack]
    assert pool.submit(square, 3).result() == 9


def _sum_of(array: object) -> float:
    import numpy

    assert isinstance(array, numpy.ndarray)
    result = float(array.sum())
    time.sleep(0.3)  # until it has been looked at
    return result


def test_a_large_argument_is_not_the_tasks_memory(pool: Pool) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.ones(200 << 17)
    assert pool.with_options(memory_limit=100 << 20).submit(_sum_of, array).result() == 200 << 17


def _make_array(megabytes: int) -> object:
    array = hotspare.empty((megabytes << 17,), "float64")
    array[:] = 1
    time.sleep(0.3)  # until it has been looked at
    return array


def test_a_large_result_in_shared_memory_is_not_the_tasks_memory(pool: Pool) -> None:
    pytest.importorskip("numpy")
    result = pool.with_options(memory_limit=100 << 20).submit(_make_array, 200).result()
    assert len(result) == 200 << 17

"""P2. Every task settles once: a value, the exception that it raised, or a death. None is lost, none is
run twice."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError, as_completed, wait
from pathlib import Path
from typing import Any

import pytest
from hotspare import Future, Pool, ProcessPoolExecutor, WorkerDied
from python_tasks import (
    Fifo,
    kill_self,
    meet,
    note_and_maybe_die,
    note_and_return,
    raise_value_error,
    same,
    square,
)


def _runs(path: Path) -> Counter[int]:
    return Counter(int(line) for line in path.read_text().split()) if path.exists() else Counter()


def test_each_task_runs_once_while_workers_die(start: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with Pool(2, start=start) as pool:
        futures = [pool.submit(note_and_maybe_die, str(ledger), x) for x in range(70)]
        outcomes = [future.exception() for future in futures]
    assert _runs(ledger) == Counter(range(70))
    assert [x for x, error in enumerate(outcomes) if isinstance(error, WorkerDied)] == list(range(3, 70, 7))


def test_each_task_runs_at_most_once_while_workers_are_killed_from_outside(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with Pool(2) as pool:
        futures = []
        for x in range(400):
            futures.append(pool.submit(note_and_return, str(ledger), x))
            if x % 40 == 20:
                for pid in pool.worker_pids()[:1]:
                    os.kill(pid, signal.SIGKILL)
        errors = [future.exception() for future in futures]
    runs = _runs(ledger)
    assert max(runs.values()) == 1
    for x, error in enumerate(errors):
        assert error is None or isinstance(error, WorkerDied)
        if error is None:
            assert runs[x] == 1


def test_callbacks_are_called_once_each(pool: Pool) -> None:
    calls: Counter[int] = Counter()
    lock = threading.Lock()

    def count(future: Future[int]) -> None:
        with lock:
            calls[id(future)] += 1

    futures = [pool.submit(kill_self if x % 10 == 5 else same, 9) for x in range(50)]
    for future in futures:
        future.add_done_callback(count)
    wait(futures)
    pool.shutdown()
    assert calls == Counter({id(future): 1 for future in futures})


def test_as_completed_gives_each_future_once(pool: Pool) -> None:
    futures = [pool.submit(kill_self if x % 10 == 5 else same, 9) for x in range(50)]
    assert Counter(map(id, as_completed(futures))) == Counter(map(id, futures))


def test_all_threads_see_the_same_outcome(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    future = pool.submit(meet, begun, go_on, [1, 2, 3])
    begun.hear()
    seen: list[object] = []
    threads = [threading.Thread(target=lambda: seen.append(future.result())) for _ in range(8)]
    for thread in threads:
        thread.start()
    go_on.tell()
    for thread in threads:
        thread.join()
    assert seen == [[1, 2, 3]] * 8
    assert len({id(value) for value in seen}) == 1


def _nothing() -> None:
    pass


_when_unpickled: Callable[[], None] = _nothing


def _unpickled() -> str:
    _when_unpickled()
    return "value"


class _Watched:
    """A result that says when it is unpickled."""

    def __reduce__(self) -> Any:
        return _unpickled, ()


def _make_full(future: Any) -> None:
    future.add_done_callback(lambda _: None)


_LOOKS = {
    "wait": lambda future: wait([future]),
    "as_completed": lambda future: list(as_completed([future])),
    "callback": _make_full,
}


@pytest.mark.parametrize("look", _LOOKS)
def test_who_asks_while_another_thread_reads_the_outcome_has_it(
    pool: Pool, look: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_reads, go_on = threading.Event(), threading.Event()

    def hold_the_first() -> None:
        if not first_reads.is_set():
            first_reads.set()
            go_on.wait()

    monkeypatch.setattr(sys.modules[__name__], "_when_unpickled", hold_the_first)
    future = pool.submit(_Watched)
    future._task.wait(-1.0)
    first = threading.Thread(target=_LOOKS[look], args=(future,))
    first.start()
    first_reads.wait()
    try:
        assert future.result() == "value"
    finally:
        go_on.set()
        first.join()
    assert future.done()


@pytest.mark.parametrize("look", _LOOKS)
def test_an_interrupt_while_the_outcome_is_read_leaves_it_there(
    pool: Pool, look: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupts = [KeyboardInterrupt]

    def interrupt_once() -> None:
        if interrupts:
            raise interrupts.pop()

    monkeypatch.setattr(sys.modules[__name__], "_when_unpickled", interrupt_once)
    future = pool.submit(_Watched)
    future._task.wait(-1.0)
    with pytest.raises(KeyboardInterrupt):
        _LOOKS[look](future)
    assert future.done()
    assert future.result() == "value"


@pytest.mark.parametrize("raised", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("look", _LOOKS)
def test_a_look_that_fails_leaves_the_future_as_it_was(
    pool: Pool, look: str, raised: type[BaseException], fifo: Callable[[], Fifo]
) -> None:
    """No thread is to be had, say, or a signal's handler raises just then."""

    class Refuses:
        in_host = True

        def watch(self, task: Any, future: Any) -> None:
            raise raised

    begun, go_on = fifo(), fifo()
    future = pool.submit(meet, begun, go_on, "value")
    begun.hear()
    core, future._pool = future._pool, Refuses()
    with pytest.raises(raised):
        _LOOKS[look](future)
    future._pool = core
    go_on.tell()
    assert future.result() == "value"
    _LOOKS[look](future)


def test_a_death_stays_what_it_was(pool: Pool) -> None:
    future = pool.submit(kill_self)
    assert future.exception() is future.exception()


def test_a_raised_exception_arrives_with_its_arguments(pool: Pool) -> None:
    with pytest.raises(ValueError, match=r"^seven$") as caught:
        pool.submit(raise_value_error, "seven").result()
    assert caught.value.args == ("seven",)


def test_an_exception_that_is_returned_is_a_value(pool: Pool) -> None:
    value = pool.submit(same, ValueError("a value")).result()
    assert isinstance(value, ValueError)


def test_a_worker_died_that_is_returned_is_a_value(pool: Pool) -> None:
    death = pool.submit(kill_self).exception()
    value = pool.submit(same, death).result()
    assert isinstance(value, WorkerDied)
    assert str(value) == str(death)


@pytest.mark.parametrize("code", [0, 3, "words", None])
def test_sys_exit_is_an_exception_and_no_death(code: object) -> None:
    with Pool(1, spares=0) as pool:
        pid = pool.submit(os.getpid).result()
        error = pool.submit(sys.exit, code).exception()
        assert isinstance(error, SystemExit)
        assert error.code == code
        assert pool.submit(os.getpid).result() == pid


def _interrupt() -> None:
    raise KeyboardInterrupt("in the task")


def test_a_keyboard_interrupt_raised_by_the_task_is_an_exception() -> None:
    with Pool(1, spares=0) as pool:
        assert isinstance(pool.submit(_interrupt).exception(), KeyboardInterrupt)
        assert pool.stats()["deaths"] == 0


def test_a_cancelled_task_never_runs(tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    ledger = tmp_path / "ledger"
    begun, go_on = fifo(), fifo()
    with Pool(1) as pool:
        pool.submit(meet, begun, go_on)
        begun.hear()
        futures = [pool.submit(note_and_return, str(ledger), x) for x in range(20)]
        cancelled = [future.cancel() for future in futures]
        go_on.tell()
    for x, future in enumerate(futures):
        assert future.cancelled() == cancelled[x]
        assert _runs(ledger)[x] == (not cancelled[x])
    assert any(cancelled)


def test_a_running_task_cannot_be_cancelled(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    future = pool.submit(meet, begun, go_on, 8)
    begun.hear()
    assert future.running()
    assert not future.cancel()
    go_on.tell()
    assert future.result() == 8


def test_a_running_task_can_be_cancelled_with_its_worker(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    future = pool.submit(meet, begun)
    begun.hear()
    assert future.cancel(kill=True)
    with pytest.raises((CancelledError, WorkerDied)):
        future.result()
    assert future.done()
    assert pool.submit(square, 6).result() == 36


def test_a_settled_task_cannot_be_cancelled(pool: Pool) -> None:
    future = pool.submit(square, 2)
    assert future.result() == 4
    assert not future.cancel()
    assert not future.cancel(kill=True)
    assert future.result() == 4


def test_every_future_is_done_after_shutdown(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    pool = Pool(1)
    first = pool.submit(meet, begun, go_on, "first")
    begun.hear()
    futures = [pool.submit(square, x) for x in range(50)]
    closing = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True})
    closing.start()
    go_on.tell()
    closing.join()
    assert first.result() == "first"
    assert all(future.done() for future in futures)
    for x, future in enumerate(futures):
        assert future.cancelled() or future.result() == x * x


def test_shutdown_without_waiting_still_finishes_what_is_pending() -> None:
    executor = ProcessPoolExecutor(1)
    futures = [executor.submit(square, x) for x in range(50)]
    executor.shutdown(wait=False)
    assert [future.result() for future in futures] == [x * x for x in range(50)]
    executor.shutdown(wait=True)

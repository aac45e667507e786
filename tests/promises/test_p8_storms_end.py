"""P8. Workers that die before their first task break the pool instead of being forked for ever, and it says
why."""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing as mp
import os
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from hotspare import Event, Pool, PoolBroken, ProcessPoolExecutor, WorkerDied
from python_tasks import kill_self, note, read_null, square


def _fail() -> None:
    raise RuntimeError("no licence for the solver")


def _leave() -> None:
    os._exit(9)


def _raise_system_exit() -> None:
    raise SystemExit(4)


def _why_broken(pool: Pool) -> str:
    with pool:
        reasons = set()
        try:
            futures = [pool.submit(square, x) for x in range(10)]
        except PoolBroken as error:
            return str(error)
        for future in futures:
            error = future.exception()
            assert isinstance(error, PoolBroken), error
            reasons.add(str(error))
        with pytest.raises(PoolBroken) as caught:
            pool.submit(square, 1)
        assert reasons == {str(caught.value)}
        return str(caught.value)


@pytest.mark.parametrize(
    ("initializer", "reason"),
    [
        (_fail, "no licence for the solver"),
        (_leave, "9"),
        (_raise_system_exit, "SystemExit"),
        (read_null, "SIGSEGV"),
        (kill_self, "SIGKILL"),
    ],
)
def test_an_initializer_that_fails_breaks_the_pool_with_its_reason(
    initializer: Callable[[], None], reason: str
) -> None:
    why = _why_broken(Pool(2, initializer=initializer, name="solvers"))
    assert reason in why
    assert "solvers" in why


def test_an_initializer_that_fails_breaks_the_pool_by_every_start_method(start: str) -> None:
    assert "no licence for the solver" in _why_broken(Pool(2, start=start, initializer=_fail))


def test_a_preload_that_is_missing_breaks_the_pool_with_its_reason(start: str) -> None:
    assert "no_such_module" in _why_broken(Pool(2, start=start, preload=["no_such_module"]))


def test_initargs_that_do_not_fit_break_the_pool_with_a_reason() -> None:
    assert "kill_self" in _why_broken(Pool(1, initializer=kill_self, initargs=(1, 2, 3)))


def test_the_drop_in_breaks_as_the_standard_class_does() -> None:
    with ProcessPoolExecutor(2, initializer=_fail) as executor:
        futures = []
        with pytest.raises(BrokenExecutor):
            futures += (executor.submit(square, x) for x in itertools.count())
        assert all(isinstance(future.exception(), BrokenExecutor) for future in futures)


def test_a_broken_drop_in_raises_broken_process_pool() -> None:
    """What the standard class raises; code that catches just that must go on working."""
    with ProcessPoolExecutor(1, initializer=_fail) as executor:
        try:
            error = executor.submit(square, 3).exception()
        except BrokenExecutor as refused:
            error = refused
    assert isinstance(error, BrokenProcessPool)


def test_a_failing_initializer_is_logged_by_the_worker(capfd: pytest.CaptureFixture[str]) -> None:
    _why_broken(Pool(1, start="spawn", initializer=_fail))
    assert "Exception in initializer:" in capfd.readouterr().err


def test_breaking_is_told_as_an_event() -> None:
    events: list[Event] = []
    _why_broken(Pool(1, initializer=_fail, on_event=events.append))
    (broken,) = [event for event in events if event.kind == "broken"]
    assert "no licence for the solver" in broken.detail


def _fail_twice_in_three(ledger: str) -> None:
    note(ledger, os.getpid())
    if len(Path(ledger).read_text().split()) % 3:
        raise RuntimeError("not this time")


def test_an_initializer_that_fails_now_and_then_breaks_nothing(tmp_path: Path) -> None:
    with Pool(1, spares=0, initializer=_fail_twice_in_three, initargs=(str(tmp_path / "ledger"),)) as pool:
        for x in range(6):
            assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
            assert pool.submit(square, x).result() == x * x
        assert pool.stats()["deaths_before_ready"] >= 10


def test_tasks_that_kill_a_hundred_workers_do_not_break_the_pool(pool: Pool) -> None:
    futures = [pool.submit(kill_self) for _ in range(100)]
    assert all(isinstance(future.exception(), WorkerDied) for future in futures)
    assert pool.submit(square, 8).result() == 64


def test_a_broken_pool_leaves_another_alone(pool: Pool) -> None:
    assert "no licence" in _why_broken(Pool(1, initializer=_fail))
    assert pool.submit(square, 9).result() == 81


def test_workers_killed_over_and_over_while_idle_break_nothing() -> None:
    with Pool(1, spares=0) as pool:
        for x in range(10):
            pid = pool.submit(os.getpid).result()
            os.kill(pid, signal.SIGKILL)
            while pool.stats()["deaths"] <= x:
                pass
        assert pool.submit(square, 5).result() == 25


def test_initializers_with_a_queue_of_log_records(caplog: pytest.LogCaptureFixture) -> None:
    context = mp.get_context("fork")
    queue = context.Queue()
    with Pool(1, initializer=_fail_and_log, initargs=(queue,)) as pool, contextlib.suppress(PoolBroken):
        assert isinstance(pool.submit(square, 1).exception(), PoolBroken)
    record = queue.get()
    assert record.getMessage().startswith("Exception in initializer:")
    queue.close()
    queue.join_thread()


def _fail_and_log(queue: object) -> None:
    from logging.handlers import QueueHandler

    logging.getLogger("concurrent.futures").addHandler(QueueHandler(queue))  # type: ignore[arg-type]
    _fail()

"""P4. A warm spare takes over from a dead worker. (How fast is measured in bench/, not asserted here.)"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from hotspare import Event, Pool, WorkerDied
from python_tasks import Fifo, kill_self, meet


def _spare_of(pool: Pool) -> int:
    """The pid of the one spare, once it is warm."""
    pool.submit(os.getpid).result()
    while pool.stats()["spares"] == 0:
        pool.submit(os.getpid).result()
    return pool.worker_pids()[-1]


def test_the_next_task_runs_on_the_spare(start: str) -> None:
    with Pool(1, spares=1, start=start) as pool:
        spare = _spare_of(pool)
        assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
        assert pool.submit(os.getpid).result() == spare


def test_a_queued_task_runs_on_the_spare(fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    with Pool(1, spares=1) as pool:
        spare = _spare_of(pool)
        pool.submit(meet, begun)
        pid = int(begun.hear())
        queued = pool.submit(os.getpid)
        os.kill(pid, signal.SIGKILL)
        assert queued.result() == spare


def test_takeovers_are_counted() -> None:
    with Pool(1, spares=1) as pool:
        for round in range(1, 6):
            _spare_of(pool)
            assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
            assert pool.stats()["takeovers"] == round


def test_without_spares_there_are_no_takeovers() -> None:
    with Pool(1, spares=0) as pool:
        for _ in range(3):
            assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
        assert pool.stats()["takeovers"] == 0


def test_a_spare_has_run_the_initializer() -> None:
    with Pool(1, spares=1, initializer=_set_up, initargs=("ready",)) as pool:
        _spare_of(pool)
        assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
        assert pool.submit(_what_is_set_up).result() == "ready"


_set: list[str] = []


def _set_up(value: str) -> None:
    _set.append(value)


def _what_is_set_up() -> str:
    (value,) = _set
    return value


def test_death_takeover_and_refill_are_told_as_events() -> None:
    events: list[Event] = []
    with Pool(1, spares=1, on_event=events.append) as pool:
        spare = _spare_of(pool)
        assert isinstance(death := pool.submit(kill_self).exception(), WorkerDied)
        _spare_of(pool)
    kinds = [event.kind for event in events]
    assert [event.pid for event in events if event.kind == "death"] == [death.pid]
    assert [event.pid for event in events if event.kind == "takeover"] == [spare]
    assert kinds.count("refill") >= 3  # the worker, the spare, the one in its place

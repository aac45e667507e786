"""P11. Counters equal what the tasks themselves and their futures say."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
from hotspare import Event, Pool, WorkerDied
from python_tasks import Fifo, kill_self, meet, note, raise_value_error, square


def _settled(stats: dict[str, int]) -> int:
    return sum(stats[name] for name in ("values", "raised", "died", "cancelled", "refused"))


def _mixed(x: int, ledger: str) -> int:
    note(ledger, x)
    if x % 10 == 3:
        raise_value_error("three")
    if x % 25 == 7:
        kill_self()
    return x


def test_each_outcome_is_counted_once(start: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with Pool(2, start=start) as pool:
        futures = [pool.submit(_mixed, x, str(ledger)) for x in range(100)]
        seen = Counter(type(future.exception()) for future in futures)
        stats = pool.stats()
    assert len(ledger.read_text().split()) == stats["submitted"] == 100
    assert stats["values"] == seen[type(None)] == 86
    assert stats["raised"] == seen[ValueError] == 10
    assert stats["died"] == stats["deaths"] == seen[WorkerDied] == 4
    assert stats["cancelled"] == stats["refused"] == 0
    assert _settled(stats) == 100


def test_cancelled_tasks_are_counted(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with Pool(1, spares=0) as pool:
        pool.submit(meet, begun, go_on)
        begun.hear()
        futures = [pool.submit(square, x) for x in range(30)]
        cancelled = sum(future.cancel() for future in futures)
        assert pool.stats()["cancelled"] == cancelled > 0
        go_on.tell()
        pool.shutdown()
        assert _settled(pool.stats()) == pool.stats()["submitted"] == 31


def test_queue_and_workers_are_gauged(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with Pool(1, spares=0) as pool:
        pool.submit(meet, begun, go_on)
        begun.hear()
        futures = [pool.submit(square, x) for x in range(30)]
        stats = pool.stats()
        assert stats["queued"] + stats["in_workers"] == 31
        assert stats["peak_unsettled"] == 31
        assert stats["workers"] == 1
        go_on.tell()
        for future in futures:
            future.result()
        stats = pool.stats()
        assert stats["queued"] == stats["in_workers"] == 0


def test_idle_deaths_are_told_apart() -> None:
    with Pool(1, spares=0) as pool:
        for n in range(1, 4):
            os.kill(pool.submit(os.getpid).result(), signal.SIGKILL)
            while pool.stats()["deaths"] < n:
                pass
        stats = pool.stats()
    assert stats["deaths"] == stats["deaths_idle"] == 3
    assert stats["died"] == 0


def test_retired_workers_are_counted() -> None:
    with Pool(1, spares=0, tasks_per_worker=2) as pool:
        pids = [pool.submit(os.getpid).result() for _ in range(10)]
    assert Counter(Counter(pids).values()) == Counter({2: 5})
    assert pool.stats()["deaths"] == 0
    assert pool.stats()["retired"] >= 5


def test_events_agree_with_the_counters() -> None:
    events: list[Event] = []
    with Pool(2, on_event=events.append) as pool:
        futures = [pool.submit(kill_self if x % 5 == 0 else os.getpid) for x in range(50)]
        died = {error.pid for future in futures if isinstance(error := future.exception(), WorkerDied)}
    stats = pool.stats()
    kinds = Counter(event.kind for event in events)
    assert {event.pid for event in events if event.kind == "death"} == died
    assert kinds["death"] == stats["deaths"] == 10
    assert kinds["takeover"] == stats["takeovers"]
    assert kinds["refill"] == stats["forks"]
    assert kinds["retired"] == stats["retired"]


def test_a_death_event_names_the_task_and_its_report() -> None:
    events: list[Event] = []
    with Pool(1, on_event=events.append) as pool:
        error = pool.submit(kill_self).exception()
    assert isinstance(error, WorkerDied)
    (death,) = [event for event in events if event.kind == "death"]
    assert death.task_id == error.report.task_id
    assert (death.report.pid, death.report.signal) == (error.pid, error.signal)


def test_pids_are_those_that_ran_the_tasks(pool: Pool) -> None:
    ran = {pool.submit(os.getpid).result() for _ in range(50)}
    assert ran <= set(pool.worker_pids())


def test_every_future_is_counted_when_a_pool_is_closed_early(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    pool = Pool(1, spares=0)
    first = pool.submit(meet, begun, go_on)
    begun.hear()
    futures = [first, *(pool.submit(square, x) for x in range(20))]
    pool.shutdown(wait=False, cancel_futures=True)
    go_on.tell()
    pool.shutdown(wait=True)
    cancelled = 0
    for future in futures:
        try:
            future.result()
        except CancelledError:
            cancelled += 1
    stats = pool.stats()
    assert stats["cancelled"] == cancelled
    assert stats["values"] == 21 - cancelled


def test_stats_of_a_pool_that_has_not_begun_are_empty() -> None:
    with Pool(1) as pool:
        assert pool.stats() == {}
        assert pool.worker_pids() == []


def test_items_of_a_map_are_settled_like_tasks(pool: Pool) -> None:
    assert sum(pool.map(square, range(1000))) == sum(x * x for x in range(1000))
    stats = pool.stats()
    assert _settled(stats) == stats["submitted"]
    with pytest.raises(ValueError, match="q"):
        list(pool.map(raise_value_error, ["q"]))

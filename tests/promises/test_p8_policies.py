"""P8. What keeps killing workers is quarantined; tags limit what runs at once and how often; priorities."""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hotspare
import pytest
from hotspare import Event, Pool, Quarantined, Retries, Tag, WorkerDied, _chunks
from python_tasks import Fifo, meet, square


def _note(ledger: Path) -> None:
    fd = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, b"x")
    os.close(fd)


def _kills(ledger: Path) -> None:
    _note(ledger)
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_key_that_has_killed_two_workers_ends_at_once(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with Pool(2) as pool:
        bad = pool.with_options(key="bad.jpg")
        first = bad.submit(_kills, ledger).exception()
        assert type(first) is WorkerDied
        for _ in range(4):
            error = bad.submit(_kills, ledger).exception()
            assert isinstance(error, Quarantined)
            assert error.report.quarantined
            assert [death.pid for death in error.report.earlier] == [first.pid]
        assert pool.with_options(key="good.jpg").submit(square, 5).result() == 25
        stats = pool.stats()
        assert (stats["deaths"], stats["quarantined"], stats["died"]) == (2, 4, 5)
    assert ledger.stat().st_size == 2


def test_tasks_that_wait_end_as_well(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with Pool(1) as pool:
        bad = pool.with_options(key="bad.jpg")
        futures = [bad.submit(_kills, ledger) for _ in range(200)]
        good = [pool.submit(square, i) for i in range(200)]
        assert all(isinstance(future.exception(), WorkerDied) for future in futures)
        assert [future.result() for future in good] == [i * i for i in range(200)]
        assert pool.stats()["deaths"] == 2
    assert ledger.stat().st_size == 2


def _item(folder: Path, number: int) -> int:
    _note(folder / str(number))
    if number == 417:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


@pytest.mark.parametrize("ordered", [True, False])
def test_an_item_that_always_kills_among_a_thousand(tmp_path: Path, ordered: bool) -> None:
    with Pool(2) as pool:
        tasks = pool.with_options(retries=Retries(5))
        run = tasks.map if ordered else tasks.as_completed
        found = list(run(_item, [tmp_path] * 1000, range(1000), return_exceptions=True))
    bad = [each for each in found if isinstance(each, BaseException)]
    assert len(bad) == 1
    assert isinstance(bad[0], Quarantined)
    assert len(bad[0].report.earlier) == 1
    assert sorted(each for each in found if each not in bad) == [n for n in range(1000) if n != 417]
    if ordered:
        assert found.index(bad[0]) == 417
    runs = {number: (tmp_path / str(number)).stat().st_size for number in range(1000)}
    assert runs == {number: 2 if number == 417 else 1 for number in range(1000)}


def _run_for(seconds: float) -> tuple[float, float]:
    begin = time.monotonic()
    time.sleep(seconds)
    return begin, time.monotonic()


def _most_at_once(runs: list[tuple[float, float]]) -> int:
    steps = sorted([(begin, 1) for begin, _ in runs] + [(end, -1) for _, end in runs])
    now = most = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most


def test_a_tag_limits_how_many_run_at_once() -> None:
    with Pool(6, tags={"service": Tag(at_once=4)}) as pool:
        tagged = pool.with_options(tags=["service"])
        futures = [tagged.submit(_run_for, 0.002) for _ in range(100)]
        others = [pool.submit(square, i) for i in range(100)]
        runs = [future.result() for future in futures]
        assert [future.result() for future in others] == [i * i for i in range(100)]
    assert 1 < _most_at_once(runs) <= 4


def test_a_tag_limits_how_many_begin_in_a_second() -> None:
    with Pool(4, tags={"service": Tag(at_once=4, per_second=25)}) as pool:
        tagged = pool.with_options(tags=["service"])
        runs = sorted(future.result() for future in [tagged.submit(_run_for, 0.001) for _ in range(80)])
    assert _most_at_once(runs) <= 4
    # A task reads its clock some time after the worker noted its begin; the other way round is never so.
    delay = 0.02
    assert all(runs[i][0] + delay - runs[i - 25][0] >= 1 for i in range(25, 80))


def _fail() -> None:
    raise ConnectionError("the service is down")


def test_the_breaker_pauses_and_tries_again() -> None:
    with Pool(2, tags={"service": Tag(breaker_failures=3, breaker_pause=0.2)}) as pool:
        tagged = pool.with_options(tags=["service"])
        for _ in range(3):
            with pytest.raises(ConnectionError):
                tagged.submit(_fail).result()
        down = time.monotonic()
        futures = [tagged.submit(_run_for, 0) for _ in range(20)]
        assert pool.submit(square, 3).result() == 9
        begins = sorted(future.result()[0] for future in futures)
    assert begins[0] - down >= 0.15  # the pause began a little before we heard of it


def test_urgent_tasks_begin_first(fifo: Callable[[], Fifo]) -> None:
    with Pool(1) as pool:
        begun = fifo()
        first = pool.submit(meet, begun)
        begun.hear()
        low = [pool.with_options(priority=-1).submit(time.monotonic) for _ in range(10)]
        high = [pool.with_options(priority=5).submit(time.monotonic) for _ in range(100)]
        first.cancel(kill=True)
        assert max(f.result() for f in low[:-1]) < max(f.result() for f in high), "nobody starves"
        assert low[-1].result() > sorted(f.result() for f in high)[60]


def test_a_tag_that_the_pool_does_not_have_is_refused() -> None:
    with Pool(1, tags={"service": Tag()}) as pool, pytest.raises(ValueError, match=r"'servise'.*'service'"):
        pool.with_options(tags=["servise"])
    with pytest.raises(TypeError, match="tags"):
        Pool(1, tags={"service": 4})  # type: ignore[dict-item]


def _take(ledger: Path, size: int) -> int:
    _note(ledger)
    held = []
    while sum(map(len, held)) < size:
        held.append(b"x" * 2**20)
    return sum(map(len, held))


def test_three_tasks_of_six_tenths_of_the_memory_budget_all_finish(tmp_path: Path) -> None:
    with Pool(4, memory_budget=600 * 2**20) as pool:
        futures = [pool.submit(_take, tmp_path / str(i), 360 * 2**20) for i in range(3)]
        assert [future.result() for future in futures] == [360 * 2**20] * 3
        stats = pool.stats()
        assert (stats["values"], stats["died"]) == (3, 0)
        assert stats["deaths"] == stats["put_back"] <= 2


def _take_in_turn(ledger: Path, go_on: Fifo, number: int) -> int:
    """Of each three the second takes 350 MB, and holds them at its first run until the test lets it go."""
    _note(ledger / str(number))
    if number % 3 == 1:
        held = b"x" * (350 * 2**20)
        if (ledger / str(number)).stat().st_size == 1:
            go_on.hear()
        del held
    return hotspare.attempt()


@pytest.mark.parametrize("how", [{}, {"return_exceptions": True}, {"retries": 2}])
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("size", [1, 3])
def test_an_item_of_a_map_that_made_room_is_run_again(
    size: int,
    ordered: bool,
    how: dict[str, Any],
    tmp_path: Path,
    fifo: Callable[[], Fifo],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_chunks.Sizer, "note", lambda sizer, items, seconds: None)
    monkeypatch.setattr(_chunks.Sizer, "__init__", lambda sizer: setattr(sizer, "size", size))
    go_on = fifo()

    def let_the_other_go(event: Event) -> None:
        if event.kind == "death":
            go_on.tell()

    with Pool(2, memory_budget=600 * 2**20, on_event=let_the_other_go) as pool:
        tasks = pool.with_options(retries=how.get("retries"))
        run = tasks.map if ordered else tasks.as_completed
        f = functools.partial(_take_in_turn, tmp_path, go_on)
        attempts = list(run(f, range(6), return_exceptions=how.get("return_exceptions", False)))
        assert attempts == [1] * 6
        stats = pool.stats()
        assert (stats["put_back"], stats["deaths"], stats["retried"]) == (1, 1, 0)
    runs = [(tmp_path / str(number)).stat().st_size for number in range(6)]
    assert sum(runs) == 7
    assert [runs[number] for number in (0, 2, 3, 5)] == [1] * 4


def test_a_worker_that_has_grown_is_replaced() -> None:
    with Pool(1, recycle_above=300 * 2**20) as pool:
        first = pool.submit(_leak, 1).result()
        assert pool.submit(_leak, 1).result() == first
        assert pool.submit(_leak, 350).result() == first
        assert pool.submit(_leak, 1).result() != first
        pool.shutdown()
        assert pool.stats()["deaths"] == 0


_leaked: list[bytes] = []


def _leak(megabytes: int) -> int:
    _leaked.append(b"x" * (megabytes * 2**20))
    return os.getpid()

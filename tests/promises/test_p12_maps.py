"""P12. A map begins when it is called, and keeps its place before what is submitted later."""

from __future__ import annotations

import concurrent.futures as cf
import contextlib
import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hotspare import Pool, PoolClosed, ProcessPoolExecutor
from hotspare._stream_map import StreamMap
from python_tasks import Fifo, meet, note, note_and_return, square


def _ran(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@pytest.mark.parametrize("chunksize", [None, 1, 7])
def test_what_is_submitted_later_comes_after_all_items(
    chunksize: int | None, tmp_path: Path, fifo: Callable[[], Fifo]
) -> None:
    path = str(tmp_path / "ran")
    go_on, begun = fifo(), fifo()
    with ProcessPoolExecutor(1) as executor:
        executor.submit(meet, begun, go_on)
        begun.hear()  # nothing of what follows has run when all is called
        first = executor.map(note_and_return, [path] * 300, range(300), chunksize=chunksize)
        later = executor.submit(note, path, "later")
        second = executor.map(note, [path] * 50, ["second"] * 50)
        last = executor.submit(note, path, "last")
        go_on.tell()
        assert list(first) == list(range(300))
        later.result()
        list(second)
        last.result()
    assert _ran(tmp_path / "ran") == [*map(str, range(300)), "later", *["second"] * 50, "last"]


@pytest.mark.parametrize("way", ["map", "as_completed"])
def test_of_the_native_class_too(way: str, tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    path = str(tmp_path / "ran")
    go_on, begun = fifo(), fifo()
    with Pool(1) as pool:
        pool.submit(meet, begun, go_on)
        begun.hear()
        first = getattr(pool, way)(note_and_return, itertools.repeat(path), range(300))
        later = pool.submit(note, path, "later")
        second = getattr(pool, way)(note, itertools.repeat(path), ["second"] * 50)
        last = pool.submit(note, path, "last")
        go_on.tell()
        assert sorted(first) == list(range(300))
        later.result()
        list(second)
        last.result()
    assert _ran(tmp_path / "ran") == [*map(str, range(300)), "later", *["second"] * 50, "last"]


def test_an_input_that_submits_to_the_same_pool(pool: Pool) -> None:
    futures: list[Any] = []

    class Items(list[int]):
        def __iter__(self) -> Iterator[int]:
            for item in range(50):
                futures.append(pool.submit(square, item))
                yield item

    assert list(pool.map(square, Items([1] * 50))) == [n * n for n in range(50)]
    assert [future.result() for future in futures] == [n * n for n in range(50)]


def test_one_that_nobody_can_read_any_more_has_no_place(tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    path = str(tmp_path / "ran")
    go_on, begun = fifo(), fifo()
    with Pool(1) as pool:
        pool.submit(meet, begun, go_on)
        begun.hear()
        pool.map(note, [path] * 1000, ["first"] * 1000)
        last = pool.submit(square, 3)
        go_on.tell()
        assert last.result() == 9
    assert 0 < len(_ran(tmp_path / "ran")) < 20  # only what it had begun


def test_a_map_that_nobody_reads_keeps_its_place_too(tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    with ProcessPoolExecutor(1) as executor:
        executor.map(note, [path] * 200, ["first"] * 200)
        executor.submit(note, path, "later").result()
        assert _ran(tmp_path / "ran") == [*["first"] * 200, "later"]


def test_submitters_in_threads_beside_a_map(tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    with ProcessPoolExecutor(2) as executor:
        results = executor.map(note_and_return, [path] * 1000, range(1000))
        futures: list[Any] = []

        def submit() -> None:
            futures.extend(executor.submit(square, n) for n in range(200))

        threads = [threading.Thread(target=submit) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert list(results) == list(range(1000))
        for thread in threads:
            thread.join()
        assert sum(future.result() for future in futures) == 4 * sum(n * n for n in range(200))
    assert sorted(map(int, _ran(tmp_path / "ran"))) == list(range(1000))  # each once


@pytest.mark.parametrize("way", ["map", "as_completed"])
def test_the_native_map_begins_when_it_is_called(way: str, tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    with Pool(2) as pool:
        results = getattr(pool, way)(note_and_return, [path] * 3, range(3))
    assert sorted(_ran(tmp_path / "ran")) == ["0", "1", "2"]  # though nobody has read anything
    assert sorted(results) == [0, 1, 2]  # what has begun can be read afterwards


def test_of_a_longer_one_what_has_begun_can_be_read_then_the_reason(tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    with Pool(2) as pool:
        results = pool.map(note_and_return, [path] * 1000, range(1000))
    begun = len(_ran(tmp_path / "ran"))
    assert 0 < begun < 1000
    assert [next(results) for _ in range(begun)] == list(range(begun))
    with pytest.raises(PoolClosed):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def _counts(taken: list[int], fail_at: int | None = None) -> Iterator[int]:
    n = 0
    while n != fail_at:
        taken.append(n)
        yield n
        n += 1
    raise LookupError("the input ends badly")


@pytest.mark.parametrize("way", ["map", "as_completed"])
def test_an_endless_input_is_read_a_little_at_the_call(way: str, pool: Pool) -> None:
    taken: list[int] = []
    results = getattr(pool, way)(square, _counts(taken))
    assert 0 < len(taken) < 20
    assert len([next(results) for _ in range(5000)]) == 5000
    results.close()


@pytest.mark.parametrize("fail_at", [0, 1, 100, 3001])
@pytest.mark.parametrize("way", ["map", "as_completed"])
def test_an_error_of_the_input_comes_after_what_was_read_before_it(way: str, fail_at: int, pool: Pool) -> None:
    given: list[int] = []
    results = getattr(pool, way)(square, _counts([], fail_at))
    with pytest.raises(LookupError, match="ends badly"):
        given.extend(results)
    assert sorted(given) == [n * n for n in range(fail_at)]


def test_its_timeout_counts_from_the_call(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    go_on, begun = fifo(), fifo()
    results = pool.map(meet, [begun], [go_on], timeout=0.01)
    begun.hear()
    with pytest.raises(cf.TimeoutError):
        next(results)
    go_on.tell()


def test_a_map_whose_call_is_refused_has_not_begun(tmp_path: Path) -> None:
    pool = Pool(1)
    pool.shutdown()
    with pytest.raises(PoolClosed):
        pool.map(square, [1])


class WithoutALength(list[int]):
    def __len__(self) -> int:
        raise TypeError("not known yet")


def test_a_length_that_is_not_known_is_not_asked_for() -> None:
    items = WithoutALength([1, 2, 3])
    with ProcessPoolExecutor(1) as executor:
        assert list(executor.map(square, items)) == [1, 4, 9]
    with Pool(1) as pool:
        assert list(pool.map(square, items)) == [1, 4, 9]


# ---- what comes in between ----


class _Signals:
    """A number in whose pickling, here, a signal comes, once."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._sent = False

    def __reduce__(self) -> Any:
        if not self._sent:
            self._sent = True
            signal.raise_signal(signal.SIGUSR1)
        return int, (self._number,)


@contextlib.contextmanager
def _handled(act: Callable[[], object]) -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, lambda number, frame: act())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("way", ["submit", "map"])
@pytest.mark.parametrize("chunksize", [None, 1, 7])
def test_a_handler_that_submits_while_a_map_begins_has_no_item_run_twice(
    chunksize: int | None, way: str, tmp_path: Path
) -> None:
    path = str(tmp_path / "ran")
    items = [*range(5), _Signals(5), *range(6, 100)]
    others: list[Any] = []
    with ProcessPoolExecutor(1) as executor:

        def act() -> None:
            if way == "submit":
                others.append(executor.submit(square, 3))
            else:
                others.append(executor.map(square, [3]))

        with _handled(act):
            assert list(executor.map(note_and_return, [path] * 100, items, chunksize=chunksize)) == list(range(100))
        assert [each.result() if way == "submit" else next(each) for each in others] == [9]
    assert sorted(map(int, _ran(tmp_path / "ran"))) == list(range(100))


@pytest.mark.parametrize("wait", [True, False])
def test_a_handler_that_closes_the_pool_while_a_map_begins_has_the_rest_run_once(wait: bool, tmp_path: Path) -> None:
    path = str(tmp_path / "ran")
    items = [*range(5), _Signals(5), *range(6, 100)]
    executor = ProcessPoolExecutor(1)
    given: list[int] = []
    with _handled(lambda: executor.shutdown(wait=wait)):
        results = executor.map(note_and_return, [path] * 100, items, chunksize=2)
    executor.shutdown()
    with pytest.raises(PoolClosed):  # of what was being handed out
        given.extend(results)
    assert given == [0, 1, 2, 3]
    assert sorted(map(int, _ran(tmp_path / "ran"))) == [*range(4), *range(6, 100)]


@pytest.mark.parametrize("way", ["map", "as_completed"])
def test_a_submit_beside_a_native_map_that_has_not_begun(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "ordered" if way == "map" else "unordered"
    begin = getattr(StreamMap, name)
    others: list[Any] = []
    with Pool(1) as pool:

        def submit_first(self: StreamMap, timeout: float | None) -> Any:
            others.append(pool.submit(square, 3))
            return begin(self, timeout)

        monkeypatch.setattr(StreamMap, name, submit_first)
        assert sorted(getattr(pool, way)(square, [1, 2])) == [1, 4]
        assert others[0].result() == 9

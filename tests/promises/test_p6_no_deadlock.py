"""P6. No payload of any size, in any direction, from any number of threads, makes a pool stand still."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from typing import Any

import hotspare
import pytest
from hotspare import Pool, PoolClosed, ProcessPoolExecutor, QueueFull, WorkerDied
from hotspare._start import Launch
from python_tasks import Fifo, kill_self, meet, same, square

np = pytest.importorskip("numpy")

_MB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 4095, 4096, 4097, 65535, 65536, 65537, _MB, 8 * _MB + 1])
def test_a_payload_goes_there_and_back(pool: Pool, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert pool.submit(same, data).result() == data


def test_many_sizes_at_once(start: str) -> None:
    sizes = [3**n % (3 * _MB) for n in range(60)]
    with Pool(2, start=start) as pool:
        futures = [pool.submit(same, b"y" * size) for size in sizes]
        assert [len(future.result()) for future in futures] == sizes


def test_policies_of_tasks_that_nobody_waits_for() -> None:
    """The engine's own threads drop them, under its lock, and must not wait for the GIL then."""
    asked = [0]

    def never(failure: hotspare.Failure) -> bool:
        asked[0] += 1
        return False

    with Pool(2) as pool:
        for n in range(5000):
            retries = hotspare.Retries(2, when=never)
            pool.with_options(retries=retries).submit(kill_self if n == 4000 else square, 9)
    assert asked == [1]


def test_many_submitted_before_any_is_read() -> None:
    with ProcessPoolExecutor(2) as executor:
        futures = [executor.submit(same, b"z" * 10_000) for _ in range(3000)]
        assert sum(len(future.result()) for future in futures) == 30_000_000


def test_big_arguments_and_results_cross_each_other() -> None:
    with ProcessPoolExecutor(2) as executor:
        blobs = [bytes([n]) * (5 * _MB) for n in range(12)]
        assert list(executor.map(same, blobs, chunksize=1)) == blobs


def test_from_many_threads_at_once(pool: Pool) -> None:
    wrong: list[int] = []

    def work(seed: int) -> None:
        for n in range(20):
            size = (seed * 7919 + n * 104_729) % (2 * _MB)
            if len(pool.submit(same, b"t" * size).result()) != size:
                wrong.append(size)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_from_many_threads_while_workers_die(pool: Pool) -> None:
    wrong: list[object] = []

    def work(seed: int) -> None:
        for n in range(10):
            if n % 5 == 4:
                if not isinstance(pool.submit(kill_self).exception(), WorkerDied):
                    wrong.append("lived")
            elif len(pool.submit(same, b"t" * (n * 300_000)).result()) != n * 300_000:
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# ---- arrays ----


def _ones(count: int) -> Any:
    return np.ones(count)


def _in_shared_memory(count: int) -> Any:
    array = hotspare.empty(count)
    array[:] = 1
    return array


def _total(array: Any) -> float:
    return float(array.sum())


def test_eight_arrays_of_100_mb_at_once(pool: Pool) -> None:
    count = 100_000_000 // 8
    futures = [pool.submit(_in_shared_memory, count) for _ in range(8)]
    arrays = [future.result() for future in futures]
    del futures
    assert [array.nbytes for array in arrays] == [100_000_000] * 8
    assert [array[0] + array[-1] for array in arrays] == [2.0] * 8
    del arrays


def test_eight_arrays_of_100_mb_as_arguments(pool: Pool) -> None:
    array = np.ones(100_000_000 // 8)
    futures = [pool.submit(_total, array) for _ in range(8)]
    assert [future.result() for future in futures] == [12_500_000.0] * 8


def test_an_array_result_can_be_written_to(pool: Pool) -> None:
    array = pool.submit(_ones, 1_000_000).result()
    array += 1
    assert array.sum() == 2_000_000


def test_an_array_outlives_its_pool() -> None:
    with Pool(1) as pool:
        array = pool.submit(_in_shared_memory, 1_000_000).result()
    del pool
    gc.collect()
    assert array.sum() == 1_000_000


def test_an_array_outlives_its_worker() -> None:
    with Pool(1, spares=0) as pool:
        array = pool.submit(_in_shared_memory, 1_000_000).result()
        assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
        other = pool.submit(_in_shared_memory, 1_000_000).result()
        other *= 5
        assert array.sum() == 1_000_000


def test_held_arrays_are_not_overwritten_by_later_results(pool: Pool) -> None:
    arrays = [pool.submit(np.full, 500_000, n).result() for n in range(20)]
    assert [(array == n).all() for n, array in enumerate(arrays)] == [True] * 20


@pytest.mark.parametrize("order", ["C", "F"])
def test_shape_type_and_order_arrive(pool: Pool, order: str) -> None:
    sent = np.asarray(np.arange(240_000, dtype=">i2").reshape(40, 60, 100), order=order)  # type: ignore[call-overload]
    back = pool.submit(same, sent).result()
    assert (back.dtype, back.shape, back.flags.f_contiguous) == (
        sent.dtype,
        sent.shape,
        sent.flags.f_contiguous,
    )
    assert (back == sent).all()


def test_a_slice_with_gaps_arrives(pool: Pool) -> None:
    sent = np.arange(1_000_000)[::3]
    assert (pool.submit(same, sent).result() == sent).all()


def test_an_array_of_objects_arrives(pool: Pool) -> None:
    sent = np.array([{"a": 1}, [2], "three"], dtype=object)
    assert list(pool.submit(same, sent).result()) == list(sent)


def test_an_argument_that_the_task_changes_is_unchanged_for_its_sender(pool: Pool) -> None:
    sent = np.ones(1_000_000)
    assert pool.submit(_double, sent).result() == 2_000_000
    assert sent.sum() == 1_000_000
    assert pool.submit(_total, sent).result() == 1_000_000


def _double(array: Any) -> float:
    array *= 2
    return float(array.sum())


def test_a_sender_may_change_an_array_once_it_is_submitted_and_send_it_again(
    fifo: Callable[[], Fifo],
) -> None:
    begun, go_on = fifo(), fifo()
    with Pool(1, spares=0) as pool:
        pool.submit(meet, begun, go_on)
        begun.hear()
        array = np.zeros(1_000_000)
        futures = []
        for n in range(4):
            array[:] = n
            futures.append(pool.submit(_total, array))
        go_on.tell()
        assert [future.result() for future in futures] == [0, 1_000_000, 2_000_000, 3_000_000]


def test_arrays_around_what_only_cloudpickle_takes_arrive_each_in_its_place(pool: Pool) -> None:
    first, second = np.zeros(100_000), np.ones(100_000)
    back = pool.submit(same, (first, lambda: 3, second)).result()
    assert (back[0] == first).all()
    assert back[1]() == 3
    assert (back[2] == second).all()


class _Gate:
    """To pickle it is to say so, then to wait."""

    def __init__(self, begun: threading.Event, go_on: threading.Event) -> None:
        self._begun = begun
        self._go_on = go_on

    def __reduce__(self) -> Any:
        self._begun.set()
        self._go_on.wait()
        return str, ()


def test_arrays_that_two_threads_pickle_at_once_arrive_each_in_its_task(pool: Pool) -> None:
    first, second = np.zeros(100_000), np.ones(100_000)
    first_begun, second_begun, first_taken, second_sent = (threading.Event() for _ in range(4))
    futures: list[Any] = []

    def send_first() -> None:
        around = _Gate(first_begun, second_begun), first, _Gate(first_taken, second_sent)
        futures.append(pool.submit(same, around))

    thread = threading.Thread(target=send_first)
    thread.start()
    first_begun.wait()
    future = pool.submit(same, (_Gate(second_begun, first_taken), second))
    second_sent.set()
    thread.join()
    assert (future.result()[1] == second).all()
    assert (futures[0].result()[1] == first).all()


def test_hotspare_empty_has_no_room_for_objects() -> None:
    with pytest.raises(TypeError):
        hotspare.empty(3, object)


@pytest.mark.parametrize("shape", [0, 5, (2, 3), (0, 4), ()])
def test_hotspare_empty_has_the_shape(pool: Pool, shape: Any) -> None:
    assert hotspare.empty(shape).shape == np.empty(shape).shape
    assert pool.submit(_shape_of_empty, shape).result() == np.empty(shape).shape


def _shape_of_empty(shape: Any) -> tuple[int, ...]:
    return tuple(hotspare.empty(shape).shape)


def test_memory_of_results_comes_back(pool: Pool) -> None:
    """60 results of 40 MB each, one alive at a time: the segments are used again."""
    for _ in range(60):
        array = pool.submit(_in_shared_memory, 5_000_000).result()
        del array
    assert pool.stats()["segment_bytes"] < 1 << 30


# ---- limits ----


def test_a_full_queue_refuses(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with Pool(1, queue_limit=3, when_full="refuse") as pool:
        first = pool.submit(meet, begun, go_on, "first")
        begun.hear()
        accepted = []
        with pytest.raises(QueueFull, match="3"):
            accepted.extend(pool.submit(square, x) for x in range(1000))
        go_on.tell()
        assert first.result() == "first"
        assert [future.result() for future in accepted] == [x * x for x in range(len(accepted))]
        assert len(accepted) >= 3
        assert pool.submit(square, 7).result() == 49


def test_a_full_queue_makes_submit_wait(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with Pool(1, queue_limit=3) as pool:
        pool.submit(meet, begun, go_on)
        begun.hear()
        futures: list[Any] = []
        through = threading.Event()

        def submit_all() -> None:
            futures.extend([pool.submit(square, x) for x in range(200)])
            through.set()

        thread = threading.Thread(target=submit_all)
        thread.start()
        assert not through.is_set()
        go_on.tell()
        thread.join()
        assert [future.result() for future in futures] == [x * x for x in range(200)]


def test_a_submitter_that_waits_is_let_go_when_the_pool_closes(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    pool = Pool(1, queue_limit=1)
    pool.submit(meet, begun, go_on)
    begun.hear()
    outcomes: list[str] = []

    def submit_until_refused() -> None:
        try:
            while True:
                pool.submit(square, 1)
        except hotspare.PoolClosed:
            outcomes.append("closed")

    thread = threading.Thread(target=submit_until_refused)
    thread.start()
    while pool.stats()["submitted"] < 2:
        pass
    closing = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True})
    closing.start()
    go_on.tell()
    closing.join()
    thread.join()
    assert outcomes == ["closed"]


def test_bytes_under_way_are_bounded(start: str) -> None:
    with Pool(2, payload_limit=16 * _MB, start=start) as pool:
        futures = [pool.submit(len, b"p" * (4 * _MB)) for _ in range(40)]
        assert [future.result() for future in futures] == [4 * _MB] * 40


def test_a_payload_beyond_the_limit_still_goes_or_is_told() -> None:
    with Pool(1, payload_limit=_MB) as pool:
        assert pool.submit(len, b"p" * (8 * _MB)).result() == 8 * _MB


# ---- callbacks and threads ----


def test_a_callback_may_submit(pool: Pool) -> None:
    chain: list[Any] = []
    end = threading.Event()

    def go_on(future: Any) -> None:
        chain.append(future.result())
        if len(chain) == 20:
            end.set()
        else:
            pool.submit(square, len(chain)).add_done_callback(go_on)

    pool.submit(square, 0).add_done_callback(go_on)
    end.wait()
    assert chain == [x * x for x in range(20)]


def test_a_callback_that_raises_harms_nobody(pool: Pool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "concurrent.futures")  # a record would keep the futures alive

    def fail(future: Any) -> None:
        raise RuntimeError("in a callback")

    futures = [pool.submit(square, x) for x in range(10)]
    for future in futures:
        future.add_done_callback(fail)
    assert [future.result() for future in futures] == [x * x for x in range(10)]
    assert pool.submit(square, 4).result() == 16


def test_a_callback_may_wait_for_another_task(pool: Pool) -> None:
    results: list[int] = []
    end = threading.Event()

    def wait_for_another(future: Any) -> None:
        results.append(pool.submit(square, 6).result())
        end.set()

    pool.submit(square, 5).add_done_callback(wait_for_another)
    end.wait()
    assert results == [36]


def test_a_pool_closed_by_a_callback(pool: Pool) -> None:
    future = pool.submit(square, 5)
    future.add_done_callback(lambda done: pool.shutdown(wait=False))
    assert future.result() == 25


def test_all_threads_may_read_one_map(pool: Pool) -> None:
    lock = threading.Lock()
    values: list[int] = []
    results: Iterator[int] = pool.map(square, range(2000))

    def read() -> None:
        while True:
            with lock:
                try:
                    values.append(next(results))
                except StopIteration:
                    return

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [x * x for x in range(2000)]


def test_many_pools_at_once() -> None:
    pools = [Pool(1) for _ in range(8)]
    futures = [pool.submit(square, x) for x in range(10) for pool in pools]
    assert sum(future.result() for future in futures) == 8 * 285
    for pool in pools:
        pool.shutdown()


# ---- signals' handlers ----


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has something called within the next start of a pool, on the thread that starts it, as a signal's handler is."""

    def call(act: Callable[[], object]) -> None:
        prepare = Launch.engine_options

        def act_first(self: Launch) -> Any:
            monkeypatch.setattr(Launch, "engine_options", prepare)
            act()
            return prepare(self)

        monkeypatch.setattr(Launch, "engine_options", act_first)

    return call


def test_a_handler_that_submits_while_its_pool_starts(
    start: str, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    results: list[int] = []
    with Pool(1, start=start) as pool:
        meanwhile(lambda: results.append(pool.submit(square, 4).result()))
        results.append(pool.submit(square, 3).result())
        assert pool.stats()["submitted"] == 2
    assert results == [16, 9]


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("face", ["Pool", "ProcessPoolExecutor"])
def test_a_handler_that_closes_the_pool_while_it_starts(
    face: str, wait: bool, meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    pool: Any = getattr(hotspare, face)(1)
    meanwhile(lambda: pool.shutdown(wait=wait))
    with pytest.raises(PoolClosed):
        pool.submit(square, 3)
    assert pool.stats() == {}


def test_a_handler_that_resizes_the_pool_while_it_starts(
    fifo: Callable[[], Fifo], meanwhile: Callable[[Callable[[], object]], None]
) -> None:
    begun, go_on = [fifo(), fifo(), fifo()], [fifo(), fifo(), fifo()]
    with Pool(1) as pool:
        meanwhile(lambda: pool.resize(3))
        futures = [pool.submit(meet, each, go) for each, go in zip(begun, go_on)]
        for each in begun:
            each.hear()
        for go in go_on:
            go.tell()
        for future in futures:
            future.result()


def test_a_map_that_waits_for_room_keeps_nobody_from_killing_the_workers(fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    executor = ProcessPoolExecutor(1)
    executor._engine_options["payload_limit"] = 9 * _MB // 2
    executor.submit(meet, begun)
    begun.hear()
    results = executor.map(len, [b"x" * _MB] * 20)
    assert executor.stats()["submitted"] == 4
    outcomes: list[object] = []

    def submit() -> None:
        try:
            outcomes.append(executor.submit(square, 3))  # what is left of the map comes first
        except RuntimeError as error:
            outcomes.append(type(error))

    thread = threading.Thread(target=submit)
    thread.start()
    while executor.stats()["submitted"] < 5:
        pass
    executor.kill_workers()
    thread.join()
    executor.shutdown()
    assert outcomes == [PoolClosed]
    with pytest.raises(CancelledError):
        list(results)

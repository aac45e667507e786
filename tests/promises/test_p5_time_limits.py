"""P5. The other limits in time: soft, queue, progress. As everywhere no test asserts how long something took."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import hotspare
import pytest
from hotspare import Pool, QueueTimeout, SoftTimeout, TaskTimeout
from python_tasks import Fifo, meet, square


def _sleep_until_asked(x: int) -> int:
    try:
        time.sleep(3600)
    except SoftTimeout:
        return x
    return -1


def test_soft_timeout_is_raised_in_the_task(pool: Pool) -> None:
    tasks = pool.with_options(soft_timeout=0.1, grace=3600)
    assert [tasks.submit(_sleep_until_asked, i).result() for i in range(3)] == [0, 1, 2]
    assert pool.stats()["deaths"] == 0


def test_an_uncaught_soft_timeout_is_the_tasks_exception(pool: Pool) -> None:
    with pytest.raises(SoftTimeout):
        pool.with_options(soft_timeout=0.1, grace=3600).submit(time.sleep, 3600).result()
    assert pool.stats()["deaths"] == 0


def test_each_item_of_a_map_has_its_own(pool: Pool) -> None:
    tasks = pool.with_options(soft_timeout=0.1, grace=3600)
    assert list(tasks.map(_sleep_until_asked, range(6))) == list(range(6))


def _catch_and_go_on() -> None:
    while True:
        try:
            time.sleep(3600)
        except SoftTimeout:
            continue


def test_who_goes_on_is_ended_after_the_grace(pool: Pool) -> None:
    error = pool.with_options(soft_timeout=0.1, grace=0.2).submit(_catch_and_go_on).exception()
    assert isinstance(error, TaskTimeout)
    assert isinstance(error, TimeoutError)
    assert error.signal == signal.SIGTERM
    assert "_catch_and_go_on" in [frame.function for frame in error.python_stack]
    assert "soft" in error.report.evidence
    assert pool.submit(square, 3).result() == 9


def _ignore_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _catch_and_go_on()


def test_who_ignores_sigterm_is_killed(pool: Pool) -> None:
    error = pool.with_options(soft_timeout=0.1, grace=0.1).submit(_ignore_sigterm).exception()
    assert isinstance(error, TaskTimeout)
    assert error.signal == signal.SIGKILL


def _speak(times: int, note: str) -> int:
    for i in range(times):
        hotspare.progress(i, times, note)
        time.sleep(0.05)
    return times


def test_silence_ends_a_task(pool: Pool) -> None:
    error = pool.with_options(progress_timeout=0.2).submit(time.sleep, 3600).exception()
    assert isinstance(error, TaskTimeout)
    assert "progress" in error.report.evidence


def test_who_tells_of_progress_may_take_long(pool: Pool) -> None:
    assert pool.with_options(progress_timeout=1).submit(_speak, 30, "step").result() == 30


def _tell_and_meet(fifo: Fifo, note: str) -> None:
    hotspare.progress(3, 10, note)
    meet(fifo)


def test_how_far_a_task_is(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    future = pool.submit(_tell_and_meet, begun, "lendo cabeçalhos " + "é" * 200)
    begun.hear()
    told = future.progress()
    assert told is not None
    assert (told.done, told.total) == (3, 10)
    assert told.note.startswith("lendo cabeçalhos é")
    future.cancel(kill=True)
    assert future.progress() is None
    hotspare.progress(1, 2, "outside of a task it does nothing")


def test_a_task_that_cannot_begin_in_time_never_runs(fifo: Callable[[], Fifo]) -> None:
    with Pool(1) as pool:
        begun = fifo()
        first = pool.submit(meet, begun)
        begun.hear()
        tasks = pool.with_options(queue_timeout=0.1)
        late = [tasks.submit(square, i) for i in range(50)]
        for future in late:
            with pytest.raises(QueueTimeout, match="queue_timeout"):
                future.result()
        first.cancel(kill=True)
        assert pool.submit(square, 4).result() == 16
        assert pool.stats()["expired"] == 50


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"soft_timeout": 0}, ValueError),
        ({"queue_timeout": "1"}, TypeError),
        ({"progress_timeout": -1}, ValueError),
        ({"grace": -1}, ValueError),
        ({"priority": 1.5}, TypeError),
        ({"tags": "abc"}, TypeError),
        ({"tags": ["abc"]}, ValueError),
        ({"key": 3}, TypeError),
    ],
)
def test_nonsense_is_refused_at_the_call(options: dict[str, object], error: type[Exception]) -> None:
    with Pool(1) as pool, pytest.raises(error, match=next(iter(options)).removesuffix("s")):
        pool.with_options(**options)  # type: ignore[arg-type]

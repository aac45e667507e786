"""P12. Who waits for a future that is cancelled hears of it at once, however it is cancelled and however he waits. A
future's cancel, and with it an await that is given up, may end the worker that runs its task."""

from __future__ import annotations

import asyncio
import concurrent.futures as cf
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import hotspare
import pytest
from hotspare import Pool, ProcessPoolExecutor
from python_tasks import Fifo, meet, square


class Busy:
    """A pool whose only worker is busy until told, and futures behind that."""

    def __init__(self, face: str, fifo: Callable[[], Fifo], **options: Any) -> None:
        self.begun, self.go_on = fifo(), fifo()
        self.pool: Any = getattr(hotspare, face)(1, **options)
        self.first = self.pool.submit(meet, self.begun, self.go_on, "first")
        self.pid = int(self.begun.hear())
        self.rest = [self.pool.submit(square, n) for n in range(10)]

    def end(self) -> None:
        threading.Thread(target=self.go_on.tell).start()
        self.pool.shutdown()


@pytest.fixture(params=["Pool", "ProcessPoolExecutor"])
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def busy(face: str, fifo: Callable[[], Fifo]) -> Busy:
    return Busy(face, fifo)


def test_wait_hears_of_one_that_was_cancelled(busy: Busy) -> None:
    assert busy.rest[-1].cancel()
    done, left = cf.wait([busy.rest[-1], busy.first], return_when=cf.FIRST_COMPLETED)
    assert (done, left) == ({busy.rest[-1]}, {busy.first})
    busy.end()
    assert cf.wait([busy.first, *busy.rest]).not_done == set()


def test_as_completed_hears_of_one_that_was_cancelled(busy: Busy) -> None:
    busy.rest[3].cancel()
    threading.Thread(target=busy.go_on.tell).start()
    assert set(cf.as_completed([busy.first, *busy.rest])) == {busy.first, *busy.rest}
    busy.pool.shutdown()


def test_wait_hears_of_a_shutdown_that_cancels(busy: Busy) -> None:
    busy.pool.shutdown(wait=False, cancel_futures=True)
    busy.go_on.tell()
    assert cf.wait([busy.first, *busy.rest]).not_done == set()
    assert busy.rest[-1].cancelled()
    busy.pool.shutdown()


@pytest.mark.parametrize("wait", ["wait", "as_completed", "result"])
def test_who_waits_already_hears_of_it(busy: Busy, wait: str) -> None:
    victim = busy.rest[-1]
    heard = threading.Event()

    def waiter() -> None:
        if wait == "wait":
            cf.wait([victim])
        elif wait == "as_completed":
            list(cf.as_completed([victim]))
        else:
            with pytest.raises(cf.CancelledError):
                victim.result()
        heard.set()

    thread = threading.Thread(target=waiter)
    thread.start()
    assert victim.cancel()
    thread.join()
    assert heard.is_set()
    busy.end()


def test_a_cancelled_future_is_as_the_standard_ones(busy: Busy) -> None:
    victim = busy.rest[-1]
    called: list[Any] = []
    busy.rest[-2].add_done_callback(called.append)
    assert victim.cancel()
    assert victim.cancel()  # as often as you like
    assert victim.done()
    assert victim.cancelled()
    assert not victim.running()
    victim.add_done_callback(called.append)
    assert called == [victim]
    assert busy.rest[-2].cancel()
    assert called == [victim, busy.rest[-2]]
    for ask in (victim.result, victim.exception):
        with pytest.raises(cf.CancelledError):
            ask(timeout=0)
    busy.end()


def test_gather_hears_of_it(busy: Busy) -> None:
    async def main() -> list[Any]:
        waiting = asyncio.gather(
            *(asyncio.wrap_future(future) for future in [busy.first, *busy.rest]), return_exceptions=True
        )
        await asyncio.sleep(0)
        busy.rest[-1].cancel()
        busy.rest[0].cancel()
        threading.Thread(target=busy.go_on.tell).start()
        return await waiting

    outcomes = asyncio.run(main())
    assert [isinstance(each, asyncio.CancelledError) for each in outcomes] == [False, True, *[False] * 8, True]
    busy.pool.shutdown()


# ---- cancel="kill" ----


def test_by_default_what_runs_goes_on(busy: Busy) -> None:
    assert not busy.first.cancel()
    busy.end()
    assert busy.first.result() == "first"


def test_a_cancel_ends_the_worker_by_choice(face: str, fifo: Callable[[], Fifo]) -> None:
    busy = Busy(face, fifo, cancel="kill")
    assert busy.first.cancel()
    assert busy.first.cancelled()
    assert [future.result() for future in busy.rest] == [n * n for n in range(10)]
    assert busy.pool.submit(os.getpid).result() != busy.pid
    busy.pool.shutdown()


def test_the_choice_of_one_submission(fifo: Callable[[], Fifo]) -> None:
    with Pool(1) as pool:
        begun = fifo()
        future = pool.with_options(cancel="kill").submit(meet, begun)
        begun.hear()
        assert future.cancel()
    with Pool(1, cancel="kill") as pool:
        begun, go_on = fifo(), fifo()
        future = pool.with_options(cancel="queued").submit(meet, begun, go_on, 5)
        begun.hear()
        assert not future.cancel()
        go_on.tell()
        assert future.result() == 5


@pytest.mark.parametrize("drop_in", [False, True])
def test_an_await_that_is_given_up_frees_its_worker(drop_in: bool, fifo: Callable[[], Fifo]) -> None:
    begun = [fifo(), fifo()]

    async def client(pool: Any, at: Fifo) -> None:
        if drop_in:
            await asyncio.get_running_loop().run_in_executor(pool, meet, at)
        else:
            await pool.submit(meet, at)

    async def main(pool: Any) -> int:
        clients = [asyncio.create_task(client(pool, each)) for each in begun]
        for each in begun:
            await asyncio.to_thread(each.hear)
        for each in clients:
            each.cancel()
        await asyncio.wait(clients)
        return await asyncio.wrap_future(pool.submit(square, 9))  # both workers had hung

    with ProcessPoolExecutor(2, cancel="kill") if drop_in else Pool(2, cancel="kill") as pool:
        assert asyncio.run(main(pool)) == 81


@pytest.mark.parametrize("make", [Pool, ProcessPoolExecutor, lambda cancel: Pool().with_options(cancel=cancel)])
def test_there_are_two_choices(make: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="cancel must be one of queued, kill, not 'all'"):
        make(cancel="all")


# ---- terminate_workers ----


def _deaf_to_sigterm(begun: Fifo) -> None:
    begun.tell(os.getpid())
    while True:
        signal.pause()


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None], ids=["ignored", "handler"])
def test_terminate_workers_ends_those_with_a_handler_too(handler: Any, start: str, fifo: Callable[[], Fifo]) -> None:
    """Servers set one before they make their pool, and a fork inherits it."""
    import multiprocessing

    begun = fifo()
    before = signal.signal(signal.SIGTERM, handler)
    try:
        executor = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(start))
        running = executor.submit(_deaf_to_sigterm, begun)
        behind = executor.submit(square, 1)
        begun.hear()
        executor.terminate_workers()
        assert isinstance(running.exception(), cf.process.BrokenProcessPool)
        assert behind.cancelled()
        executor.shutdown()
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("raised", [SystemExit, KeyboardInterrupt, GeneratorExit, ValueError])
def test_what_a_callback_raises_keeps_no_other_from_being_told(raised: type[BaseException]) -> None:
    told = threading.Event()

    def fail(future: Any) -> None:
        raise raised("of a callback")

    with Pool(1) as pool:
        future = pool.submit(square, 3)
        future.add_done_callback(fail)
        future.add_done_callback(lambda _: told.set())
        assert told.wait(60)
        assert pool.submit(square, 4).result() == 16


def test_what_a_callback_raises_in_cancel_comes_out_when_all_are_told(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    told: list[Any] = []

    def leave(future: Any) -> None:
        raise SystemExit(5)

    with Pool(1) as pool:
        running = pool.submit(meet, begun, go_on)
        begun.hear()
        waiting = pool.submit(square, 3)
        waiting.add_done_callback(leave)
        waiting.add_done_callback(told.append)
        with pytest.raises(SystemExit):
            waiting.cancel()
        assert told == [waiting]
        assert waiting.cancelled()
        go_on.tell()
        running.result()

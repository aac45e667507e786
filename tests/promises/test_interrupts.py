"""A person's Ctrl-C ends whatever the program waits for, at a prompt or for good. No test here asserts how long that
took: a wait that cannot be ended is a test that does not end."""

from __future__ import annotations

import asyncio
import concurrent.futures as cf
import contextlib
import functools
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hotspare
import pytest
from hotspare import Pool, ProcessPoolExecutor, _core, _interrupts
from interrupted_program import Program, hang, hang_deaf, say_when_heard
from python_tasks import Fifo, meet, note, note_and_return, same, square

FACES = ["Pool", "ProcessPoolExecutor"]
HANGS = ["hang_deaf", "hang_blocked", "hang_in_c", "hang_and_swallow"]


@pytest.fixture(params=FACES)
def face(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _interrupt(begun: Fifo | None = None, *, times: int = 1) -> threading.Thread:
    """Sends this process SIGINT, when a task has begun."""

    def send() -> None:
        for _ in range(times):
            if begun is not None:
                begun.hear()
            os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


# ---- programs at a terminal ----

_LEAVES = {
    "with, in result": ["with {face}(1) as pool:", "    pool.submit({hang}, {begun!r}, {note!r}).result()"],
    "with, in its end": ["with {face}(1) as pool:", "    pool.submit({hang}, {begun!r}, {note!r})"],
    "shutdown": ["pool = {face}(1)", "pool.submit({hang}, {begun!r}, {note!r})", "pool.shutdown()"],
    "no with, in result": ["pool = {face}(1)", "pool.submit({hang}, {begun!r}, {note!r}).result()"],
    "no with, at exit": ["pool = {face}(1)", "future = pool.submit({hang}, {begun!r}, {note!r})"],
    "another exception": [
        "with {face}(1) as pool:",
        "    pool.submit({hang}, {begun!r}, {note!r})",
        "    raise ValueError('first')",
    ],
    "map": ["with {face}(1) as pool:", "    list(pool.map({hang}, [{begun!r}], [{note!r}]))"],
    "cf.wait": ["with {face}(1) as pool:", "    cf.wait([pool.submit({hang}, {begun!r}, {note!r})])"],
    "with in a coroutine": [
        "async def main():",
        "    with {face}(1) as pool:",
        "        await asyncio.wrap_future(pool.submit({hang}, {begun!r}, {note!r}))",
        "asyncio.run(main())",
    ],
    "result in a coroutine": [
        "async def main():",
        "    with {face}(1) as pool:",
        "        pool.submit({hang}, {begun!r}, {note!r}).result()",
        "asyncio.run(main())",
    ],
    "with in a thread": [
        "def wait():",
        "    with {face}(1) as pool:",
        "        pool.submit({hang}, {begun!r}, {note!r}).result()",
        "thread = threading.Thread(target=wait)",
        "thread.start()",
        "thread.join()",
    ],
}


def _program(tmp_path: Path, how: str, face: str, hang: str, begun: Fifo, *before: str) -> Program:
    note = str(tmp_path / "note")
    lines = [line.format(face=face, hang=hang, begun=begun.path, note=note) for line in _LEAVES[how]]
    return Program(tmp_path, *before, *lines)


@pytest.mark.parametrize("how", _LEAVES)
def test_one_press_ends_a_program(tmp_path: Path, face: str, how: str, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    with _program(tmp_path, how, face, "hang", begun) as program:
        begun.hear()
        program.press()
        code = program.end()
        assert "KeyboardInterrupt" in program.output
        # At its exit the interpreter tells of it, but has its code already; so does the standard class.
        assert code == (0 if how == "no with, at exit" else -signal.SIGINT), program.output
    assert (tmp_path / "note").read_text() == "interrupted"  # the task got it, too


@pytest.mark.parametrize(("face", "hang"), [*(("Pool", each) for each in HANGS), (FACES[1], "hang_in_c")])
def test_one_press_ends_what_does_not_listen(tmp_path: Path, face: str, hang: str, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    with _program(tmp_path, "with, in result", face, hang, begun) as program:
        begun.hear()
        program.press()
        assert program.end() == -signal.SIGINT, program.output


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_one_press_ends_workers_that_were_started_afresh(tmp_path: Path, method: str, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    note = str(tmp_path / "note")
    with Program(
        tmp_path,
        f"with Pool(1, start={method!r}) as pool:",
        f"    pool.submit(hang, {begun.path!r}, {note!r}).result()",
    ) as program:
        begun.hear()
        program.press()
        assert program.end() == -signal.SIGINT, program.output
    assert (tmp_path / "note").read_text() == "interrupted"


_FOR_EVER = "from hotspare import _engine; _engine.END_GRACE = 1e6"


@pytest.mark.parametrize("how", ["with, in result", "with, in its end", "shutdown", "no with, in result"])
def test_a_second_press_kills_at_once(tmp_path: Path, face: str, how: str, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    heard = Fifo(str(tmp_path / "note"))
    os.mkfifo(heard.path)
    with _program(tmp_path, how, face, "say_when_heard", begun, _FOR_EVER) as program:
        begun.hear()
        program.press()
        heard.hear()
        program.press()
        assert program.end() == -signal.SIGINT, program.output


def test_a_handler_that_does_not_raise_is_no_interrupt(tmp_path: Path, face: str, fifo: Callable[[], Fifo]) -> None:
    begun, heard = fifo(), fifo()
    with Program(
        tmp_path,
        _FOR_EVER,
        "with contextlib.suppress(KeyboardInterrupt):",
        f"    with {face}(1) as pool:",
        f"        future = pool.submit(hang_with_handler, {begun.path!r}, {heard.path!r})",
        "        rest = [pool.submit(time.sleep, 1000) for _ in range(3)]",
        "        future.result()",
        "say(future.result(), [each.cancelled() for each in rest])",
    ) as program:
        begun.hear()
        program.press()
        heard.hear()
        assert program.end() == 0, program.output
    assert "17 [True, True, True]" in program.output  # the result was committed meanwhile, and is kept


def test_async_with_ends_after_one_press(tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    note = str(tmp_path / "note")
    with Program(
        tmp_path,
        "async def main():",
        "    async with Pool(1) as pool:",
        f"        await pool.submit(hang, {begun.path!r}, {note!r})",
        "asyncio.run(main())",
    ) as program:
        begun.hear()
        program.press()
        assert program.end() == -signal.SIGINT, program.output
    assert (tmp_path / "note").read_text() == "interrupted"


class _Runner:
    """asyncio's, as far as its handler of SIGINT is known by it."""

    _interrupt_count = 1

    def on_sigint(self, number: int, frame: Any) -> None: ...


def _is_pending_under(runner: _Runner) -> bool:
    answers: list[bool] = []

    async def ask() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        answers.append(_interrupts.is_pending())

    before = signal.signal(signal.SIGINT, functools.partial(runner.on_sigint))
    try:
        asyncio.run(ask())
    except asyncio.CancelledError:
        pass
    finally:
        signal.signal(signal.SIGINT, before)
    return answers == [True]


def test_the_first_press_in_each_asyncio_run_is_heard() -> None:
    """A runner may lie where the one before has lain."""
    first = _Runner()
    assert _is_pending_under(first)
    assert not _is_pending_under(first)
    place = id(first)
    others = []
    del first
    gc.collect()
    while id(second := _Runner()) != place:
        others.append(second)
        assert len(others) < 1_000_000
    assert _is_pending_under(second)


def test_a_callback_that_never_returns_holds_nobody(tmp_path: Path, face: str, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    with Program(
        tmp_path,
        f"pool = {face}(1)",
        "future = pool.submit(square, 3)",
        f"future.add_done_callback(lambda _: hang({begun.path!r}, os.devnull))",
        "pool.shutdown()",
    ) as program:
        begun.hear()
        program.press()
        assert program.end() == -signal.SIGINT, program.output


def test_threads_that_the_end_overtakes_end_nobody(tmp_path: Path, face: str, fifo: Callable[[], Fifo]) -> None:
    """The interpreter's end comes while daemon threads are about to take its lock again."""
    with Program(
        tmp_path,
        f"with {face}(2) as pool:",
        "    def wait():",
        "        with contextlib.suppress(RuntimeError):",
        "            while True: pool.submit(square, 3).result()",
        "    for _ in range(20): threading.Thread(target=wait, daemon=True).start()",
        "    pool.submit(square, 2).result()",
        "    say('ready')",
        "    pause()",
    ) as program:
        program.read("ready")
        program.press()
        assert program.end() == -signal.SIGINT, program.output


def test_a_handler_that_exits_leaves_shutdown(tmp_path: Path, face: str, fifo: Callable[[], Fifo]) -> None:
    """A program told to stop by a signal whose handler calls sys.exit, as in many containers."""
    begun = fifo()
    with Program(
        tmp_path,
        "signal.signal(signal.SIGINT, lambda number, frame: sys.exit(7))",
        f"pool = {face}(1)",
        f"pool.submit(hang_deaf, {begun.path!r}, '')",
        "pool.shutdown()",
    ) as program:
        begun.hear()
        program.press()
        assert program.end() == 7, program.output


def test_a_prompt_goes_on_and_nothing_of_the_pool_is_left(tmp_path: Path, face: str, fifo: Callable[[], Fifo]) -> None:
    """As in a notebook: each cell is interrupted, the process goes on, and makes another pool."""
    begun = [fifo() for _ in range(2)]
    lines = []
    for each in begun:
        lines += [
            "with interrupt_expected():",
            f"    with {face}(1) as pool:",
            f"        pool.submit(hang_deaf, {each.path!r}, '').result()",
        ]
    with Program(tmp_path, *lines, f"with {face}(1) as pool:", "    say(pool.submit(square, 7).result())") as program:
        for each in begun:
            each.hear()
            program.press()
        assert program.end() == 0, program.output
    assert program.output.count("interrupted\n") == 2
    assert "not interrupted" not in program.output
    assert "49" in program.output


# ---- here, with a prompt's way of going on ----


def test_an_interrupted_result_touches_nothing(fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with Pool(1) as pool:
        future = pool.submit(meet, begun, go_on, "kept")
        behind = pool.submit(square, 3)
        helper = _interrupt(begun)
        with pytest.raises(KeyboardInterrupt):
            future.result()
        helper.join()
        assert not future.done()
        assert not behind.done()
        go_on.tell()
        assert future.result() == "kept"
        assert behind.result() == 9
        assert pool.stats()["deaths"] == pool.stats()["cancelled"] == 0


@pytest.mark.parametrize(
    "wait", [cf.wait, lambda futures: list(cf.as_completed(futures))], ids=["wait", "as_completed"]
)
def test_an_interrupted_wait_touches_nothing(wait: Callable[[Any], Any], fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with ProcessPoolExecutor(1) as executor:
        future = executor.submit(meet, begun, go_on, "kept")
        helper = _interrupt(begun)
        with pytest.raises(KeyboardInterrupt):
            wait([future])
        helper.join()
        go_on.tell()
        assert future.result() == "kept"


@pytest.mark.parametrize("way", ["map", "as_completed", "drop-in", "chunksize"])
def test_an_interrupted_map_drops_what_it_has_not_begun(way: str, tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    path = str(tmp_path / "ran")
    items = [(begun, go_on), *[(None, None)] * 50]
    pool: Any = Pool(1) if way in ("map", "as_completed") else ProcessPoolExecutor(1)
    with pool:
        args = ([path] * len(items), items)
        results = (
            pool.as_completed(_meet_or_note, *args)
            if way == "as_completed"
            else pool.map(_meet_or_note, *args, **({"chunksize": 1} if way == "chunksize" else {}))
        )
        other = pool.submit(same, "another's")
        helper = _interrupt(begun)
        with pytest.raises(KeyboardInterrupt):
            next(results)
        helper.join()
        go_on.tell()
        assert other.result() == "another's"
    assert (
        not Path(path).exists() or len(Path(path).read_text().split()) <= 1
    )  # at most what shared the first one's chunk
    with pytest.raises(StopIteration):
        next(results)


class _PressedWhileRead(list[int]):
    """As if somebody pressed Ctrl-C between two items."""

    def __iter__(self) -> Iterator[int]:
        return map(self._item, range(len(self)))

    def _item(self, at: int) -> int:
        if at == 50:
            signal.raise_signal(signal.SIGINT)
        return self[at]


class _PressedWhileWatched:
    """An engine; as if somebody pressed Ctrl-C when it is told to watch its tenth task."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._watched = 0

    def watch(self, task: Any, chunk: Any) -> None:
        self._watched += 1
        if self._watched == 10:
            raise KeyboardInterrupt
        self._core.watch(task, chunk)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)


@pytest.mark.parametrize(
    ("way", "when"), [("map", "reading"), ("as_completed", "reading"), ("as_completed", "watching")]
)
def test_an_interrupted_submit_leaves_no_gap_in_a_map_of_others(way: str, when: str, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    given: list[int] = []
    with Pool(1) as pool:
        pool.submit(meet, begun, go_on)
        begun.hear()
        if when == "watching":
            pool._core = _PressedWhileWatched(pool._core)
        items = range(200)
        results = getattr(pool, way)(square, _PressedWhileRead(items) if when == "reading" else items)
        with pytest.raises(KeyboardInterrupt):
            pool.submit(square, 1)  # what is left of the map comes first
        go_on.tell()
        with pytest.raises(RuntimeError, match="not handed out: KeyboardInterrupt"):
            given.extend(results)
        assert sorted(given) == [n * n for n in range(len(given))]


def _meet_or_note(path: str, item: tuple[Fifo | None, Fifo | None]) -> None:
    begun, go_on = item
    if begun is None:
        note(path, "ran")
    else:
        meet(begun, go_on)


def test_an_interrupted_submit_has_not_submitted(fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    pool = Pool(1, queue_limit=1)
    pool.submit(meet, begun)
    helper = _interrupt(begun)
    submitted = 0
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        while True:
            pool.submit(square, 1)
            submitted += 1
    helper.join()
    counted = pool.stats()["submitted"] - 1
    pool.kill()
    assert counted - submitted in (0, 1)  # it may have come when the call was over, and not yet counted here


def test_what_a_handler_raises_in_submit_is_not_the_futures(fifo: Callable[[], Fifo]) -> None:
    """Whatever it is, while submit waits for room. A handler that runs while Python pickles looks like the pickler."""

    def stop(number: int, frame: Any) -> None:
        raise TimeoutError("from the handler")

    begun = fifo()
    pool = Pool(1, queue_limit=1)
    pool.submit(meet, begun)
    before = signal.signal(signal.SIGINT, stop)
    try:
        helper = _interrupt(begun)
        with pytest.raises(TimeoutError, match="from the handler"):  # noqa: PT012
            while True:
                future = pool.submit(square, 1)
                if future.done():
                    future.result()
        helper.join()
    finally:
        signal.signal(signal.SIGINT, before)
        pool.kill()


def test_an_interrupted_shutdown_leaves_nothing(face: str, fifo: Callable[[], Fifo], tmp_path: Path) -> None:
    begun = fifo()
    pool: Any = getattr(hotspare, face)(1)
    running = pool.submit(hang, begun.path, str(tmp_path / "note"))
    rest = [pool.submit(square, n) for n in range(20)]
    helper = _interrupt(begun)
    with pytest.raises(KeyboardInterrupt):
        pool.shutdown()
    helper.join()
    assert pool._engine.is_gone
    assert isinstance(running.exception(), KeyboardInterrupt)
    assert all(future.cancelled() for future in rest)


def test_what_outlives_the_grace_is_killed_and_says_so(face: str, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    pool: Any = getattr(hotspare, face)(1)
    running = pool.submit(hang_deaf, begun.path, "")
    helper = _interrupt(begun)
    with pytest.raises(KeyboardInterrupt):
        pool.shutdown()
    helper.join()
    error = running.exception()
    assert isinstance(error, hotspare.WorkerDied)
    assert error.cause == "cancelled"
    assert "shut down" in str(error.report.evidence)
    assert isinstance(error, cf.process.BrokenProcessPool) == (face == "ProcessPoolExecutor")


def test_another_exception_of_a_handler_leaves_shutdown_and_the_pool_goes_on_closing(fifo: Callable[[], Fifo]) -> None:
    class Stop(Exception):
        pass

    def stop(number: int, frame: Any) -> None:
        raise Stop

    begun, go_on = fifo(), fifo()
    pool = Pool(1)
    future = pool.submit(meet, begun, go_on, 5)
    before = signal.signal(signal.SIGINT, stop)
    try:
        helper = _interrupt(begun)
        with pytest.raises(Stop):
            pool.shutdown()
        helper.join()
    finally:
        signal.signal(signal.SIGINT, before)
    go_on.tell()
    assert future.result() == 5
    pool.shutdown()


def test_a_batch_that_is_being_closed_can_be_interrupted(tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    begun, go_on = fifo(), fifo()
    with Pool(1) as pool:
        batch = pool.batch(tmp_path / "journal")
        reading = batch.as_completed(meet, [begun], [go_on], [4])
        helper = _interrupt(begun, times=1)
        with pytest.raises(KeyboardInterrupt):
            next(reading)
        helper.join()
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # wherever the signal is noticed
            helper = _interrupt()
            batch.close()
        helper.join()
        go_on.tell()
        batch.close()
        with pool.batch(tmp_path / "journal") as again:
            assert again.counts()["kept"] == 0


def test_a_signal_to_an_idle_worker_is_nobodys(fifo: Callable[[], Fifo]) -> None:
    """The next task must not suffer: what was meant has just ended."""
    with Pool(1, spares=0) as pool:
        pid = pool.submit(os.getpid).result()
        for n in range(50):
            os.kill(pid, signal.SIGINT)
            assert pool.submit(square, n).result() == n * n
        assert pool.submit(os.getpid).result() == pid


def test_a_signal_from_outside_interrupts_the_task_that_runs(fifo: Callable[[], Fifo]) -> None:
    """As in the standard class."""
    begun = fifo()
    with Pool(1, spares=0) as pool:
        future = pool.submit(meet, begun)
        pid = int(begun.hear())
        os.kill(pid, signal.SIGINT)
        assert isinstance(future.exception(), KeyboardInterrupt)
        assert pool.submit(os.getpid).result() == pid


# ---- a signal that no system call is interrupted by ----


@contextlib.contextmanager
def _heard_elsewhere() -> Iterator[None]:
    """Python's handler runs on another thread than the main one: that is what a signal looks like to the main thread
    that came just before it fell asleep."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _interrupt_unheard(wait: Callable[[], Any]) -> None:
    """wait(), on this main thread, must end."""
    waits = threading.Event()
    main = threading.get_native_id()

    def send() -> None:
        waits.wait()
        while Path(f"/proc/self/task/{main}/stat").read_text().rpartition(")")[2].split()[0] != "S":
            os.sched_yield()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)

    thread = threading.Thread(target=send)
    thread.start()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        waits.set()
        wait()
    thread.join()


def test_a_signal_that_interrupts_no_system_call_ends_every_wait(fifo: Callable[[], Fifo], tmp_path: Path) -> None:
    begun = fifo()
    pool = Pool(1, queue_limit=1)
    hung = pool.submit(meet, begun)
    begun.hear()
    later = pool.submit(square, 2)
    waits: list[Callable[[], Any]] = [
        lambda: hung.result(),
        lambda: later.result(1e6),
        lambda: hung.exception(),
        lambda: [pool.submit(square, n) for n in range(100)],
        lambda: pool._core.started_pids(1000),
        lambda: pool.shutdown(),
    ]
    with _heard_elsewhere():
        for wait in waits:
            _interrupt_unheard(wait)
    assert pool._engine is not None
    assert pool._engine.is_gone


@pytest.mark.parametrize("way", ["map", "as_completed"])
def test_a_signal_that_interrupts_no_system_call_ends_a_map(way: str, fifo: Callable[[], Fifo], tmp_path: Path) -> None:
    pool = Pool(1)
    batch = pool.batch(tmp_path / "journal")
    with _heard_elsewhere():
        for maps in (pool, batch):
            begun = fifo()
            reading = getattr(maps, way)(meet, [begun])
            _interrupt_unheard(lambda reading=reading: next(reading))  # type: ignore[misc]
        del reading
    pool.kill()
    batch.close(wait=False)


def test_signals_at_any_moment_end_the_wait(fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    pool = Pool(1)
    future = pool.submit(meet, begun)
    begun.hear()
    for _ in range(300):
        helper = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012  # wherever the signal is noticed
            helper.start()
            future.result()
        helper.join()
    pool.kill()


def test_the_programs_own_wakeup_descriptor_hears_of_it_too(fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    before = signal.set_wakeup_fd(writing)
    try:
        with Pool(1) as pool:
            go_on = fifo()
            future = pool.submit(meet, begun, go_on, 3)
            helper = _interrupt(begun)
            with pytest.raises(KeyboardInterrupt):
                future.result()
            helper.join()
            assert os.read(reading, 10) == bytes([signal.SIGINT])
            assert signal.set_wakeup_fd(writing) == writing
            go_on.tell()
            assert future.result() == 3
        assert signal.set_wakeup_fd(writing) == writing
    finally:
        signal.set_wakeup_fd(before)
        os.close(reading)
        os.close(writing)


def test_a_handler_may_wait_itself(fifo: Callable[[], Fifo]) -> None:
    answers: list[int] = []

    with Pool(2) as pool:

        def ask(number: int, frame: Any) -> None:
            answers.append(pool.submit(square, 6).result())

        begun, go_on = fifo(), fifo()
        before = signal.signal(signal.SIGINT, ask)
        try:
            future = pool.submit(meet, begun, go_on, "done")

            def helper() -> None:
                begun.hear()
                os.kill(os.getpid(), signal.SIGINT)
                while not answers:
                    os.sched_yield()
                go_on.tell()

            thread = threading.Thread(target=helper)
            thread.start()
            assert future.result() == "done"
            thread.join()
        finally:
            signal.signal(signal.SIGINT, before)
    assert answers == [36]


def test_a_handler_may_wait_while_another_future_gets_its_condition(
    fifo: Callable[[], Fifo], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = fifo(), fifo()
    heard: list[str] = []

    def condition() -> Any:
        monkeypatch.undo()
        signal.raise_signal(signal.SIGUSR1)
        return threading.Condition()

    with Pool(1) as pool:
        other = pool.submit(meet, begun, go_on, "other")
        other.add_done_callback(lambda _: None)
        begun.hear()
        future = pool.submit(square, 3)

        def handler(number: int, frame: Any) -> None:
            go_on.tell()
            heard.append(other.result())

        before = signal.signal(signal.SIGUSR1, handler)
        try:
            monkeypatch.setattr(threading, "Condition", condition)
            future.add_done_callback(lambda _: None)
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert future.result() == 9
    assert heard == ["other"]


_FEEDS = {
    "callback": ["pool.submit(square, 5).add_done_callback(lambda future: values.put(future.result()))"],
    "as_completed": ["for value in pool.as_completed(square, [5]):", "    values.put(value)"],
}


@pytest.mark.parametrize("way", _FEEDS)
def test_a_handler_may_close_the_pool_between_a_submission_and_its_watch(tmp_path: Path, way: str) -> None:
    with Program(
        tmp_path,
        "import queue",
        "from hotspare import _core",
        "def watch_later(*args):",
        "    _core.CorePool.watch = watch",
        "    signal.raise_signal(signal.SIGTERM)",
        "    watch(*args)",
        "signal.signal(signal.SIGTERM, lambda *_: pool.shutdown())",
        "watch, _core.CorePool.watch = _core.CorePool.watch, watch_later",
        "values = queue.SimpleQueue()",
        "pool = Pool(1)",
        "with contextlib.suppress(hotspare.PoolClosed):",
        *(f"    {line}" for line in _FEEDS[way]),
        "print(values.get())",
    ) as program:
        assert program.end() == 0, program.output
    assert program.output == "25\n"


def test_no_thread_is_left_when_no_pool_is(fifo: Callable[[], Fifo]) -> None:
    """A program without pools may fork as one without threads."""
    threads = len(os.listdir("/proc/self/task"))
    with Pool(1) as pool:
        pool.submit(square, 1).result()
    pool._core = None
    _core.join_closers()
    assert len(os.listdir("/proc/self/task")) <= threads


# ---- grace and kill ----


def test_a_grace_ends_a_shutdown(face: str, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    pool: Any = getattr(hotspare, face)(1)
    running = pool.submit(hang_deaf, begun.path, "")
    rest = [pool.submit(square, n) for n in range(5)]
    begun.hear()
    pool.shutdown(grace=0.01)
    assert isinstance(running.exception(), hotspare.WorkerDied)
    assert running.exception().cause == "cancelled"
    assert all(future.cancelled() for future in rest)


def test_a_grace_in_the_background(fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    pool = Pool(1)
    running = pool.submit(hang_deaf, begun.path, "")
    begun.hear()
    pool.shutdown(wait=False, grace=3600)
    assert not running.done()
    pool.shutdown(wait=False, grace=0)
    assert isinstance(running.exception(), hotspare.WorkerDied)
    pool.shutdown()


def test_kill_ends_at_once(fifo: Callable[[], Fifo], tmp_path: Path) -> None:
    begun = fifo()
    pool = Pool(1)
    running = pool.submit(say_when_heard, begun.path, "")
    begun.hear()
    rest = list(pool.submit(note_and_return, str(tmp_path / "ran"), n) for n in range(20))
    pool.kill()
    assert pool._engine is not None
    assert pool._engine.is_gone
    assert isinstance(running.exception(), hotspare.WorkerDied)
    assert all(future.cancelled() for future in rest)
    assert not (tmp_path / "ran").exists()
    pool.kill()


@pytest.mark.parametrize("grace", ["1", -1, True, float("nan")])
def test_a_grace_that_is_no_time(face: str, grace: Any) -> None:
    pool: Any = getattr(hotspare, face)(1)
    with pytest.raises((TypeError, ValueError), match="grace"):
        pool.shutdown(grace=grace)
    pool.shutdown()

"""P12. Workers are what multiprocessing's processes are, to those who look, and to those who put something around
them."""

from __future__ import annotations

import _posixsubprocess
import concurrent.futures
import ctypes
import gc
import json
import multiprocessing as mp
import multiprocessing.forkserver
import multiprocessing.util
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hotspare
import pytest
from conftest import wait_for_end
from hotspare import Pool, ProcessPoolExecutor, _start
from python_tasks import Fifo, environment, kill_self, output_of, same, square

_HOST = os.getpid()


@pytest.fixture
def standard(start: str) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """The class that ours stands in for, with a worker."""
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=mp.get_context(start)) as executor:
        yield executor
    if start == "forkserver":
        multiprocessing.forkserver._forkserver._stop()  # type: ignore[attr-defined]


def run_program(folder: Path, text: str, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """A program of its own, with a main module of its own."""
    program = folder / "program.py"
    program.write_text(textwrap.dedent(text))
    return subprocess.run(
        [sys.executable, str(program), *words], capture_output=True, text=True, check=False, cwd=folder, **more
    )


# ---- what they say of themselves ----


def _of_itself() -> dict[str, Any]:
    me, parent = mp.current_process(), mp.parent_process()
    assert parent is not None
    return {
        "method": mp.get_start_method(),
        "class": type(me).__name__,
        "name": me.name.partition("-")[0],
        "daemon": me.daemon,
        "alive": me.is_alive(),
        "pid": me.pid == os.getpid(),
        "exitcode": me.exitcode,
        "words": repr(me).split("-")[0],
        "started": "started" in repr(me),
        "identity": len(me._identity),  # type: ignore[attr-defined]
        "parent pid": parent.pid,
        "parent name": parent.name,
        "parent lives": parent.is_alive(),
        "joining the parent": parent.join(0),  # type: ignore[func-returns-value]
        "children": mp.active_children(),
        "thread": threading.current_thread() is threading.main_thread(),
        "stdin": sys.stdin.read(),
        "key": bytes(me.authkey),
    }


def test_a_worker_says_of_itself_what_one_of_the_standard_class_says(start: str, standard: Any) -> None:
    expected = standard.submit(_of_itself).result()
    with ProcessPoolExecutor(1, mp_context=mp.get_context(start)) as ours:
        told = ours.submit(_of_itself).result()
    assert told == expected


def _number_and_death(die: bool) -> int:
    if die:
        kill_self()
    return mp.current_process()._identity[-1]  # type: ignore[attr-defined,no-any-return]


def test_workers_are_numbered_as_processes_are(start: str) -> None:
    with Pool(1, start=start) as pool:
        numbers = []
        for _ in range(3):
            numbers.append(pool.submit(_number_and_death, False).result())
            pool.submit(_number_and_death, True).exception()
    assert len(set(numbers)) == 3
    assert min(numbers) in (1, 2)  # one of them is the spare


def _in_a_child(task: Callable[[], Any]) -> Any:
    with mp.get_context("fork").Pool(1) as pool:
        return pool.apply(task)


def test_a_worker_may_have_processes_of_multiprocessing(start: str) -> None:
    with Pool(1, start=start) as pool:
        assert pool.submit(_in_a_child, os.getpid).result() not in (os.getpid(), None)


def _name() -> str:
    return mp.current_process().name


def _name_in_a_pool_of_its_own(start: str) -> tuple[str, str]:
    with Pool(1, start=start) as pool:
        return _name(), pool.submit(_name).result()


def test_the_name_of_a_workers_worker_has_both_numbers(start: str) -> None:
    with Pool(1, start=start) as pool:
        outer, inner = pool.submit(_name_in_a_pool_of_its_own, start).result()
    assert inner.startswith(f"{outer}:")


# ---- what runs in them ----


def _register_all(path: str) -> None:
    def note(what: str) -> None:
        with open(path, "a") as file:
            file.write(what + "\n")

    import atexit

    atexit.register(note, "atexit")
    multiprocessing.util.Finalize(None, note, ("finalize",), exitpriority=1)
    threading._register_atexit(note, "threading")  # type: ignore[attr-defined]


def test_at_its_end_runs_what_runs_at_the_end_of_a_standard_worker(start: str, standard: Any, tmp_path: Path) -> None:
    standard.submit(_register_all, str(tmp_path / "standard")).result()
    standard.shutdown()
    with ProcessPoolExecutor(1, mp_context=mp.get_context(start)) as ours:
        ours.submit(_register_all, str(tmp_path / "ours")).result()
    assert (tmp_path / "ours").read_text() == (tmp_path / "standard").read_text()


# As coverage does: around each process, and whoever is prepared to be one is in the know.
AROUND = """
    import multiprocessing as mp, multiprocessing.process, os

    class Stowaway:
        def __getstate__(self): return {"notes": NOTES}
        def __setstate__(self, state): put_around(state["notes"])

    def put_around(notes):
        global NOTES
        NOTES = notes
        if hasattr(mp.process.BaseProcess, "_around"): return
        mp.process.BaseProcess._around = True
        original = mp.process.BaseProcess._bootstrap
        def bootstrap(self, *args, **kwargs):
            note("begins")
            try: return original(self, *args, **kwargs)
            finally: note("ends")
        mp.process.BaseProcess._bootstrap = bootstrap
        from multiprocessing import spawn
        data_of = spawn.get_preparation_data
        spawn.get_preparation_data = lambda name: {**data_of(name), "stowaway": Stowaway()}
    def note(what):
        with open(NOTES, "a") as file: file.write(f"{os.getpid()} {what}\\n")
"""
USES_AROUND = """
    import concurrent.futures, multiprocessing as mp, os, sys
    import around, hotspare
    if __name__ == "__main__":
        around.put_around(sys.argv[3])
        kind = {"std": concurrent.futures, "ours": hotspare}[sys.argv[1]].ProcessPoolExecutor
        with kind(1, mp_context=mp.get_context(sys.argv[2])) as executor:
            print(executor.submit(os.getpid).result())
"""


def test_what_somebody_puts_around_multiprocessings_processes_is_around_workers(start: str, tmp_path: Path) -> None:
    (tmp_path / "around.py").write_text(textwrap.dedent(AROUND))
    for which in ("std", "ours"):
        notes = tmp_path / which
        done = run_program(tmp_path, USES_AROUND, which, start, str(notes))
        assert done.returncode == 0, done.stderr
        pid = done.stdout.strip()
        of_worker = [line.split()[1] for line in notes.read_text().splitlines() if line.split()[0] == pid]
        assert of_worker == ["begins", "ends"], which


def test_lines_that_workers_run_are_measured(start: str, tmp_path: Path) -> None:
    pytest.importorskip("coverage")
    (tmp_path / ".coveragerc").write_text("[run]\nparallel=true\nconcurrency=multiprocessing,thread\n")
    text = """
        import multiprocessing as mp, sys
        from hotspare import ProcessPoolExecutor
        def work(x):
            y = x + 1
            if y > 2:
                y *= 2
            return y
        if __name__ == "__main__":
            with ProcessPoolExecutor(2, mp_context=mp.get_context(sys.argv[1])) as executor:
                print(list(executor.map(work, range(5))))
    """
    (tmp_path / "program.py").write_text(textwrap.dedent(text))
    coverage = [sys.executable, "-m", "coverage"]
    for words in (["run", "program.py", start], ["combine", "-q"], ["json", "-q", "-o", "report.json"]):
        done = subprocess.run([*coverage, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["files"]["program.py"]["missing_lines"] == []


# ---- random numbers ----

STREAMS = """
    import concurrent.futures, json, multiprocessing as mp, os, random, sys, tempfile, uuid
    import hotspare, helper
    OWN = random.Random()

    def draw(begun, go_on):
        open(begun, "w").close()
        open(go_on).read()
        return os.getpid(), [random.random(), OWN.random(), helper.OWN.random(), uuid.uuid4().hex,
                             next(tempfile._get_candidate_names()), random.SystemRandom().random()]

    if __name__ == "__main__":
        kind = {"std": concurrent.futures, "ours": hotspare}[sys.argv[1]].ProcessPoolExecutor
        with kind(3, mp_context=mp.get_context(sys.argv[2])) as executor:
            for n in range(3):
                for what in ("begun", "go_on"): os.mkfifo(f"{sys.argv[3]}/{what}{n}")
            futures = [executor.submit(draw, f"{sys.argv[3]}/begun{n}", f"{sys.argv[3]}/go_on{n}") for n in range(3)]
            for n in range(3): open(f"{sys.argv[3]}/begun{n}").read()
            for n in range(3): open(f"{sys.argv[3]}/go_on{n}", "w").close()
            drawn = dict(future.result() for future in futures)
        print(json.dumps([len(set(kind)) for kind in zip(*drawn.values())]))
"""


def test_workers_draw_no_fewer_streams_of_random_numbers_than_standard_ones(start: str, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("import random\nOWN = random.Random()\n")
    streams = {}
    for which in ("std", "ours"):
        room = tmp_path / which
        room.mkdir()
        done = run_program(tmp_path, STREAMS, which, start, str(room))
        assert done.returncode == 0, done.stderr
        streams[which] = json.loads(done.stdout)
    assert all(ours >= standard for ours, standard in zip(streams["ours"], streams["std"]))


def _numpys(begun: Fifo, go_on: Fifo) -> tuple[int, float]:
    import numpy

    begun.tell()
    go_on.hear()
    return os.getpid(), float(numpy.random.random())


@pytest.mark.parametrize("start", ["forkserver", "spawn"])
def test_numpys_numbers_differ_where_numpy_is_preloaded(start: str, fifo: Callable[[], Fifo]) -> None:
    meetings = [(fifo(), fifo()) for _ in range(3)]
    with Pool(3, start=start, preload=["numpy"]) as pool:
        futures = [pool.submit(_numpys, *both) for both in meetings]
        for begun, _ in meetings:
            begun.hear()
        for _, go_on in meetings:
            go_on.tell()
        drawn = dict(future.result() for future in futures)
    assert len(drawn) == len(set(drawn.values())) == 3


def _runs_of_main() -> tuple[int, int]:
    return os.getpid(), int(sys.modules["__main__"].BORN_IN)  # type: ignore[attr-defined]


def test_the_main_module_is_imported_by_each_worker_unless_it_is_preloaded(tmp_path: Path) -> None:
    text = """
        import os, sys
        from hotspare import Pool
        BORN_IN = os.getpid()
        def born(): return os.getpid() == BORN_IN
        if __name__ == "__main__":
            with Pool(1, start=sys.argv[1], preload=sys.argv[2:]) as pool: print(pool.submit(born).result())
    """
    for start in ("forkserver", "spawn"):
        assert run_program(tmp_path, text, start).stdout == "True\n"
        assert run_program(tmp_path, text, start, "__main__").stdout == "False\n"


# ---- what they hand on ----


class _StartsAPool:
    """To pickle it takes a pool."""

    def __reduce__(self) -> Any:
        with Pool(1, start="spawn", initializer=square, initargs=(2,)) as pool:
            return same, (pool.submit(square, 3).result(),)


def test_a_pool_may_start_while_multiprocessing_pickles_a_process() -> None:
    context = mp.get_context("spawn")
    lock = context.Lock()
    process = context.Process(target=same, args=((_StartsAPool(), lock),))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_orders_to_programs_that_somebody_else_starts_do_not_cross(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under a debugger: what two threads start at once is told each its own, by the one environment there is."""
    putenv, getenv = os.putenv, ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    second_puts = threading.Event()
    heard: list[tuple[bytes, bytes]] = []

    def put(name: str, value: str) -> None:
        putenv(name, value)
        if value == "second":
            second_puts.set()

    def spawn(path: bytes, command: list[bytes], inherited: list[int]) -> int:
        if path == b"first":
            thread.start()
            second_puts.wait(1)  # in vain: it waits for this one
        heard.append((path, getenv(b"HOTSPARE_TEST_ORDER")))
        return 0

    def start(name: str) -> None:
        _start.spawn_as_asked([name.encode()], [], f"HOTSPARE_TEST_ORDER={name}")

    monkeypatch.setattr(_posixsubprocess, "fork_exec", lambda *_: 0)
    monkeypatch.setattr(os, "putenv", put)
    monkeypatch.setattr(multiprocessing.util, "spawnv_passfds", spawn)
    thread = threading.Thread(target=start, args=("second",))
    start("first")
    thread.join()
    assert heard == [(b"first", b"first"), (b"second", b"second")]


_kept: list[int] = []


def _first_kept() -> int:
    return _kept[0]


def test_pools_that_start_at_once_have_each_its_own_initializer(monkeypatch: pytest.MonkeyPatch) -> None:
    both, host = threading.Barrier(2), os.getpid()

    def flush() -> None:
        if os.getpid() == host:
            both.wait()

    monkeypatch.setattr(multiprocessing.util, "_flush_std_streams", flush)
    kept: dict[int, int] = {}

    def start(number: int) -> None:
        with Pool(1, start="fork", initializer=_kept.append, initargs=(number,)) as pool:
            kept[number] = pool.submit(_first_kept).result()

    threads = [threading.Thread(target=start, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept == {1: 1, 2: 2}


def test_nothing_of_ours_is_in_the_environment_of_a_task(start: str) -> None:
    with Pool(1, start=start, initializer=same, initargs=(mp.get_context(start).Lock(),)) as pool:
        seen = pool.submit(environment).result()
        # A shell hands on all that is not close-on-exec.
        handed_on = pool.submit(output_of, "ls -l /proc/self/fd; env").result().splitlines()
    assert {name for name in seen if "HOTSPARE" in name} <= set(os.environ)
    ours = [line for line in handed_on if "memfd" in line or "hotspare" in line or "HOTSPARE_Z" in line]
    assert ours == []


USES_A_POOL = """
    import hotspare, sys
    if __name__ == "__main__":
        with hotspare.Pool(1, start=sys.argv[1]) as pool: print(pool.submit(abs, -3).result())
"""


def _start_program(command: list[str], more: dict[str, str]) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **more}, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("inner", ["fork", "spawn"])
def test_a_program_that_a_task_starts_may_have_a_pool(start: str, inner: str, tmp_path: Path) -> None:
    program = tmp_path / "inner.py"
    program.write_text(textwrap.dedent(USES_A_POOL))
    with Pool(1, start=start) as pool:
        code, out, err = pool.submit(_start_program, [sys.executable, str(program), inner], {"MORE": "1"}).result()
    assert (code, out) == (0, "3\n"), err


@pytest.mark.parametrize("stale", ["3", "7:12345", "0:1", "no number", ""])
def test_a_variable_that_was_left_by_somebody_is_no_order(stale: str, tmp_path: Path) -> None:
    more = {"env": {**os.environ, "HOTSPARE_ZYGOTE": stale}}
    for start in ("fork", "spawn"):
        done = run_program(tmp_path, USES_A_POOL, start, **more)
        assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr


# ---- what a task leaves behind ----


class Deadly:
    """Its destructor ends the worker."""

    def __init__(self, more: Any = None) -> None:
        self.more = more

    def __del__(self) -> None:
        if os.getpid() != _HOST and mp.parent_process() is not None:
            os._exit(3)


def _forty_two(*_: Any, **__: Any) -> int:
    return 42


def _gives_deadly(_: Any = None) -> Deadly:
    return Deadly("result")


def _raises_with_deadly(deadly: Any) -> None:
    raise ValueError("mine")


class DeadlyError(Exception):
    def __del__(self) -> None:
        Deadly.__del__(self)  # type: ignore[arg-type]


def _raises_deadly() -> None:
    raise DeadlyError("mine")


@pytest.mark.parametrize("kind", [Pool, ProcessPoolExecutor])
def test_an_outcome_is_safe_before_arguments_are_let_go(kind: Any) -> None:
    with kind(1) as pool:
        assert pool.submit(_forty_two, Deadly()).result() == 42
        assert pool.submit(_forty_two, key=Deadly()).result() == 42
        assert pool.submit(_forty_two, [{"deep": Deadly()}]).result() == 42
        assert pool.submit(_gives_deadly).result().more == "result"
        assert str(pool.submit(_raises_with_deadly, Deadly()).exception()) == "mine"
        deadly = Deadly()
        assert pool.submit(lambda: 7 if deadly else 8).result() == 7


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_an_outcome_is_safe_before_arguments_with_arrays_are_let_go(size: int) -> None:
    numpy = pytest.importorskip("numpy")
    with Pool(1) as pool:
        ones = numpy.ones(size)
        assert pool.submit(_forty_two, ones, Deadly()).result() == 42
        assert pool.submit(_forty_two, {"deep": [Deadly(ones)]}).result() == 42
        assert pool.submit(_gives_deadly, ones).result().more == "result"
        assert list(pool.map(_forty_two, [(ones, Deadly()) for _ in range(4)])) == [42] * 4
        assert pool.submit(_keep_the_last, [ones, Kept()]).result() == size
        assert pool.submit(_sum_of_the_last, numpy.zeros(size)).result() == size


class Kept:
    """Has a destructor, too."""

    def __del__(self) -> None:
        pass


def _keep_the_last(what: Any) -> int:
    sys.modules[__name__].__dict__["_last"] = what
    return len(what[0])


def _sum_of_the_last(_: Any) -> float:
    return float(sys.modules[__name__].__dict__["_last"][0].sum())


def test_an_exception_is_safe_before_it_is_let_go(pool: Pool) -> None:
    # Whether it can be unpickled is tried out in the worker, and what comes of that is let go there.
    error = pool.submit(_raises_with_deadly, Deadly([1])).exception()
    assert type(error) is ValueError


def test_the_items_of_a_chunk_are_safe_before_they_are_let_go() -> None:
    with ProcessPoolExecutor(1) as executor:
        assert list(executor.map(_forty_two, [Deadly() for _ in range(8)], chunksize=4)) == [42] * 8
    with Pool(1) as pool:
        assert list(pool.map(_forty_two, [Deadly() for _ in range(8)])) == [42] * 8


def _is_alive(number: int) -> bool:
    gc.collect()
    return any(isinstance(each, Marked) and each.number == number for each in gc.get_objects())


class Marked:
    def __init__(self, number: int) -> None:
        self.number = number


def test_a_worker_lets_go_of_arguments_before_its_next_task() -> None:
    with Pool(1) as pool:
        assert pool.submit(same, Marked(1)).result().number == 1
        assert not pool.submit(_is_alive, 1).result()
        pool.submit(_raises_with_deadly, Marked(2)).exception()
        assert not pool.submit(_is_alive, 2).result()


class _Late(Exception):
    pass


def _raise_late(number: int, frame: Any) -> None:
    raise _Late


def _leave_a_handler(told: Fifo | None = None) -> int:
    signal.signal(signal.SIGUSR1, _raise_late)
    return os.getpid()


@pytest.mark.parametrize("signalled_after", ["idle", "asleep"])
def test_a_handler_that_raises_in_an_idle_worker_costs_no_task(start: str, signalled_after: str) -> None:
    with Pool(1, start=start) as pool:
        pid = pool.submit(_leave_a_handler).result()
        if signalled_after == "asleep":
            wait_until_asleep(pid)
        os.kill(pid, signal.SIGUSR1)
        wait_for_end(pid)
        assert [pool.submit(square, x).result() for x in range(20)] == [x * x for x in range(20)]
        assert pool.stats()["died"] == 0
        assert pool.stats()["raised"] == 0


def wait_until_asleep(pid: int) -> None:
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        os.sched_yield()


def _exit_three(number: int, frame: Any) -> None:
    sys.exit(3)


def _leave_a_handler_that_exits(path: str) -> int:
    signal.signal(signal.SIGTERM, _exit_three)
    multiprocessing.util.Finalize(None, Path(path).write_text, ("ended",), exitpriority=1)
    return os.getpid()


def test_a_handler_that_exits_ends_an_idle_worker_as_a_process_ends(start: str, tmp_path: Path) -> None:
    ends: list[hotspare.Event] = []
    told = threading.Event()

    def note(event: hotspare.Event) -> None:
        if event.kind == "death":
            ends.append(event)
            told.set()

    with Pool(1, start=start, on_event=note) as pool:
        pid = pool.submit(_leave_a_handler_that_exits, str(tmp_path / "end")).result()
        os.kill(pid, signal.SIGTERM)
        told.wait()
        assert pool.submit(square, 3).result() == 9
    assert (tmp_path / "end").read_text() == "ended"
    assert [event.report.exitcode for event in ends] == [3]


def _handle_at_once(path: str) -> int:
    signal.signal(signal.SIGUSR1, lambda number, frame: open(path, "w").close())
    return os.getpid()


def test_a_handler_runs_while_its_worker_idles(tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    os.mkfifo(tmp_path / "heard")
    with Pool(1, spares=0) as pool:
        pid = pool.submit(_handle_at_once, str(tmp_path / "heard")).result()
        os.kill(pid, signal.SIGUSR1)
        (tmp_path / "heard").read_text()  # opened by the handler
        assert pool.submit(os.getpid).result() == pid

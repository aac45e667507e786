"""P7. After close, crash, or SIGKILL of the host nothing is left. Besides what each test asserts,
conftest.py compares
processes, descriptors and /dev/shm around every test of this folder."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing as mp
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hotspare
import pytest
from conftest import _shared_memory as _named_memory
from conftest import descendants, wait_for_end
from hotspare import Pool, ProcessPoolExecutor, WorkerDied
from python_tasks import Fifo, kill_self, meet, note, own_and_parent_pid, square


def _leave_children() -> list[int]:
    """A child, one in a session of its own, and an orphan; none of them listens to SIGTERM."""
    told, tell = os.pipe()
    for kind in ("child", "session", "orphan"):
        if os.fork() == 0:
            if kind == "session":
                os.setsid()
            if kind == "orphan" and os.fork() != 0:
                os._exit(0)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.write(tell, f"{os.getpid()}\n".encode())
            while True:
                signal.pause()
    os.close(tell)
    pids: list[int] = []
    text = b""
    while text.count(b"\n") < 3:
        text += os.read(told, 100)
    pids += map(int, text.split())
    os.close(told)
    return pids


def _leave_children_and_die(path: str) -> None:
    for pid in _leave_children():
        note(path, pid)
    kill_self()


def test_no_process_is_there_when_the_pool_has_closed(start: str) -> None:
    before = set(descendants())
    with Pool(2, start=start) as pool:
        pids = {pool.submit(os.getpid).result() for _ in range(20)}
        assert pids <= set(descendants())
    assert set(descendants()) <= before


def test_no_process_is_there_when_the_drop_in_has_closed(start: str) -> None:
    before = set(descendants())
    with ProcessPoolExecutor(2, mp.get_context(start)) as executor:
        assert executor.submit(os.getpid).result() in descendants()
    assert set(descendants()) <= before


def test_a_pool_that_was_never_used_starts_nothing() -> None:
    before = set(descendants())
    with Pool(2):
        assert set(descendants()) <= before


def test_children_of_a_living_worker_end_with_the_pool() -> None:
    with Pool(1) as pool:
        pids = pool.submit(_leave_children).result()
        assert set(pids) <= set(descendants())
    for pid in pids:
        wait_for_end(pid)


def test_children_of_a_dead_worker_end(tmp_path: Path) -> None:
    path = tmp_path / "pids"
    with Pool(1) as pool:
        assert isinstance(pool.submit(_leave_children_and_die, str(path)).exception(), WorkerDied)
        for pid in path.read_text().split():
            wait_for_end(int(pid))


def test_zombies_do_not_pile_up(pool: Pool) -> None:
    for _ in range(20):
        assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
    assert pool.submit(square, 2).result() == 4
    zombies = [what for what in descendants().values() if what.startswith("Z")]
    assert len(zombies) <= 3, zombies  # those that died a moment ago


def test_a_closed_pool_holds_no_descriptors() -> None:
    before = len(os.listdir("/proc/self/fd"))
    pool = Pool(1)
    pool.submit(square, 3).result()
    pool.shutdown()
    assert len(os.listdir("/proc/self/fd")) == before


def test_many_pools_leave_no_descriptors() -> None:
    before = len(os.listdir("/proc/self/fd"))
    for n in range(15):
        with Pool(1, start=["fork", "forkserver", "spawn"][n % 3]) as pool:
            assert pool.submit(square, 3).result() == 9
            if n % 2:
                assert isinstance(pool.submit(kill_self).exception(), WorkerDied)
        del pool
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_many_deaths_leave_no_descriptors(pool: Pool) -> None:
    for _ in range(3):
        assert isinstance(pool.submit(os.abort).exception(), WorkerDied)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(30):
        error = pool.submit(os.abort).exception()
        assert isinstance(error, WorkerDied)
        str(error)
    pool.submit(square, 3).result()
    assert len(os.listdir("/proc/self/fd")) <= before + 15  # those of the workers that are on their way


def test_a_pool_that_is_collected_finishes_and_goes() -> None:
    pool = Pool(1)
    _, zygote = pool.submit(own_and_parent_pid).result()
    future = pool.submit(square, 12)
    pids = [*pool.worker_pids(), zygote]
    gone = weakref.ref(pool)
    del pool
    gc.collect()
    assert gone() is None
    assert future.result() == 144
    for pid in pids:
        wait_for_end(pid)
    del future
    _until_no_thread_is_left()


def _until_no_thread_is_left() -> None:
    """The pool closes in the background: until it has, it holds what a look at leftovers would find."""
    import time

    from hotspare import _engine

    while _engine._alive:
        time.sleep(0.001)


def test_an_executor_that_is_collected_finishes_and_goes() -> None:
    executor = ProcessPoolExecutor(1)
    pid, zygote = executor.submit(own_and_parent_pid).result()
    futures = [executor.submit(square, x) for x in range(100)]
    del executor
    gc.collect()
    assert [future.result() for future in futures] == [x * x for x in range(100)]
    for each in (pid, zygote):
        wait_for_end(each)
    _until_no_thread_is_left()


def test_a_future_is_collected_with_its_result(pool: Pool) -> None:
    future = pool.submit(set, [1, 2, 3])
    result = future.result()
    gone = weakref.ref(future), weakref.ref(result)
    del future, result
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


# ---- the end of the host, whatever way it goes ----

_HOST = """
import os, signal, sys, threading
sys.path.insert(0, {folder!r})
import hotspare, multiprocessing as mp
from python_tasks import *

def main():
    global pool
    pool = hotspare.Pool(2, start={start!r})
    pid, zygote = pool.submit(own_and_parent_pid).result()
    pids = [*pool.worker_pids(), pid, zygote]
{body}

if __name__ == "__main__":
    main()
"""


def _host(tmp_path: Path, start: str, *body: str) -> subprocess.Popen[str]:
    script = tmp_path / "host.py"
    folder = str(Path(__file__).parent)
    text = "\n".join(f"    {line}" for line in body)
    script.write_text(_HOST.format(folder=folder, start=start, body=text))
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _all_end(host: subprocess.Popen[str]) -> list[int]:
    """Waits until everybody who holds the host's stdout, thus all that came from it, has gone."""
    out, _ = host.communicate()
    pids = [int(word) for word in out.split() if word.isdigit()]
    for pid in pids:
        wait_for_end(pid)
    return pids


def test_sigkill_of_the_host_ends_all(tmp_path: Path, start: str) -> None:
    host = _host(
        tmp_path,
        start,
        "running = pool.submit(signal.pause)",
        "print(*pids, flush=True)",
        "os.kill(os.getpid(), signal.SIGKILL)",
    )
    assert len(_all_end(host)) >= 3
    assert host.returncode == -signal.SIGKILL


def test_a_crash_of_the_host_ends_all(tmp_path: Path) -> None:
    host = _host(tmp_path, "fork", "pool.submit(signal.pause)", "print(*pids, flush=True)", "os.abort()")
    assert len(_all_end(host)) >= 3


def test_sigkill_of_the_host_ends_grandchildren_in_sessions_of_their_own(tmp_path: Path) -> None:
    host = _host(
        tmp_path,
        "fork",
        "import test_p7_nothing_left as here",
        "print(*pids, *pool.submit(here._leave_children).result(), flush=True)",
        "os.kill(os.getpid(), signal.SIGKILL)",
    )
    assert len(_all_end(host)) >= 6


def test_exit_without_shutdown_finishes_the_tasks(tmp_path: Path, start: str) -> None:
    ledger = tmp_path / "ledger"
    host = _host(
        tmp_path,
        start,
        f"for x in range(50): pool.submit(note, {str(ledger)!r}, x)",
        "print(*pids, flush=True)",
    )
    assert len(_all_end(host)) >= 3
    assert host.returncode == 0
    assert sorted(map(int, ledger.read_text().split())) == list(range(50))


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=pytest.mark.long)])
def test_exit_while_a_collected_pool_is_closing_is_clean(tmp_path: Path, times: int) -> None:
    for _ in range(times):
        host = _host(
            tmp_path,
            "fork",
            "for x in range(50): pool.submit(square, x)",
            "print(*pids, flush=True)",
            "del pool",
        )
        assert len(_all_end(host)) >= 3
        assert host.returncode == 0


@pytest.mark.parametrize("times", [15, pytest.param(100, marks=pytest.mark.long)])
def test_a_host_that_makes_many_pools_lives(tmp_path: Path, times: int) -> None:
    host = _host(
        tmp_path,
        "fork",
        f"for n in range({times}):",
        "    with hotspare.Pool(1) as pool: pool.submit(square, n).result()",
    )
    _all_end(host)
    assert host.returncode == 0


def test_an_exception_of_the_host_leaves_nothing(tmp_path: Path) -> None:
    host = _host(tmp_path, "fork", "print(*pids, flush=True)", "raise RuntimeError('end of the host')")
    assert len(_all_end(host)) >= 3
    assert host.returncode == 1


def test_a_keyboard_interrupt_leaves_nothing(tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    host = _host(
        tmp_path,
        "fork",
        "print(*pids, flush=True)",
        "try:",
        "    with pool:",
        f"        pool.submit(meet, Fifo({begun.path!r})).result()",
        "except KeyboardInterrupt:",
        "    print('interrupted', flush=True)",
        "    raise",
    )
    begun.hear()
    host.send_signal(signal.SIGINT)
    out, err = host.communicate()
    for word in out.split():
        if word.isdigit():
            wait_for_end(int(word))
    assert "interrupted" in out
    assert "KeyboardInterrupt" in err
    assert host.returncode == -signal.SIGINT


def test_a_keyboard_interrupt_sent_to_the_whole_group_leaves_nothing(tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    """As a terminal does it: the workers get the signal, too."""
    begun = fifo()
    script = [
        "print(*pids, flush=True)",
        f"future = pool.submit(meet, Fifo({begun.path!r}))",
        "future.result()",
    ]
    host = _host(tmp_path, "fork", "os.setpgid(0, 0)", *script)
    begun.hear()
    # All are looked up first: when a zygote has died of it, its workers are init's, and could not be found any more.
    pids = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and host.pid in _ancestors(int(pid))]
    os.killpg(host.pid, signal.SIGINT)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)
    assert len(_all_end(host)) >= 3


def _ancestors(pid: int) -> list[int]:
    found: list[int] = []
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
        found.append(pid)
    return found


def test_no_shared_memory_and_no_temporary_file_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = _named_memory()
    with Pool(2) as pool:
        assert len(pool.submit(bytes, 8 << 20).result()) == 8 << 20
        assert _named_memory() <= before
        assert list(tmp_path.iterdir()) == []


def _waits_for_its_own() -> bool:
    pool = Pool(1, start="fork")
    future = pool.submit(square, 3)
    pool.shutdown()
    return future.done()


def _in_a_fork() -> bool:
    pid = os.fork()
    if pid == 0:
        os._exit(0 if _waits_for_its_own() else 1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _in_a_worker() -> bool:
    with Pool(1, start="fork") as pool:
        return pool.submit(_waits_for_its_own).result()


@pytest.mark.parametrize("where", [_in_a_fork, _in_a_worker])
def test_what_a_callback_forks_waits_for_its_own_pools(pool: Pool, where: Callable[[], bool]) -> None:
    waited: queue.SimpleQueue[bool] = queue.SimpleQueue()
    pool.submit(square, 3).add_done_callback(lambda _: waited.put(where()))
    assert waited.get()


def test_threads_of_the_pool_end_with_it() -> None:
    def tasks() -> int:
        return len(os.listdir("/proc/self/task"))

    before = tasks()
    with hotspare.Pool(2) as pool:
        pool.submit(square, 2).result()
        assert tasks() > before
    assert tasks() == before


def test_a_worker_task_that_waits_for_ever_ends_with_a_kill(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    future = pool.submit(meet, begun)
    pid = int(begun.hear())
    assert future.cancel(kill=True)
    wait_for_end(pid)


CLOSES_ALL = """
import os, sys
from hotspare import Pool, PoolBroken, StandbyChannel
from python_processors import BLOCK, Chain

def numbers_and_files():
    return [(fd, os.fstat(fd).st_ino) for fd in own]

if __name__ == "__main__":
    kind, start = sys.argv[1:]
    if kind == "pool":
        it = Pool(1, start=start)
        it.submit(abs, -1).result()
    else:
        it = StandbyChannel(Chain, block=BLOCK, period=0.01, start=start)
    os.closerange(3, 1024)  # as programs do that become daemons
    own = [os.open("/", os.O_RDONLY) for _ in range(60)]
    before = numbers_and_files()
    it.shutdown() if kind == "pool" else it.close()
    assert numbers_and_files() == before
    print("kept")
"""


@pytest.mark.parametrize("kind", ["pool", "channel"])
def test_a_program_that_has_closed_all_descriptors_keeps_those_that_it_opens(kind: str, start: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(__file__)}
    done = subprocess.run(
        [sys.executable, "-c", CLOSES_ALL, kind, start], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout == "kept\n", done.stderr


def test_threads_that_come_first_at_once_have_one_engine(start: str) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            with Pool(1, start=start) as pool:
                together = threading.Barrier(8)
                results: list[int] = []

                def work(
                    pool: Pool = pool, together: threading.Barrier = together, results: list[int] = results
                ) -> None:
                    together.wait()
                    results.append(pool.submit(square, 3).result())

                threads = [threading.Thread(target=work) for _ in range(8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                assert results == [9] * 8
                assert pool.stats()["submitted"] == 8
    finally:
        sys.setswitchinterval(before)


class _Interrupted:
    """As if somebody pressed Ctrl-C while it is pickled."""

    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


@pytest.mark.parametrize("method", ["forkserver", "spawn"])
def test_a_start_that_is_interrupted_leaves_no_descriptors(method: str) -> None:
    ends = mp.get_context(method).Pipe()
    with Pool(1, start=method, initializer=note, initargs=(ends, _Interrupted())) as pool:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            with contextlib.suppress(KeyboardInterrupt):
                pool.submit(square, 3)
        assert len(os.listdir("/proc/self/fd")) == before
    for end in ends:
        end.close()


# ---- in a fork of the host ----


def _in_fork(act: Callable[[], object]) -> int:
    """The exit code of a fork in which it is called."""
    pid = os.fork()
    if pid == 0:
        try:
            act()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_fork_may_leave_an_async_with_of_its_host() -> None:
    async def leave() -> None:
        async with pool:
            pass

    with Pool(1) as pool:
        pool.submit(square, 3).result()
        assert _in_fork(lambda: asyncio.run(leave())) == 0
        assert pool.submit(square, 4).result() == 16


def test_a_fork_has_the_pool_to_itself_that_another_thread_was_about_to_start() -> None:
    pool = Pool(1)
    held, let_go = threading.Event(), threading.Event()

    def start() -> None:
        with pool._engine._starting:
            held.set()
            let_go.wait()

    def use() -> None:
        assert pool.submit(square, 3).result() == 9
        pool.shutdown()

    thread = threading.Thread(target=start)
    thread.start()
    held.wait()
    try:
        assert _in_fork(use) == 0
    finally:
        let_go.set()
        thread.join()

"""P8, its last rung: where no process can be started, tasks run in this process, if its owner wants that."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hotspare
import pytest
from hotspare import Event, NeedsProcess, Pool, PoolBroken, Retries
from no_processes import HOST
from python_tasks import Fifo, meet, raise_value_error, same, square


@pytest.fixture
def refused(start: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Pool]:
    """Makes pools whose zygote is refused every process."""
    monkeypatch.setenv(HOST, str(os.getpid()))
    path = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.delitem(sys.modules, "no_processes_here", raising=False)  # a fork would have it already

    def make(**options: Any) -> Pool:
        options = {"run_in_host": True, "on_event": lambda event: None, **options}
        return Pool(2, start=start, preload=["no_processes_here"], **options)

    return make


def test_results_and_exceptions_are_as_ever(refused: Callable[..., Pool]) -> None:
    with refused() as pool:
        assert pool.submit(os.getpid).result() == os.getpid()
        assert pool.submit(same, {"a": [1, 2, {3}]}).result() == {"a": [1, 2, {3}]}
        assert pool.submit(same, None).result() is None
        error = pool.submit(raise_value_error, "no").exception()
        assert isinstance(error, ValueError)
        assert "raise_value_error" in str(error.__cause__)
        with pytest.raises(SystemExit):
            pool.submit(sys.exit, 3).result()
        assert pool.submit(square, 4).result() == 16
        stats = pool.stats()
        assert (stats["run_in_host"], stats["workers"]) == (6, 0)


def test_it_is_told_aloud(refused: Callable[..., Pool]) -> None:
    events: list[Event] = []
    with refused(on_event=events.append) as pool:
        assert pool.submit(square, 3).result() == 9
    (told,) = [event for event in events if event.kind == "host_run"]
    assert "fork()" in told.detail
    assert "a crash is the host's" in told.detail


def test_without_a_listener_it_is_told_on_stderr(
    refused: Callable[..., Pool], capfd: pytest.CaptureFixture[str]
) -> None:
    with refused(on_event=None) as pool:
        assert pool.submit(square, 3).result() == 9
    assert "tasks run in the host" in capfd.readouterr().err


def test_only_who_wants_that(refused: Callable[..., Pool]) -> None:
    with refused(run_in_host=False) as pool, pytest.raises(PoolBroken):
        pool.submit(square, 3).result()


def _fail() -> None:
    raise RuntimeError("no licence")


def _submit_for_ever(pool: Pool) -> None:
    while True:
        pool.submit(square, 3).result()


def test_not_when_workers_die_before_their_first_task() -> None:
    with Pool(1, run_in_host=True, initializer=_fail) as pool:
        with pytest.raises(PoolBroken, match="no licence"):
            _submit_for_ever(pool)
        assert pool.stats()["run_in_host"] == 0


_prepared: list[int] = []


def test_the_initializer_runs_once_on_the_same_thread(refused: Callable[..., Pool]) -> None:
    _prepared.clear()
    with refused(initializer=_prepare, initargs=(7,)) as pool:
        threads = {pool.submit(threading.get_ident).result() for _ in range(5)}
    assert len(threads) == 1
    assert [7, *threads] == _prepared
    assert threads != {threading.get_ident()}


def _prepare(what: int) -> None:
    _prepared.extend([what, threading.get_ident()])


def test_an_initializer_that_fails_here_breaks_the_pool(refused: Callable[..., Pool]) -> None:
    with refused(initializer=_fail) as pool, pytest.raises(PoolBroken, match="no licence"):
        pool.submit(square, 3).result()


def _inverse(x: int) -> float:
    return 1 / x


def test_maps(refused: Callable[..., Pool]) -> None:
    with refused() as pool:
        assert list(pool.map(square, range(2000))) == [x * x for x in range(2000)]
        assert sorted(pool.as_completed(square, range(300))) == [x * x for x in range(300)]
        found = list(pool.map(_inverse, range(-50, 50), return_exceptions=True))
        assert isinstance(found[50], ZeroDivisionError)
        assert [x for x in found if not isinstance(x, float)] == [found[50]]
        assert list(pool.map(pow, [2, 3], [5, 2])) == [32, 9]


def test_arrays(refused: Callable[..., Pool]) -> None:
    numpy = pytest.importorskip("numpy")
    given = numpy.arange(100_000)
    with refused() as pool:
        result = pool.submit(_double_in_place, given).result()
        assert (result == 2 * numpy.arange(100_000)).all()
    assert (given == numpy.arange(100_000)).all(), "what a task writes into its arguments is its own affair"


def _double_in_place(array: Any) -> Any:
    array *= 2
    return array


_attempts: list[int] = []


def _third_time() -> int:
    _attempts.append(hotspare.attempt())
    if hotspare.attempt() < 3:
        raise ConnectionError("not yet")
    return hotspare.attempt()


def test_exceptions_are_retried(refused: Callable[..., Pool]) -> None:
    _attempts.clear()
    with refused() as pool:
        retries = Retries(4, on=(ConnectionError,), base=0)
        assert pool.with_options(retries=retries).submit(_third_time).result() == 3
    assert _attempts == [1, 2, 3]
    assert hotspare.attempt() == 0


@pytest.mark.parametrize(
    "limit", [{"timeout": 60}, {"soft_timeout": 60}, {"progress_timeout": 60}, {"memory_limit": 2**40}]
)
def test_what_has_limits_is_refused(limit: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOST, str(os.getpid()))
    monkeypatch.delitem(sys.modules, "no_processes_here", raising=False)
    with Pool(1, start="fork", run_in_host=True, preload=["no_processes_here"], on_event=print) as pool:
        with pytest.raises(NeedsProcess, match="limit cannot be kept"):
            pool.with_options(**limit).submit(square, 3).result()
        with pytest.raises(NeedsProcess):
            list(pool.with_options(**limit).map(square, [3]))
        assert pool.submit(square, 5).result() == 25


def test_what_has_not_begun_can_be_cancelled(refused: Callable[..., Pool], fifo: Callable[[], Fifo]) -> None:
    with refused() as pool:
        begun, go_on = fifo(), fifo()
        busy = pool.submit(meet, begun, go_on, "value")
        assert begun.hear() == str(os.getpid())
        waiting = pool.submit(square, 3)
        assert busy.running()
        assert waiting.cancel()
        assert not busy.cancel(kill=True)
        go_on.tell()
        assert busy.result() == "value"


_own: list[Pool] = []


def _submit_to_own() -> None:
    _own[0].submit(square, 3).result()


def test_a_task_cannot_wait_for_its_own_pool(refused: Callable[..., Pool]) -> None:
    with refused() as pool:
        _own[:] = [pool]
        with pytest.raises(RuntimeError, match="its own pool"):
            pool.submit(_submit_to_own).result()
        _own.clear()
        assert pool.submit(square, 3).result() == 9


def test_a_callback_and_other_threads(refused: Callable[..., Pool]) -> None:
    called = threading.Event()
    with refused() as pool:
        results: list[list[int]] = []
        threads = [
            threading.Thread(target=lambda: results.append([pool.submit(square, x).result() for x in range(50)]))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        pool.submit(square, 3).add_done_callback(lambda future: called.set())
        for thread in threads:
            thread.join()
        assert results == [[x * x for x in range(50)]] * 4
        called.wait()


_PROGRAM = """
import os, sys, threading
sys.path.insert(0, {tests!r})
from hotspare import Pool, ProcessPoolExecutor
from no_processes import refuse
from python_tasks import square, kill_self

def slow(x):
    threading.Event().wait(0.01)
    with open({out!r}, "a") as file:
        file.write(f"{{x}} {{os.getpid() == HOST}}\\n")

if __name__ == "__main__":
    HOST = os.getpid()
    refuse()
    {body}
"""


def _run(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM.format(tests=str(Path(__file__).parent), out=str(tmp_path / "out"), body=body))
    return subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)


def test_a_program_that_can_start_nothing_at_all(tmp_path: Path, start: str) -> None:
    pool = f"Pool(2, start={start!r}, run_in_host=True)"
    done = _run(tmp_path, f"with {pool} as pool: print(list(pool.map(square, range(5))), pool.stats()['forks'])")
    assert done.stdout == "[0, 1, 4, 9, 16] 0\n", done.stderr
    assert "tasks run in the host" in done.stderr
    assert done.returncode == 0


def test_the_program_ends_when_its_tasks_have(tmp_path: Path) -> None:
    """Nobody waits for them but the interpreter's own end."""
    done = _run(tmp_path, "pool = Pool(2, run_in_host=True); futures = [pool.submit(slow, x) for x in range(10)]")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out").read_text() == "".join(f"{x} True\n" for x in range(10))


_ENDS = """\
first_ends, second_ended, ended = threading.Event(), threading.Event(), []
class Ends:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        ended.append((self.name, threading.get_ident()))
        if self.name == "first":
            first_ends.set()
            second_ended.wait()
class Sent:
    def __init__(self, name):
        self.name = name
    def __reduce__(self):
        return Ends, (self.name,)
class Value:
    def __del__(self):
        ended.append(("value", threading.get_ident()))
    def __reduce__(self):
        return int, ()
def take(sent):
    return Value() if sent.name == "first" else None
with Pool(1, run_in_host=True) as one, Pool(1, run_in_host=True) as other:
    one.submit(take, Sent("first"))
    first_ends.wait()
    other.submit(take, Sent("second")).result()
    second_ended.set()
threads = dict(ended)
print(len(ended), threads["first"] == threads["value"] != threads["second"])
"""


def test_each_pools_thread_lets_go_of_what_its_own_tasks_had(tmp_path: Path) -> None:
    """What is let go of runs code of the user's, and other threads go on meanwhile."""
    done = _run(tmp_path, _ENDS.replace("\n", "\n    "))
    assert (done.returncode, done.stdout) == (0, "3 True\n"), done.stderr


def test_a_crash_is_the_hosts(tmp_path: Path) -> None:
    done = _run(tmp_path, "Pool(2, run_in_host=True).submit(kill_self).result()")
    assert done.returncode == -9


def test_the_drop_in_has_it_too(tmp_path: Path) -> None:
    body = "print(sum(ProcessPoolExecutor(2, run_in_host=True).map(square, range(100), chunksize=7)))"
    done = _run(tmp_path, body)
    assert done.stdout == f"{sum(x * x for x in range(100))}\n", done.stderr


def test_without_the_option_such_a_pool_cannot_be_made(tmp_path: Path) -> None:
    done = _run(tmp_path, "Pool(2, start='fork').submit(square, 2).result()")
    assert done.returncode == 1
    assert "fork()" in done.stderr

"""P9. With a journal, what has finished survives SIGKILL of everything; a resumed batch runs only what had not
finished. A damaged journal is detected, never silently read as less."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import pickle
import random
import resource
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import hotspare
import pytest
from conftest import wait_for_end
from hotspare import JournalError, Pool, Quarantined, Retries, TaskTimeout, WorkerDied
from hotspare._keys import KeyMaker, canonical
from python_tasks import Fifo, kill_self, note_and_return, raise_value_error, same, square


def _runs(ledger: Path) -> Counter[int]:
    return Counter(map(int, ledger.read_text().split())) if ledger.exists() else Counter()


def test_a_second_run_gives_what_the_first_has_finished_and_runs_the_rest(tmp_path: Path, start: str) -> None:
    ledger = tmp_path / "ledger"
    work = functools.partial(note_and_return, str(ledger))
    with Pool(2, start=start) as pool:
        with pool.batch(tmp_path / "j") as batch:
            assert list(batch.map(work, range(60))) == list(range(60))
        with pool.batch(tmp_path / "j") as batch:
            assert list(batch.map(work, range(100))) == list(range(100))
            assert batch.counts()["kept"] == 60
            assert batch.counts()["run"] == 40
    assert _runs(ledger) == Counter(range(100))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["j", "ledger"]


def test_as_completed_gives_each_once(pool: Pool, tmp_path: Path) -> None:
    with pool.batch(tmp_path / "j") as batch:
        assert list(batch.map(square, range(30))) == [x * x for x in range(30)]
    with pool.batch(tmp_path / "j") as batch:
        assert sorted(batch.as_completed(square, [*range(100), 7])) == sorted([*(x * x for x in range(100)), 49])
        assert batch.counts()["run"] == 70


def test_another_version_or_function_is_another_question(pool: Pool, tmp_path: Path) -> None:
    for version, fn, run in [("1", square, 5), ("2", square, 5), ("1", same, 5), ("1", square, 0)]:
        with pool.batch(tmp_path / "j", version=version) as batch:
            assert list(batch.map(fn, range(5))) == [fn(x) for x in range(5)]
            assert batch.counts()["run"] == run


def test_a_lambda_is_its_code_and_what_it_holds(pool: Pool, tmp_path: Path) -> None:
    def times(factor: int) -> Iterator[int]:
        with pool.batch(tmp_path / "j") as batch:
            yield from batch.map(lambda x: factor * x, range(3))

    assert list(times(2)) == [0, 2, 4]
    assert list(times(3)) == [0, 3, 6]
    with pool.batch(tmp_path / "j") as batch:
        assert list(batch.map(lambda x: x + 1, [1])) == [2]
        assert list(batch.map(lambda x: x + 2, [1])) == [3]


def test_a_key_stands_for_the_item(pool: Pool, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    work = functools.partial(note_and_return, str(ledger))
    with pool.batch(tmp_path / "j") as batch:
        assert list(batch.map(work, range(10), key=lambda x: x % 5)) == [0, 1, 2, 3, 4] * 2
    assert _runs(ledger) == Counter(range(5))


def test_several_iterables(pool: Pool, tmp_path: Path) -> None:
    for _ in range(2):
        with pool.batch(tmp_path / "j") as batch:
            assert list(batch.map(pow, [2, 3, 4], [5, 2, 1])) == [32, 9, 4]


def _fail_as(how: str) -> str:
    if how == "raise":
        raise_value_error("as told")
    if how == "die":
        kill_self()
    while how == "hang":
        signal.pause()
    return how


def _told(error: object) -> tuple[str, ...]:
    if isinstance(error, WorkerDied):
        return type(error).__name__, error.report.text(), str(error.report)
    if isinstance(error, BaseException):
        return type(error).__name__, str(error), str(error.__cause__)
    return ("value", str(error))


def test_failures_are_kept_with_their_reports_and_run_again_by_kind(pool: Pool, tmp_path: Path) -> None:
    quick = pool.with_options(timeout=0.3)
    ways = ["fine", "raise", "die", "hang"]
    with quick.batch(tmp_path / "j") as batch:
        first = list(batch.map(_fail_as, ways, return_exceptions=True))
    assert [type(each) for each in first] == [str, ValueError, WorkerDied, TaskTimeout]
    with quick.batch(tmp_path / "j") as batch:
        assert [_told(each) for each in batch.map(_fail_as, ways, return_exceptions=True)] == [_told(e) for e in first]
        assert batch.counts()["run"] == 0
        with pytest.raises(ValueError, match="as told"):
            list(batch.map(_fail_as, ways))
    for rerun, run in [
        (["raised"], 1),
        (["died"], 1),
        (["timeout"], 1),
        (["memory"], 0),
        ({"raised", "died", "timeout"}, 3),
    ]:
        with quick.batch(tmp_path / "j", rerun=rerun) as batch:
            list(batch.map(_fail_as, ways, return_exceptions=True))
            assert batch.counts()["run"] == run


def test_a_quarantined_failure_is_given_again_with_all_its_reports(tmp_path: Path) -> None:
    told: list[str] = []
    with Pool(2, quarantine_deaths=3) as pool:
        retried = pool.with_options(retries=Retries(10, base=0.0), timeout=60)
        for run in [1, 0]:
            with retried.batch(tmp_path / "j") as batch:
                (error,) = batch.map(_fail_as, ["die"], return_exceptions=True)
                assert batch.counts()["run"] == run
            assert type(error) is Quarantined
            assert error.report.quarantined
            assert [death.attempt for death in error.report.earlier] == [1, 2]
            assert len({death.pid for death in [*error.report.earlier, error.report]}) == 3
            # Each but for what was before it in turn, which stands in this list, too.
            deaths = [replace(death, earlier=()) for death in [*error.report.earlier, error.report]]
            told.append("".join(death.text() for death in deaths))
    assert told[0] == told[1]


def test_large_arrays_are_kept(pool: Pool, tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    for run in [3, 0]:
        with pool.batch(tmp_path / "j") as batch:
            for size, array in zip([10, 200_000, 3_000_000], batch.map(numpy.arange, [10, 200_000, 3_000_000])):
                assert array.dtype == numpy.int64
                assert (array == numpy.arange(size)).all()
            assert batch.counts()["run"] == run


def test_what_cannot_be_pickled_is_that_items_outcome(pool: Pool, tmp_path: Path) -> None:
    lock = __import__("threading").Lock()
    with pool.batch(tmp_path / "j") as batch:
        got = list(batch.map(same, [1, lock, 2], return_exceptions=True))
    assert got[0] == 1
    assert isinstance(got[1], TypeError)
    assert got[2] == 2


def test_endless_inputs_are_fine(pool: Pool, tmp_path: Path) -> None:
    import itertools

    with pool.batch(tmp_path / "j") as batch:
        for _ in range(2):
            assert list(itertools.islice(batch.map(square, itertools.count()), 500)) == [x * x for x in range(500)]


# ---- keys ----


class _Thing:
    def __init__(self, **members: object) -> None:
        self.__dict__.update(members)


def test_equal_items_have_equal_keys_however_they_came_about() -> None:
    text = "".join(["a", "bc"])
    assert canonical((text, text)) == canonical(("abc", "".join(["ab", "c"])))
    assert canonical(_Thing(a=text, b=text)) == canonical(_Thing(a="abc", b="".join(["ab", "c"])))
    assert canonical({1, 2, 3}) == canonical({3, 1, 2})
    assert canonical({"a": 1}) != canonical({"a": 2})
    different = [1, 1.0, True, "1", b"1", (1,), [1], {1}, {1: 1}, None, (), ("1", "1"), ("11",), (1, 11), (11, 1)]
    assert len({canonical(each) for each in different}) == len(different)


def test_keys_are_those_of_every_run() -> None:
    script = (
        "import hotspare._keys as k, python_tasks as t\n"
        "f = t.Fifo('x')\n"
        "item = ({'a', 'b', 'c'}, f, {'x': frozenset(['p', 'q'])}, [t.Fifo({'m', 'n'})])\n"
        "print(k.KeyMaker('1', t.square).of(item, False).hex())"
    )
    folder = str(Path(__file__).parent)
    keys = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": folder},
            check=True,
            capture_output=True,
        ).stdout
        for seed in "123"
    }
    assert len(keys) == 1


def test_arrays_are_keyed_by_what_is_in_them() -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(10)
    frozen = array.copy()
    frozen.flags.writeable = False
    maker = KeyMaker("", square)
    assert maker.of(array, False) == maker.of(frozen, False)
    assert maker.of(array, False) != maker.of(array.reshape(2, 5), False)
    assert maker.of(array, False) != maker.of(array.astype(float), False)


def test_an_object_within_itself_is_refused_in_words() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises((ValueError, RecursionError)):
        canonical(_Thing(it=circle))


# ---- the journal's problems ----


def test_a_second_writer_is_told_who_has_it(pool: Pool, tmp_path: Path) -> None:
    with pool.batch(tmp_path / "j"):
        with pytest.raises(JournalError, match=f"process {os.getpid()} on ") as caught:
            pool.batch(tmp_path / "j")
        assert caught.value.problem == "busy"
        script = f"import hotspare\nwith hotspare.Pool(1) as pool: pool.batch({str(tmp_path / 'j')!r})"
        other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert f"process {os.getpid()} on " in other.stderr
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.problem, again.path) == (str(caught.value), "busy", str(tmp_path / "j"))


def test_a_damaged_journal_is_told_and_recovered(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "j"
    with pool.batch(path) as batch:
        list(batch.map(square, range(100)))
    data = bytearray(path.read_bytes())
    data[-300] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(JournalError, match="99 records in it are whole") as caught:
        pool.batch(path)
    assert (caught.value.problem, caught.value.savable) == ("damaged", 99)
    done = hotspare.recover_journal(path)
    assert done == (99, 1, True, f"{path}.damaged")
    with pool.batch(path) as batch:
        assert list(batch.map(square, range(100))) == [x * x for x in range(100)]
        assert batch.counts()["run"] == 1


def test_what_is_no_journal_is_not_touched(pool: Pool, tmp_path: Path) -> None:
    import sqlite3

    with sqlite3.connect(tmp_path / "theirs") as database:
        database.execute("CREATE TABLE record(x)")
    database.close()
    before = (tmp_path / "theirs").read_bytes()
    with pytest.raises(JournalError) as caught:
        pool.batch(tmp_path / "theirs")
    assert caught.value.problem == "foreign"
    assert (tmp_path / "theirs").read_bytes() == before


def test_a_full_disk_stops_the_batch_and_it_resumes(tmp_path: Path) -> None:
    """A file size limit stands for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    given: list[bytes] = []
    with Pool(2) as pool:
        pool.submit(square, 1).result()  # the workers are there, without that limit
        batch = pool.batch(tmp_path / "j")
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
        try:
            with pytest.raises(JournalError) as caught:
                given.extend(batch.map(_kilobytes, range(2000)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert caught.value.problem == "full"
        assert given == [_kilobytes(x) for x in range(len(given))]
        assert pool.submit(square, 3).result() == 9
        batch.close()
        with pool.batch(tmp_path / "j") as batch:
            assert list(batch.map(_kilobytes, range(2000))) == [_kilobytes(x) for x in range(2000)]
            assert batch.counts()["kept"] >= len(given)


def _kilobytes(x: int) -> bytes:
    return b"%d" % x * 1000


def test_bad_arguments_are_refused(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="durability"):
        pool.batch(tmp_path / "j", durability="maybe")
    with pytest.raises(ValueError, match="rerun"):
        pool.batch(tmp_path / "j", rerun=["everything"])
    with pytest.raises(TypeError, match="rerun"):
        pool.batch(tmp_path / "j", rerun="died")
    with pool.batch(tmp_path / "j") as batch, pytest.raises(TypeError):
        batch.map(square)
    with pytest.raises(RuntimeError, match="closed"):
        list(batch.map(square, [1]))


# ---- the host is killed ----

_HOST = """
import sys
sys.path.insert(0, {folder!r})
import functools, os, hotspare
from python_tasks import note, note_and_return
if __name__ == "__main__":
    with hotspare.Pool(2, start={start!r}) as pool, pool.batch({journal!r}) as batch:
        for number, value in enumerate(batch.map(functools.partial(note_and_return, {ledger!r}), range({count}))):
            assert value == number
            os.write(1, b"x")
"""


def _life(tmp_path: Path, start: str, count: int, kill_after: int | None) -> int:
    """Runs the host until it has given so many results; how many it gave."""
    script = tmp_path / "host.py"
    paths = {"journal": str(tmp_path / "j"), "ledger": str(tmp_path / "ledger")}
    script.write_text(_HOST.format(folder=str(Path(__file__).parent), start=start, count=count, **paths))
    host = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert host.stdout is not None
    given = len(host.stdout.read(kill_after)) if kill_after is not None else 0
    if kill_after is not None:
        host.kill()
    given += len(host.stdout.read())
    host.stdout.close()
    assert host.wait() == (0 if kill_after is None else -signal.SIGKILL)
    return given


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_ten_kills_of_the_host_cost_no_finished_task(tmp_path: Path, method: str) -> None:
    count = 2000
    chance = random.Random(5)
    ledger = tmp_path / "ledger"
    given_once: dict[int, int] = {}
    at = 0
    for life in range(11):
        at = at + chance.randrange(1, count // 11)
        given = _life(tmp_path, method, count, at if life < 10 else None)
        runs = _runs(ledger)
        for number in range(given):
            # Given once: committed, thus never run again.
            assert given_once.setdefault(number, runs[number]) == runs[number]
    assert given == count
    runs = _runs(ledger)
    assert set(runs) == set(range(count))
    assert sum(runs.values()) - count <= 10 * 128, "more than were in flight at ten kills"


def test_exit_without_close_keeps_what_has_finished(tmp_path: Path) -> None:
    script = tmp_path / "host.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import hotspare\nfrom python_tasks import square\n"
        f"if __name__ == '__main__':\n    batch = hotspare.Pool(2).batch({str(tmp_path / 'j')!r})\n"
        "    print(*batch.map(square, range(50)))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert not (tmp_path / "j-open").exists()
    with Pool(1) as pool, pool.batch(tmp_path / "j") as batch:
        assert list(batch.map(square, range(50))) == [x * x for x in range(50)]
        assert batch.counts()["run"] == 0


def test_a_fork_of_the_host_is_refused(pool: Pool, tmp_path: Path) -> None:
    with pool.batch(tmp_path / "j") as batch:
        assert list(batch.map(square, range(5))) == [0, 1, 4, 9, 16]
        pid = os.fork()
        if pid == 0:
            try:
                list(batch.map(square, range(9)))
            except JournalError as error:
                os._exit(0 if error.problem == "busy" else 2)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert list(batch.map(square, range(6))) == [0, 1, 4, 9, 16, 25]


def test_a_keyboard_interrupt_ends_the_wait(tmp_path: Path, fifo: Callable[[], Fifo]) -> None:
    begun = fifo()
    script = tmp_path / "host.py"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import os, hotspare\nfrom python_tasks import Fifo, meet\n"
        "if __name__ == '__main__':\n"
        f"    batch = hotspare.Pool(1).batch({str(tmp_path / 'j')!r})\n"
        "    try:\n"
        f"        list(batch.map(meet, [Fifo({begun.path!r})]))\n"
        "    except KeyboardInterrupt:\n"
        "        batch.close(wait=False)\n"
        "        os._exit(7)\n"
    )
    host = subprocess.Popen([sys.executable, str(script)])
    worker = int(begun.hear())
    host.send_signal(signal.SIGINT)
    assert host.wait() == 7
    wait_for_end(worker)
    assert not (tmp_path / "j-open").exists()


class _Press:
    """A trace function: as if Ctrl-C came before that step of the interpreter in the function that asks."""

    def __init__(self, step: int) -> None:
        self._left = step
        self.pressed = False

    def __call__(self, frame: Any, event: str, argument: Any) -> Any:
        if frame.f_code.co_name != "ask":
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self._left -= 1
            if self._left < 0 and not self.pressed:
                self.pressed = True
                raise KeyboardInterrupt
        return self


def test_a_keyboard_interrupt_at_any_step_leaves_no_task_that_is_not_written(pool: Pool, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    before = sys.gettrace()
    with pool.batch(tmp_path / "j") as batch:
        for step in itertools.count():
            press = _Press(step)
            results = batch.map(note_and_return, [str(ledger)], [step])
            sys.settrace(press)
            try:
                with contextlib.suppress(KeyboardInterrupt):
                    next(results)
            finally:
                sys.settrace(before)
            if not press.pressed:
                break
        assert step > 10
    ran = _runs(ledger)
    with pool.batch(tmp_path / "j") as batch:
        assert list(batch.map(note_and_return, [str(ledger)] * len(ran), ran)) == list(ran)
        assert batch.counts()["run"] == 0


class _Asks:
    """A number in whose pickling something is done first, once."""

    def __init__(self, act: Callable[[], object], number: int) -> None:
        self._act: Callable[[], object] | None = act
        self._number = number

    def __reduce__(self) -> Any:
        act, self._act = self._act, None
        if act is not None:
            act()
        return int, (self._number,)


def test_what_is_asked_twice_at_once_is_written_once(pool: Pool, tmp_path: Path) -> None:
    with pool.batch(tmp_path / "j") as batch:
        first: list[int] = []

        def ask_the_same() -> None:
            first.extend(batch.map(same, [1], key=lambda item: "the same"))

        second = list(batch.map(same, [_Asks(ask_the_same, 2)], key=lambda item: "the same"))
        assert (first, second) == ([1], [1])
    assert batch.counts()["committed"] == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_a_journal_of_another_user_is_not_unpickled_unless_trusted(pool: Pool, tmp_path: Path) -> None:
    with pool.batch(tmp_path / "j") as batch:
        assert list(batch.map(square, range(5))) == [x * x for x in range(5)]
    os.chown(tmp_path / "j", 65534, 65534)
    with pytest.raises(JournalError, match="belongs to user 65534") as caught:
        pool.batch(tmp_path / "j")
    assert caught.value.problem == "foreign"
    with pool.batch(tmp_path / "j", of_any_user=True) as batch:
        assert list(batch.map(square, range(5))) == [x * x for x in range(5)]
        assert batch.counts()["kept"] == 5


def test_another_sqlite_in_this_process_does_not_let_a_second_writer_in(pool: Pool, tmp_path: Path) -> None:
    """It takes this process's POSIX locks away when it closes the file; those of another kind stay."""
    code = "import hotspare, sys; p = hotspare.Pool(1); p.batch(sys.argv[1])"
    with pool.batch(tmp_path / "j") as batch:
        assert list(batch.map(square, range(5))) == [x * x for x in range(5)]
        (tmp_path / "j").read_bytes()  # opened and closed, which is enough
        second = subprocess.run([sys.executable, "-c", code, str(tmp_path / "j")], capture_output=True, text=True)
        assert second.returncode != 0
        assert f"process {os.getpid()} on " in second.stderr
        assert list(batch.map(square, range(10))) == [x * x for x in range(10)]
    with pool.batch(tmp_path / "j") as batch:
        assert list(batch.map(square, range(10))) == [x * x for x in range(10)]
        assert batch.counts()["kept"] == 10

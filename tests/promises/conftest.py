"""What every promise test in Python has around it: a watchdog, and a look at what is left (P7) before
and after."""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import gc
import os
import re
import signal
import struct
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import hotspare
import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from hotspare import _engine
from python_tasks import Fifo

_WATCHDOG_SECONDS = int(os.environ.get("HOTSPARE_TEST_WATCHDOG", "120"))
_MARK = "HOTSPARE_TEST_MARK"
_FD_TOLERANCE = 2
"""Files that the interpreter or libdw open once and keep."""

# A shell's job in the background ignores it, and so would the programs that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Whoever was forked off this process holds this pipe; whoever was started afresh has the mark as a variable.
_pipe = os.pipe()
os.environ[_MARK] = f"{uuid.uuid4()}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: takes many gigabytes or many seconds; runs with --slow")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take gigabytes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="needs --slow"))


def descendants() -> dict[int, str]:
    """Processes, zombies too, that come from this one: orphans, and children of children."""
    pipe = os.readlink(f"/proc/self/fd/{_pipe[0]}")
    mark = f"{_MARK}={os.environ[_MARK]}".encode()
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            ours = int(stat[1]) == os.getpid()
            ours = ours or mark in (entry / "environ").read_bytes()
            ours = ours or any(os.readlink(fd) == pipe for fd in (entry / "fd").iterdir())
        except OSError:  # it ended, or it is not ours to look at
            continue
        if ours:
            found[int(entry.name)] = f"{stat[0]} {(entry / 'comm').read_text().strip()}"
    return found


def _state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def wait_for_end(pid: int) -> None:
    """Returns when that process has ended, whoever its parent is."""
    import select

    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:  # no pidfds here (tests/environments/old_kernel.py): only its parent would be told
        while _state_of(pid) not in ("Z", "X", ""):
            os.sched_yield()
        return
    try:
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        poller.poll()
    finally:
        os.close(fd)


def _open_files() -> list[str]:
    links = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{fd}"))
        except OSError:
            continue
    return links


def _shared_memory() -> set[str]:
    """Without semaphores: other programs of this machine make them and remove them all the time."""
    return {name for name in os.listdir("/dev/shm") if not name.startswith(("sem.", "jack"))}


def _strangers(name: str) -> bool:
    """Whether another program of this machine made it: it bears that one's number, or it is in use there."""
    number = re.search(r"-(\d+)-", name)
    if number is not None and int(number[1]) != os.getpid():
        return True
    ours = {os.getpid(), *descendants()}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in ours:
            continue
        try:
            if f"/dev/shm/{name}" in (entry / "maps").read_text():
                return True
        except OSError:
            continue
    return False


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    """What is opened or started once for a whole program is no leftover of a test."""
    resource_tracker.ensure_running()
    with hotspare.Pool(1) as pool:
        error = pool.submit(os.abort).exception()
    assert isinstance(error, hotspare.WorkerDied)
    str(error)


_WATCHDOG_SIGNAL = signal.SIGRTMIN + 9
"""Nobody else's, so that workers, which inherit its handler, are as they would be without."""


class _Alarm:
    """A timer of the kernel's: no thread, which tests would see, and no SIGALRM, which some send."""

    _libc = ctypes.CDLL(None, use_errno=True)
    _SIGEV_SIGNAL, _CLOCK_MONOTONIC = 0, 1

    def __init__(self) -> None:
        event = (ctypes.c_char * 64).from_buffer(
            bytearray(struct.pack("Pii48x", 0, _WATCHDOG_SIGNAL, self._SIGEV_SIGNAL))
        )
        self._timer = ctypes.c_void_p()
        if self._libc.timer_create(self._CLOCK_MONOTONIC, event, ctypes.byref(self._timer)) != 0:
            raise OSError(ctypes.get_errno(), "timer_create")

    def set(self, seconds: int, again: int) -> None:
        times = (ctypes.c_long * 4)(again, 0, seconds, 0)
        self._libc.timer_settime(self._timer, 0, times, None)


@pytest.fixture(scope="session")
def _alarm() -> _Alarm:
    return _Alarm()


def _hangs(number: int, frame: Any) -> None:
    faulthandler.dump_traceback(file=_stderr, all_threads=True)
    for engine in list(_engine._alive):  # else the end of a with waits for what hangs
        engine.close(True, 0, 0.0)
    pytest.fail(f"hangs: it had not ended after {_WATCHDOG_SECONDS} seconds (stacks on stderr)")


_stderr = 2


@pytest.fixture(autouse=True)
def _watchdog(request: pytest.FixtureRequest, _alarm: _Alarm) -> Iterator[None]:
    """A test that hangs fails, and the others go on. One that not even a signal handler reaches ends all, later."""
    global _stderr
    _stderr = request.config.stash[fault_handler_stderr_fd_key]  # the real one, which pytest does not capture
    faulthandler.dump_traceback_later(_WATCHDOG_SECONDS + 60, exit=True, file=_stderr)
    signal.signal(_WATCHDOG_SIGNAL, _hangs)
    _alarm.set(_WATCHDOG_SECONDS, again=10)
    yield
    _alarm.set(0, again=0)
    faulthandler.cancel_dump_traceback_later()


_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    item.stash[_failed] = item.stash.get(_failed, False) or call.excinfo is not None
    return (yield)


def _open_files_once_let_go(most: int) -> list[str]:
    """What is open when no more than these are, or after 10 s. A thread of the test's own that has ended for Python may
    be letting go of the last reference to a pool just now, and nobody tells of that."""
    end = time.monotonic() + 10
    while len(now := _open_files()) > most and time.monotonic() < end:
        time.sleep(0.01)
        gc.collect()
    return now


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest, _warm: None, _watchdog: None) -> Iterator[None]:
    gc.collect()
    processes, files, shared = set(descendants()), _open_files(), _shared_memory()
    yield
    gc.collect()
    left = {pid: what for pid, what in descendants().items() if pid not in processes}
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)  # so that the next test does not suffer
    assert not left, f"processes left: {left}"
    if request.node.stash.get(_failed, False):
        return  # its traceback keeps alive what it had
    now = _open_files_once_let_go(len(files) + _FD_TOLERANCE)
    assert len(now) <= len(files) + _FD_TOLERANCE, f"descriptors left: {sorted(set(now) - set(files))}"
    named = {name for name in _shared_memory() - shared if not _strangers(name)}
    assert not named, "shared memory left"


@pytest.fixture(params=["fork", "forkserver", "spawn"])
def start(request: pytest.FixtureRequest) -> str:
    """Each start method in turn."""
    return str(request.param)


@pytest.fixture
def fifo(tmp_path: Path) -> Callable[[], Fifo]:
    """Makes meeting points of this process and a task."""
    numbers = iter(range(1000))

    def make() -> Fifo:
        path = tmp_path / f"fifo{next(numbers)}"
        os.mkfifo(path)
        return Fifo(str(path))

    return make


@pytest.fixture
def pool(request: pytest.FixtureRequest) -> Iterator[hotspare.Pool]:
    """Two workers and a spare."""
    with hotspare.Pool(2) as pool:
        yield pool
    request.node.funcargs.pop("pool", None)  # nobody refers to it when leftovers are counted

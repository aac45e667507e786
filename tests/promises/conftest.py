"""What every promise test in Python has around it: a watchdog, and a look at what is left (P7) before
and after."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import os
import signal
import uuid
from collections.abc import Callable, Generator, Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import hotspare
import pytest
from _pytest.faulthandler import fault_handler_stderr_fd_key
from python_tasks import Fifo

_WATCHDOG_SECONDS = int(os.environ.get("HOTSPARE_TEST_WATCHDOG", "120"))
_MARK = "HOTSPARE_TEST_MARK"
_FD_TOLERANCE = 2
"""Files that the interpreter or libdw open once and keep."""

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


def wait_for_end(pid: int) -> None:
    """Returns when that process has ended, whoever its parent is."""
    import select

    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
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
    return {name for name in os.listdir("/dev/shm") if not name.startswith("sem.")}


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    """What is opened or started once for a whole program is no leftover of a test."""
    resource_tracker.ensure_running()
    with hotspare.Pool(1) as pool:
        error = pool.submit(os.abort).exception()
    assert isinstance(error, hotspare.WorkerDied)
    str(error)


@pytest.fixture(autouse=True)
def _watchdog(request: pytest.FixtureRequest) -> Iterator[None]:
    stderr = request.config.stash[fault_handler_stderr_fd_key]  # the real one, which pytest does not capture
    faulthandler.dump_traceback_later(_WATCHDOG_SECONDS, exit=True, file=stderr)
    yield
    faulthandler.cancel_dump_traceback_later()


_failed = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    item.stash[_failed] = item.stash.get(_failed, False) or call.excinfo is not None
    return (yield)


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
    now = _open_files()
    assert len(now) <= len(files) + _FD_TOLERANCE, f"descriptors left: {sorted(set(now) - set(files))}"
    assert _shared_memory() <= shared, "shared memory left"


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

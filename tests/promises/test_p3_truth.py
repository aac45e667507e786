"""P3. WorkerDied says what killed the worker. Every death in here is a real one."""

from __future__ import annotations

import copy
import ctypes
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import hotspare
import pytest
import python_tasks
from hotspare import Pool, ProcessPoolExecutor, TaskTimeout, WorkerDied
from python_tasks import (
    Fifo,
    close_all_descriptors,
    grow_for_ever,
    kill_self,
    meet,
    overflow_a_threads_stack,
    overflow_the_stack,
    read_null,
    read_null_in_second_thread,
    spin_for_ever,
    write_to_stderr_and_die,
)


def _death(pool: Any, fn: Callable[..., object], *args: object) -> WorkerDied:
    error = pool.submit(fn, *args).exception()
    assert isinstance(error, WorkerDied), error
    assert pool.submit(pow, 2, 3).result() == 8, "the pool goes on"
    return error


def _functions(death: WorkerDied) -> list[str]:
    return [frame.function for frame in death.python_stack]


def _death_by(pool: Pool, fifo: Fifo, number: int) -> tuple[WorkerDied, int]:
    future = pool.submit(meet, fifo)
    pid = int(fifo.hear())
    os.kill(pid, number)
    error = future.exception()
    assert isinstance(error, WorkerDied)
    return error, pid


# ---- signals ----


def test_killed_from_outside(pool: Pool, fifo: Callable[[], Fifo]) -> None:
    death, pid = _death_by(pool, fifo(), signal.SIGKILL)
    assert (death.cause, death.signal, death.exitcode) == ("signal", signal.SIGKILL, -signal.SIGKILL)
    assert death.pid == pid
    assert death.oom == "no"
    assert death.python_stack == ()  # nobody was there to take it
    assert death.fault_address is None


def test_kills_itself(start: str) -> None:
    with Pool(1, start=start) as pool:
        death = _death(pool, kill_self)
        assert (death.cause, death.signal) == ("signal", signal.SIGKILL)


def test_reads_a_null_pointer(start: str) -> None:
    with Pool(1, start=start) as pool:
        death = _death(pool, read_null)
        assert (death.cause, death.signal, death.exitcode) == ("signal", signal.SIGSEGV, -signal.SIGSEGV)
        assert death.fault_address == 0
        assert _functions(death)[:2] == ["string_at", "read_null"]
        assert death.native_stack


def test_the_fault_address_is_that_of_the_fault(pool: Pool) -> None:
    assert _death(pool, ctypes.string_at, 0x1238).fault_address == 0x1238


def test_aborts(pool: Pool) -> None:
    death = _death(pool, os.abort)
    assert (death.cause, death.signal) == ("signal", signal.SIGABRT)
    assert "was killed by" not in str(death)
    assert any("abort" in frame.function for frame in death.native_stack)


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGTERM,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
        signal.SIGALRM,
        signal.SIGXCPU,
        signal.SIGTRAP,
        signal.SIGSYS,
    ],
)
def test_sends_itself_a_signal(pool: Pool, number: signal.Signals) -> None:
    death = _death(pool, kill_self, number)
    assert (death.cause, death.signal) == ("signal", number)
    assert f"died of {number.name}" in str(death)
    assert death.fault_address is None  # nothing faulted


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV, signal.SIGXCPU])
def test_a_signal_from_outside_names_its_sender(pool: Pool, fifo: Callable[[], Fifo], number: signal.Signals) -> None:
    death, pid = _death_by(pool, fifo(), number)
    assert (death.cause, death.signal, death.pid) == ("signal", number, pid)
    assert death.report.sender_pid == os.getpid()
    assert f"was killed by {number.name} that process {os.getpid()} sent" in str(death)
    assert "meet" in _functions(death)


def test_the_faulting_thread_is_the_one_shown(pool: Pool) -> None:
    death = _death(pool, read_null_in_second_thread)
    assert (death.cause, death.signal, death.fault_address) == ("signal", signal.SIGSEGV, 0)
    assert _functions(death)[:2] == ["string_at", "read_null"]


def test_all_threads_are_in_the_stack_text(pool: Pool) -> None:
    death = _death(pool, read_null_in_second_thread)
    assert "in read_null\n" in death.report.python_stack_text
    assert "in read_null_in_second_thread\n" in death.report.python_stack_text


# ---- exits ----


@pytest.mark.parametrize("code", [0, 3, 255])
def test_exits_past_the_interpreter(pool: Pool, code: int) -> None:
    death = _death(pool, os._exit, code)
    assert (death.cause, death.exitcode, death.signal) == ("exited", code, None)
    assert f"exited with code {code}" in str(death)


def test_exit_of_a_second_thread_that_raises_system_exit_is_no_death(pool: Pool) -> None:
    assert pool.submit(_thread_that_exits).result() == "went on"


def _thread_that_exits() -> str:
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    thread.join()
    return "went on"


def test_exits_by_the_c_library(pool: Pool) -> None:
    death = _death(pool, _call_c_exit, 7)
    assert (death.cause, death.exitcode) == ("exited", 7)


def _call_c_exit(code: int) -> None:
    ctypes.CDLL(None).exit(code)


def _exit_this_thread() -> None:
    ctypes.CDLL(None).pthread_exit(None)


def _outgrow(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    path.write_bytes(bytes(8192))


def _become_true() -> None:
    os.execv("/bin/true", ["true"])


def test_becomes_another_program(pool: Pool) -> None:
    death = _death(pool, _become_true)
    assert (death.cause, death.report.detail) == ("exec", "true")
    assert death.exitcode in (0, -signal.SIGKILL)  # it may be found and ended before it has ended by itself
    assert "became another program by exec: true, which " in str(death)


def test_becomes_another_program_that_is_not_found_again(pool: Pool) -> None:
    death = _death(pool, os.execvp, "sleep", ["sleep", "1000"])
    assert (death.cause, death.signal, death.report.detail) == ("exec", signal.SIGKILL, "sleep")


def test_ends_its_main_thread(pool: Pool) -> None:
    death = _death(pool, _exit_this_thread)
    assert (death.cause, death.signal) == ("pthread_exit", None)


def test_outgrows_the_limit_of_a_files_size(pool: Pool, tmp_path: Path) -> None:
    death = _death(pool, _outgrow, tmp_path / "large")
    assert (death.cause, death.signal) == ("file_size_limit", signal.SIGXFSZ)


# ---- stack, memory, time ----


def test_overflows_its_stack(start: str) -> None:
    with Pool(1, start=start) as pool:
        death = _death(pool, overflow_the_stack)
        assert (death.cause, death.signal) == ("stack_overflow", signal.SIGSEGV)
        assert "overflowed its stack" in str(death)
        assert "recurse_for_ever" in _functions(death)


def test_overflows_the_stack_of_a_thread(pool: Pool) -> None:
    death = _death(pool, overflow_a_threads_stack)
    assert death.signal == signal.SIGSEGV
    assert death.cause in ("signal", "stack_overflow")


def test_python_recursion_without_an_end_is_an_exception(pool: Pool) -> None:
    assert isinstance(pool.submit(python_tasks.recurse_for_ever).exception(), RecursionError)


def test_reaches_its_memory_limit(pool: Pool) -> None:
    """In Python that is a MemoryError where the task can catch it, or a death that says so."""
    error = pool.with_options(memory_limit=64 << 20).submit(grow_for_ever).exception()
    assert isinstance(error, MemoryError) or (isinstance(error, WorkerDied) and error.cause == "memory_limit")
    assert pool.submit(pow, 2, 3).result() == 8


def _write_what_malloc_gave() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    while True:
        block = libc.malloc(1 << 20)
        ctypes.memset(block or 0, 1, 1 << 20)


def test_reaches_its_memory_limit_in_c_code_that_checks_nothing(pool: Pool) -> None:
    error = pool.with_options(memory_limit=64 << 20).submit(_write_what_malloc_gave).exception()
    assert isinstance(error, WorkerDied)
    assert error.cause == "memory_limit"
    assert "memory limit" in str(error)
    assert "_write_what_malloc_gave" in _functions(error)


def test_a_crash_far_from_the_memory_limit_is_a_crash(pool: Pool) -> None:
    error = pool.with_options(memory_limit=4 << 30).submit(read_null).exception()
    assert isinstance(error, WorkerDied)
    assert error.cause == "signal"


def test_passes_its_deadline(pool: Pool) -> None:
    error = pool.with_options(timeout=0.2).submit(spin_for_ever).exception()
    assert isinstance(error, TaskTimeout)
    assert isinstance(error, TimeoutError)
    assert error.cause == "deadline"
    assert "spin_for_ever" in _functions(error)
    assert "deadline" in str(error)


def test_closes_all_descriptors(pool: Pool) -> None:
    death = _death(pool, close_all_descriptors)
    assert death.cause == "lifeline_closed"
    assert death.stderr_tail == ()


# ---- what else the report says ----


def test_the_last_lines_of_stderr(start: str) -> None:
    with Pool(1, start=start, capture_stderr=True) as pool:
        death = _death(pool, write_to_stderr_and_die, 2000)
        assert death.stderr_tail[-3:] == ("line 1998", "line 1999", "unfinished")
        assert "unfinished" in death.report.text()


def test_a_task_bears_its_functions_name_and_place(pool: Pool) -> None:
    death = _death(pool, kill_self)
    line = kill_self.__code__.co_firstlineno
    assert death.task == f"kill_self (python_tasks.py:{line})"
    assert death.task in str(death)


def test_a_partial_bears_the_name_of_its_function(pool: Pool) -> None:
    assert "kill_self" in _death(pool, partial(kill_self, signal.SIGKILL)).task


def test_a_name_given_by_options_stands_in_the_report(pool: Pool) -> None:
    error = pool.with_options(name="thumbnail 17").submit(kill_self).exception()
    assert isinstance(error, WorkerDied)
    assert error.task == "thumbnail 17"


def test_the_message_says_where_it_died(pool: Pool) -> None:
    message = str(_death(pool, read_null))
    assert "in string_at (__init__.py:" in message
    assert "called from read_null (python_tasks.py:" in message


def _use_memory_and_time() -> None:
    import time

    held = bytearray(b"x") * (100 << 20)
    while time.process_time() < 0.3:
        pass
    del held
    os.abort()


def test_peak_memory_and_cpu_time_are_the_workers(pool: Pool) -> None:
    death = _death(pool, _use_memory_and_time)
    assert death.peak_rss > 100 << 20
    assert death.cpu_time >= 0.25


def test_a_first_attempt_is_attempt_one(pool: Pool) -> None:
    assert _death(pool, kill_self).attempt == 1


def test_the_python_stack_has_only_the_tasks_frames(pool: Pool) -> None:
    stack = _death(pool, read_null).python_stack
    assert [frame.function for frame in stack] == ["string_at", "read_null"]
    assert Path(stack[1].file).name == "python_tasks.py"


# ---- the exception itself ----


def _same_facts(one: WorkerDied, other: BaseException) -> None:
    assert type(other) is type(one)
    assert isinstance(other, WorkerDied)
    assert str(other) == str(one)
    assert other.report == one.report
    assert other.native_stack == one.native_stack


def test_a_death_survives_pickling(pool: Pool) -> None:
    death = _death(pool, read_null)
    _same_facts(death, pickle.loads(pickle.dumps(death)))


def test_a_death_survives_copying(pool: Pool) -> None:
    death = _death(pool, read_null)
    _same_facts(death, copy.deepcopy(death))
    _same_facts(death, copy.copy(death))


def test_a_timeout_survives_pickling(pool: Pool) -> None:
    error = pool.with_options(timeout=0.1).submit(spin_for_ever).exception()
    assert isinstance(error, TaskTimeout)
    _same_facts(error, pickle.loads(pickle.dumps(error)))


@pytest.mark.parametrize("native", [True, False])
def test_a_death_unpickles_where_the_extension_module_is_missing(native: bool) -> None:
    pool = Pool(1) if native else ProcessPoolExecutor(1)
    with pool:
        death = _death(pool, read_null)
    package = Path(hotspare.__file__).parent.parent
    script = """
import pickle, sys
sys.path.insert(0, sys.argv[1])
sys.modules["hotspare._core"] = None
error = pickle.load(sys.stdin.buffer)
assert type(error).__name__ == sys.argv[2], type(error)
print(error.report.summary())
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(package), type(death).__name__],
        input=pickle.dumps(death),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == str(death)


@pytest.mark.parametrize(
    ("name", "field", "stacks"), [("native_stack", "_native", ()), ("other_threads", "_others", {})]
)
def test_two_threads_may_ask_for_a_stack_at_once(name: str, field: str, stacks: Any) -> None:
    report = hotspare.CrashReport(cause="signal", pid=0, **{field: lambda: stacks})

    def other_was_faster(frame: Any, event: str, arg: Any) -> None:
        if event == "c_return" and arg is callable:
            object.__setattr__(report, field, stacks)

    sys.setprofile(other_was_faster)
    try:
        assert getattr(report, name) == stacks
    finally:
        sys.setprofile(None)


def test_the_drop_in_raises_a_broken_process_pool() -> None:
    with ProcessPoolExecutor(1) as executor:
        assert isinstance(_death(executor, kill_self), BrokenProcessPool)


def test_the_native_class_raises_no_broken_executor(pool: Pool) -> None:
    assert not isinstance(_death(pool, kill_self), BrokenExecutor)


def test_a_death_event_bears_the_report() -> None:
    deaths: list[hotspare.Event] = []
    with Pool(1, on_event=lambda event: deaths.append(event) if event.kind == "death" else None) as pool:
        death = _death(pool, read_null)
    assert [event.pid for event in deaths] == [death.pid]
    assert deaths[0].report.signal == signal.SIGSEGV
    assert deaths[0].report.fault_address == 0

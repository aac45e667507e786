"""What a crash report says, from facts to words."""

from __future__ import annotations

import pickle
import signal
from collections.abc import Callable
from typing import Any

import pytest
from hotspare import CrashReport, NativeFrame, PythonFrame, TaskTimeout, WorkerDied
from hotspare._errors import report_of

DUMP = """Thread 0x00007f0000000001 (most recent call first):
  File "/usr/lib/python3/other.py", line 9 in waits

Current thread 0x00007f0000000000 (most recent call first):
  File "/home/ann/photo.py", line 31 in decode
  File "/home/ann/album.py", line 7 in all of them
  File "/site-packages/hotspare/_start.py", line 115 in make
  File "/home/ann/main.py", line 1 in <module>
"""


class FakeCore:
    """What the extension gives for a death."""

    def __init__(
        self,
        known: dict[str, Any],
        native: Callable[[], tuple[Any, ...]] = tuple,
        earlier: tuple[FakeCore, ...] = (),
    ) -> None:
        self.facts = lambda: known
        self.native_stack = native
        self.earlier = lambda: list(earlier)
        self.other_threads = lambda: ((77, (("g", None, None, "m", 2),)),)


def facts(**changes: Any) -> dict[str, Any]:
    known: dict[str, Any] = {
        "cause": "signal",
        "signal": int(signal.SIGSEGV),
        "signal_code": 1,
        "exitcode": None,
        "fault_address": 0x10,
        "sender_pid": None,
        "oom": "no",
        "evidence": "the kernel reports signal 11",
        "detail": "",
        "pid": 4242,
        "attempt": 1,
        "task_id": 7,
        "peak_rss": 212_000_000,
        "cpu_time": 0.5,
        "python_stack_text": DUMP,
        "stderr_tail": ("oh no",),
        "quarantined": False,
    }
    return {**known, **changes}


def test_the_python_stack_is_that_of_the_thread_that_died_without_the_hosts_part() -> None:
    report = report_of(FakeCore(facts()), "decode (photo.py:20)")
    assert report.python_stack == (
        PythonFrame("/home/ann/photo.py", 31, "decode"),
        PythonFrame("/home/ann/album.py", 7, "all of them"),
    )


def test_the_message_says_who_died_of_what_and_where() -> None:
    report = report_of(FakeCore(facts(attempt=2)), "decode (photo.py:20)")
    assert str(WorkerDied(report)) == (
        "worker 4242 died of SIGSEGV at address 0x10 in decode (photo.py:31) called from all of them (album.py:7); "
        "task decode (photo.py:20); 2nd attempt; peak memory 212 MB"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cause": "exited", "signal": None, "exitcode": 3}, "exited with code 3"),
        ({"cause": "deadline"}, "its deadline passed"),
        ({"cause": "out_of_memory", "oom": "likely"}, "most likely by the kernel for lack of memory"),
        ({"cause": "out_of_memory", "oom": "certain"}, "was killed by the kernel for lack of memory"),
        ({"sender_pid": 99}, "was killed by SIGSEGV that process 99 sent"),
        ({"signal": 63}, "died of signal 63"),
        ({"cause": "exec", "signal": None, "exitcode": 0, "detail": "ls"}, "exec: ls, which exited with code 0"),
        ({"cause": "exec", "detail": "ls"}, "exec: ls, which died of SIGSEGV"),
        ({"cause": "forbidden_call", "detail": "ptrace (number 101)"}, "call (SIGSYS): ptrace (number 101)"),
        ({"cause": "terminated", "detail": "{at} {0}"}, "called std::terminate: {at} {0}"),
        ({"cause": "of another version"}, "died: of another version"),
        ({"cause": "unknown"}, "its exit status was lost"),
        ({"cause": "stack_overflow"}, "overflowed its stack at address 0x10"),
    ],
)
def test_each_cause_has_its_words(changes: dict[str, Any], words: str) -> None:
    assert words in report_of(FakeCore(facts(**changes)), "").summary()


def test_the_native_stack_is_unwound_when_it_is_asked_for_and_once() -> None:
    calls = []

    def unwind() -> tuple[tuple[Any, ...], ...]:
        calls.append(1)
        return (("decode_jpeg", None, None, "/usr/lib/libjpeg.so", 0x1234),)

    report = report_of(FakeCore(facts(), unwind), "")
    assert not calls
    frame = NativeFrame("decode_jpeg", None, None, "/usr/lib/libjpeg.so", 0x1234)
    assert report.native_stack == report.native_stack == (frame,)
    assert len(calls) == 1


def test_a_death_travels_with_its_stacks() -> None:
    died = TaskTimeout(report_of(FakeCore(facts(), lambda: (("f", None, None, "m", 1),)), "t"))
    again = pickle.loads(pickle.dumps(died))
    assert type(again) is TaskTimeout
    assert isinstance(again, TimeoutError)
    assert again.native_stack == died.native_stack
    assert again.report == died.report
    assert str(again) == str(died)
    assert "oh no" in again.report.text()


def test_reports_of_other_versions_are_read() -> None:
    report = report_of(FakeCore(facts()), "t")
    state = {**report.__getstate__(), "of_tomorrow": 5, "cause": "eaten"}
    for missing in ("_others", "_native", "quarantined", "earlier", "python_stack_text"):
        state.pop(missing, None)
    again: CrashReport = object.__new__(CrashReport)
    again.__setstate__(state)
    assert again.summary().startswith("worker 4242 died: eaten in decode (photo.py:31)")
    assert (again.other_threads, again.native_stack, again.quarantined, again.earlier) == ({}, (), False, ())
    assert pickle.loads(pickle.dumps(again)) == again


def test_a_report_may_be_nearly_empty() -> None:
    assert CrashReport(cause="unknown", pid=1).text() == "worker 1 died; its exit status was lost"


def test_deaths_before_this_one_and_other_threads_are_told_of() -> None:
    first = FakeCore(facts(pid=4241))
    report = report_of(FakeCore(facts(quarantined=True), earlier=(first,)), "t")
    assert [death.pid for death in report.earlier] == [4241]
    assert report.other_threads == {77: (NativeFrame("g", None, None, "m", 2),)}
    text = report.text()
    assert "quarantine" in text
    assert "before that worker 4241 died of SIGSEGV" in text
    assert "thread 77" in text
    assert pickle.loads(pickle.dumps(report)) == report

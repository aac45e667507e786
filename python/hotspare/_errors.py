"""What can go wrong, as exceptions. Needs nothing but the standard library, so that they unpickle anywhere."""

from __future__ import annotations

import signal as _signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hotspare._causes import ENDED, SENTENCES

__all__ = [
    "BrokenWorker",
    "CrashReport",
    "JournalError",
    "NativeFrame",
    "NeedsProcess",
    "PoolBroken",
    "PoolClosed",
    "PythonFrame",
    "Quarantined",
    "QueueFull",
    "QueueTimeout",
    "RemoteError",
    "SoftTimeout",
    "StandbyBroken",
    "StandbyClosed",
    "TaskTimeout",
    "WorkerDied",
]


class PythonFrame(NamedTuple):
    """One Python call frame of a dead worker."""

    file: str
    line: int
    function: str


class NativeFrame(NamedTuple):
    """One native call frame of a dead worker; what is not known is empty or None."""

    function: str
    file: str | None
    line: int | None
    module: str
    address: int


@dataclass(frozen=True)
class CrashReport:
    """All that is known about the death of one worker. Sizes in bytes, times in seconds."""

    cause: str
    """signal, exited, terminated, stack_overflow, memory_limit, deadline, cancelled, out_of_memory, lifeline_closed,
    protocol, exec, pthread_exit, file_size_limit, forbidden_call or unknown. Reports that other versions pickled may
    have others."""
    pid: int
    signal: int | None = None
    """Number of the signal that ended it, if one did."""
    signal_code: int = 0
    """si_code of that signal, if the worker could still note it."""
    exitcode: int | None = None
    """The code it exited with; None if a signal ended it."""
    fault_address: int | None = None
    """Of SIGSEGV, SIGBUS, SIGFPE, SIGILL."""
    sender_pid: int | None = None
    """Who sent the signal, if somebody did and it is known (SIGKILL never tells)."""
    oom: str = "no"
    """Whether the kernel's OOM killer did it: no, likely or certain."""
    evidence: str = ""
    """What the verdict rests on, in words."""
    detail: str = ""
    """Message of the exception that reached std::terminate, and the like."""
    attempt: int = 0
    """1 for the first."""
    task_id: int = 0
    """0: no task was running."""
    task: str = ""
    """What the task's function is called and where it stands."""
    peak_rss: int = 0
    cpu_time: float = 0.0
    stderr_tail: tuple[str, ...] = ()
    """Its last lines on stderr, oldest first, at most 20."""
    python_stack: tuple[PythonFrame, ...] = ()
    """Innermost first; empty if there was nobody to take it (SIGKILL)."""
    python_stack_text: str = ""
    """The stacks of all Python threads as faulthandler wrote them."""
    quarantined: bool = False
    """No more workers are risked for it."""
    earlier: tuple[CrashReport, ...] = ()
    """Deaths of earlier attempts, of the same task or of others with the same key, oldest first."""
    _native: tuple[NativeFrame, ...] | Callable[[], tuple[NativeFrame, ...]] = field(
        default=(), repr=False, compare=False
    )
    _others: dict[int, tuple[NativeFrame, ...]] | Callable[[], dict[int, tuple[NativeFrame, ...]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    @property
    def native_stack(self) -> tuple[NativeFrame, ...]:
        """Innermost first; empty if there was nobody to take it. Unwound when first asked for: up to some 100 ms."""
        stack = self._native  # read once: another thread may put the stack there meanwhile
        if callable(stack):
            stack = stack()
            object.__setattr__(self, "_native", stack)
        return stack

    @property
    def other_threads(self) -> dict[int, tuple[NativeFrame, ...]]:
        """Native stacks of the other threads by their kernel ids, of a worker that was ended for a deadline."""
        stacks = self._others  # once, as above
        if callable(stacks):
            stacks = stacks()
            object.__setattr__(self, "_others", stacks)
        return stacks

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_native": self.native_stack, "_others": self.other_threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        # One that an older version pickled has fewer fields, one of a newer version may have more.
        self.__dict__.update(CrashReport(cause="unknown", pid=0).__dict__, **state)

    def traceback_text(self) -> str:
        """The traceback of the exception that the processor of a standby channel died of; empty if it was none."""
        begin = self.python_stack_text.find("Traceback (most recent call last)")
        return "" if begin < 0 else self.python_stack_text[begin:]

    def summary(self) -> str:
        """One line: who died, of what, in what, where."""
        parts = [f"worker {self.pid} {_fate(self)}{_whereabouts(self)}"]
        if self.task:
            parts.append(f"task {self.task}")
        if self.attempt > 1:
            parts.append(f"{_ordinal(self.attempt)} attempt")
        if self.peak_rss:
            parts.append(f"peak memory {self.peak_rss / 1e6:.0f} MB")
        return "; ".join(parts)

    def text(self) -> str:
        """The whole report for people, several lines."""
        lines = [self.summary()]
        if self.detail:
            lines.append(f"  detail: {self.detail}")
        if self.evidence:
            lines.append(f"  evidence: {self.evidence}")
        if self.oom != "no":
            lines.append(f"  out of memory: {self.oom}")
        if self.cpu_time:
            lines.append(f"  CPU time: {self.cpu_time * 1000:.0f} ms")
        lines += [f'  File "{f.file}", line {f.line}, in {f.function}' for f in self.python_stack]
        lines += [f"  #{i} {_native(f)}" for i, f in enumerate(self.native_stack)]
        for thread, frames in self.other_threads.items():
            lines.append(f"  thread {thread}:")
            lines += [f"    #{i} {_native(f)}" for i, f in enumerate(frames)]
        if self.stderr_tail:
            lines.append("  its last lines on stderr:")
            lines += [f"    | {line}" for line in self.stderr_tail]
        if self.quarantined:
            lines.append("  it is in quarantine: no more workers are risked for it")
        lines += [f"  before that {death.summary()}" for death in self.earlier]
        return "\n".join(lines)


def _native(frame: NativeFrame) -> str:
    name = frame.function or hex(frame.address)
    place = f"{frame.file}:{frame.line}" if frame.file else frame.module
    return f"{name} ({place})" if place else name


def _signal_name(number: int | None) -> str:
    try:
        return _signal.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"


_RAISED = "hotspare::python::ProcessorRaised: "


def _fate(report: CrashReport) -> str:
    if report.cause == "terminated" and report.detail.startswith(_RAISED):
        return f"raised {report.detail.removeprefix(_RAISED)}"
    sentence = SENTENCES.get(report.cause)
    if sentence is None:  # of a report that another version pickled
        return f"died: {report.cause}"
    at = f" at address {report.fault_address:#x}" if report.fault_address is not None else ""
    return sentence.format(
        signal=_by_signal(report, at),
        at=at,
        code=report.exitcode,
        detail=f": {report.detail}" if report.detail else "",
        surely="" if report.oom == "certain" else ", most likely",
        end=_end_of_program(report),
    )


def _by_signal(report: CrashReport, at: str) -> str:
    name = _signal_name(report.signal)
    if report.sender_pid and report.sender_pid != report.pid:
        return f"was killed by {name} that process {report.sender_pid} sent"
    return f"died of {name}{at}"


def _end_of_program(report: CrashReport) -> str:
    if report.exitcode is not None:
        return f", which exited with code {report.exitcode}"
    return f", which died of {_signal_name(report.signal)}" if report.signal else ""


def _whereabouts(report: CrashReport) -> str:
    where = " while in" if report.cause in ENDED else " in"
    frames = report.python_stack
    if not frames:
        native = next((f for f in report.native_stack if f.function), None)
        return f"{where} {_native(native)}" if native else ""
    text = f"{where} {frames[0].function} ({_short(frames[0])})"
    if len(frames) > 1:
        text += f" called from {frames[1].function} ({_short(frames[1])})"
    return text


def _short(frame: PythonFrame) -> str:
    return f"{frame.file.rsplit('/', 1)[-1]}:{frame.line}"


def _ordinal(number: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")


class WorkerDied(RuntimeError):
    """The worker died while it ran this task. ``report`` says all that is known; its fields are attributes, too."""

    def __init__(self, report: CrashReport) -> None:
        super().__init__(report)
        self.report = report

    def __str__(self) -> str:
        return self.report.summary()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.report,)

    @property
    def signal(self) -> int | None:
        """Number of the signal that ended it, if one did."""
        return self.report.signal

    @property
    def exitcode(self) -> int | None:
        """As of multiprocessing: the exit code, or minus the signal."""
        if self.report.signal is not None:
            return -self.report.signal
        return self.report.exitcode

    @property
    def cause(self) -> str:
        """As CrashReport.cause."""
        return self.report.cause

    @property
    def oom(self) -> str:
        """As CrashReport.oom."""
        return self.report.oom

    @property
    def fault_address(self) -> int | None:
        """The address at which it faulted, if it did."""
        return self.report.fault_address

    @property
    def python_stack(self) -> tuple[PythonFrame, ...]:
        """Where in the Python code it died, innermost first."""
        return self.report.python_stack

    @property
    def native_stack(self) -> tuple[NativeFrame, ...]:
        """Where in the native code it died, innermost first."""
        return self.report.native_stack

    @property
    def peak_rss(self) -> int:
        """Its highest resident size, bytes."""
        return self.report.peak_rss

    @property
    def cpu_time(self) -> float:
        """User and system time of the whole worker, seconds."""
        return self.report.cpu_time

    @property
    def stderr_tail(self) -> tuple[str, ...]:
        """Its last lines on stderr."""
        return self.report.stderr_tail

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.report.pid

    @property
    def attempt(self) -> int:
        """Which attempt of the task this was, 1 for the first."""
        return self.report.attempt

    @property
    def task(self) -> str:
        """What the task's function is called and where it stands."""
        return self.report.task


class TaskTimeout(WorkerDied, TimeoutError):
    """The task's deadline passed: its stack was taken and its worker was ended."""


class Quarantined(WorkerDied):
    """It, or what it is about (the key), has killed so many workers that no more are risked. ``report.earlier`` has
    all of its deaths but the last."""


class QueueTimeout(TimeoutError):
    """The task had not begun when its queue_timeout was over. It never ran."""


class NeedsProcess(RuntimeError):
    """The task cannot run in the host, where the pool has to run its tasks (``run_in_host``): its limits could not be
    kept there, or it has cost a worker its life. It did not run there."""


class SoftTimeout(Exception):
    """Raised in a running task when its soft_timeout has passed: let it end the task, before the grace is over."""


class BrokenWorker(WorkerDied, BrokenProcessPool):
    """WorkerDied as the drop-in raises it: code that expects BrokenProcessPool catches it. The pool is not broken."""


class BrokenWorkerTimeout(TaskTimeout, BrokenProcessPool):
    """TaskTimeout as the drop-in raises it."""


class PoolClosed(RuntimeError):
    """The pool was shut down and takes no more tasks."""


class PoolBroken(BrokenExecutor):
    """No worker can be had any more; the message says why."""


class BrokenPool(PoolBroken, BrokenProcessPool):
    """PoolBroken as the drop-in raises it."""


class StandbyClosed(RuntimeError):
    """The channel is closed and takes no more blocks."""


class StandbyBroken(RuntimeError):
    """A standby channel cannot be made, for its replicas cannot; the message says why. Its cause has the traceback,
    if it was Python code that raised there."""

    def __init__(self, message: str, report: CrashReport | None = None) -> None:
        super().__init__(message, report)
        self.message = message
        self.report = report
        """Of the last replica that died, if one did."""

    def __str__(self) -> str:
        return self.message


class RemoteTraceback(Exception):
    """As cause of an exception: where in another process it comes from."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class QueueFull(RuntimeError):
    """The pool's limit of waiting tasks or bytes is reached."""


class JournalError(RuntimeError):
    """A journal cannot be used, or not any more. The message says what happened, why, and what to do."""

    def __init__(self, message: str, problem: str, path: str, savable: int = 0) -> None:
        super().__init__(message, problem, path, savable)
        self.message = message
        self.problem = problem
        """busy: another one writes it. damaged: not all that was written is there. newer: a newer hotspare wrote it.
        foreign: it is something else. full: no room. refused: the system said no."""
        self.path = path
        self.savable = savable
        """Records that recover_journal would save, if it is damaged or newer."""

    def __str__(self) -> str:
        return self.message


class RemoteError(RuntimeError):
    """An exception that cannot travel: it could not be pickled in the worker, or not be unpickled here."""

    def __init__(self, type_name: str, message: str, traceback: str, problem: str = "") -> None:
        super().__init__(type_name, message, traceback, problem)
        self.type_name = type_name
        self.message = message
        self.traceback = traceback
        self.problem = problem
        """What could not be done with it, and why."""

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" + (f" ({self.problem})" if self.problem else "")


class BrokenResult(RemoteError, BrokenProcessPool):
    """RemoteError as the drop-in raises it when unpickling a result tried to end this program."""


def report_of(core: Any, task: str) -> CrashReport:
    """A report from what the engine tells."""
    facts: dict[str, Any] = core.facts()
    return CrashReport(
        **facts,
        task=task,
        python_stack=_parse_python_stack(facts["python_stack_text"]),
        earlier=tuple(report_of(each, task) for each in core.earlier()),
        _native=lambda: tuple(NativeFrame(*frame) for frame in core.native_stack()),
        _others=lambda: {
            thread: tuple(NativeFrame(*frame) for frame in frames) for thread, frames in core.other_threads()
        },
    )


_OURS = ("/hotspare/_start.py", "/hotspare/_process.py", "/hotspare/_zygote.py", "/hotspare/_standby.py")


def _parse_python_stack(text: str) -> tuple[PythonFrame, ...]:
    """Of the thread that died: faulthandler calls it the current one."""
    frames: list[PythonFrame] = []
    inside = False
    for line in text.splitlines():
        if line.startswith(("Current thread", "Thread", "Stack")):
            if inside:
                break
            inside = line.startswith(("Current thread", "Stack"))
        elif inside and line.startswith("  File "):
            file, _, rest = line[len('  File "') :].partition('", line ')
            number, _, function = rest.partition(" in ")
            if file.endswith(_OURS) or (file.endswith("/multiprocessing/process.py") and function == "_bootstrap"):
                break  # from here on it is our stack, and the host's at the moment when the workers' image was taken
            if number.isdigit():
                frames.append(PythonFrame(file, int(number), function))
    return tuple(frames)

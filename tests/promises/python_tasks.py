"""What the promise tests run in workers."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Fifo:
    """A named pipe on which two processes meet: each side waits for the other."""

    path: str

    def tell(self, what: object = "") -> None:
        with open(self.path, "w") as end:
            end.write(str(what))

    def hear(self) -> str:
        with open(self.path) as end:
            return end.read()


def square(x: int) -> int:
    return x * x


def same(x: Any) -> Any:
    return x


def kill_self(number: int = signal.SIGKILL) -> None:
    os.kill(os.getpid(), number)
    signal.pause()


def square_or_die(x: int, *deadly: int) -> int:
    if x in deadly:
        kill_self()
    return x * x


def square_unless_thirteenth(x: int) -> int:
    if x % 13 == 12:
        kill_self()
    return x * x


def raise_value_error(text: str) -> None:
    raise ValueError(text)


def meet(begun: Fifo, go_on: Fifo | None = None, value: Any = None) -> Any:
    """Says its pid, then waits: for go_on, or for ever."""
    begun.tell(os.getpid())
    if go_on is None:
        while True:
            signal.pause()
    go_on.hear()
    return value


def note(path: str, line: object) -> None:
    """Appends a line in one piece, however many processes do it at once."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, f"{line}\n".encode())
    finally:
        os.close(fd)


def note_and_return(path: str, x: int) -> int:
    note(path, x)
    return x


def note_and_maybe_die(path: str, x: int) -> int:
    note(path, x)
    if x % 7 == 3:
        kill_self()
    return x


def read_null() -> None:
    ctypes.string_at(0)


def read_null_in_second_thread() -> None:
    thread = threading.Thread(target=read_null)
    thread.start()
    thread.join()


def hold_the_gil_for_ever() -> None:
    """A C function that is called with the GIL held, and never returns."""
    ctypes.PyDLL(None).sleep(1_000_000)


def block_all_signals_for_ever() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    while True:
        signal.pause()


def ignore_all_signals_for_ever() -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    while True:
        signal.pause()


def spin_for_ever() -> None:
    while True:
        pass


def close_all_descriptors() -> None:
    os.closerange(0, 4096)
    while True:
        signal.pause()


def recurse_for_ever(depth: int = 0) -> int:
    return max([depth], key=lambda one: recurse_for_ever(one + 1))


def overflow_the_stack() -> None:
    """Recursion through C code, which needs native stack for each level."""
    sys.setrecursionlimit(10**9)
    recurse_for_ever()


def overflow_a_threads_stack() -> None:
    threading.stack_size(256 * 1024)
    thread = threading.Thread(target=overflow_the_stack)
    thread.start()
    thread.join()


def grow_for_ever() -> None:
    held = []
    while True:
        held.append(bytearray(1 << 20))


def write_to_stderr_and_die(lines: int) -> None:
    for number in range(lines):
        os.write(2, f"line {number}\n".encode())
    os.write(2, b"unfinished")
    kill_self()


def own_and_parent_pid() -> tuple[int, int]:
    return os.getpid(), os.getppid()


def environment() -> dict[str, str]:
    return dict(os.environ)


def output_of(command: str) -> str:
    """Of the shell."""
    with os.popen(command) as output:
        return output.read()

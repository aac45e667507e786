"""A Python program at a terminal of its own, on which somebody presses Ctrl-C."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

_PRELUDE = """\
import asyncio, concurrent.futures as cf, contextlib, os, signal, sys, threading, time
sys.path.insert(0, {here!r})
import hotspare
from hotspare import Pool, ProcessPoolExecutor
from interrupted_program import *
from python_tasks import *
"""


class Program:
    """Runs ``lines`` as the body of a main module, with what interrupted_program and python_tasks have."""

    def __init__(self, folder: Path, *lines: str) -> None:
        script = folder / "program.py"
        body = "\n".join(f"    {line}" for line in lines)
        script.write_text(
            _PRELUDE.format(here=str(Path(__file__).parent))
            + f"if __name__ == '__main__':\n    own_terminal()\n{body}\n"
        )
        self._terminal, end = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, str(script)], stdin=end, stdout=end, stderr=end, start_new_session=True
        )
        os.close(end)
        self.output = ""

    def press(self) -> None:
        """Ctrl-C: the kernel sends SIGINT to the terminal's foreground process group."""
        os.write(self._terminal, b"\x03")

    def read(self, until: str | None = None) -> str:
        """What it has written, until this or the end."""
        while until is None or until not in self.output:
            try:
                got = os.read(self._terminal, 4096)
            except OSError:  # nobody has the terminal any more
                got = b""
            if not got:
                break
            self.output += got.decode(errors="replace").replace("\r\n", "\n")
        return self.output

    def end(self) -> int:
        """Its return code, when it has ended."""
        self.read()
        return self._process.wait()

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._terminal)


# ---- in the program ----


def own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def say(*what: object) -> None:
    print(*what, flush=True)


def pause() -> None:
    """As signal.pause(), which would not hear a signal that came just before it. Main thread."""
    ear, bell = os.pipe()
    os.set_blocking(bell, False)
    before = signal.set_wakeup_fd(bell)
    try:
        os.read(ear, 1)
    finally:
        signal.set_wakeup_fd(before)
        os.close(ear)
        os.close(bell)


# ---- in its tasks ----


def hang(begun: str, note: str) -> None:
    """For ever, in Python; notes the end."""
    try:
        _tell(begun)
        while True:
            pause()
    except KeyboardInterrupt:
        Path(note).write_text("interrupted")
        raise


def hang_deaf(begun: str, note: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _tell(begun)
    while True:
        signal.pause()


def hang_blocked(begun: str, note: str) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    _tell(begun)
    while True:
        signal.pause()


def hang_in_c(begun: str, note: str) -> None:
    """In C code that holds the GIL and that no signal interrupts: it waits for its own mutex."""
    import ctypes

    mutex = ctypes.create_string_buffer(64)
    lock = ctypes.PyDLL(None).pthread_mutex_lock
    lock(mutex)
    _tell(begun)
    lock(mutex)


def hang_and_swallow(begun: str, note: str) -> None:
    told = False
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            if not told:
                told = True
                _tell(begun)
            signal.pause()


def hang_with_handler(begun: str, note: str) -> int:
    """With a handler of its own that raises nothing: says that it ran, and the task ends with a value."""
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    _tell(begun)
    while not heard:
        pause()
    _tell(note)
    return 17


def say_when_heard(begun: str, heard: str) -> None:
    """Says each time that SIGINT reaches it, and goes on."""
    signal.signal(signal.SIGINT, lambda number, frame: _tell(heard))
    _tell(begun)
    while True:
        pause()


def _tell(path: str) -> None:
    with open(path, "w") as end:
        end.write(str(os.getpid()))


@contextlib.contextmanager
def interrupt_expected() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        say("interrupted")
    else:
        say("not interrupted")

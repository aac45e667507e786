"""Runs the tests of one class in a process of their own, so that a hang or crash costs one test and not the rest."""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from conformance.cpython.outcome import Outcome
from conformance.interpreter import Interpreter
from conformance.processes import kill_session, wait_for_end_of_session

RUNNER = Path(__file__).with_name("runner.py")
WATCHDOG = float(os.environ.get("HOTSPARE_TEST_WATCHDOG", "120"))  # seconds without a word
OUTPUT_KEPT = 20_000  # characters, the last ones

Publish = Callable[[str, Outcome], None]


@dataclass(frozen=True)
class Group:
    name: str
    tests: tuple[str, ...]


def end_name(group: str) -> str:
    """Under this name it is published how the group's last process ended."""
    return f"{group} ended"


class Attempt:
    """One process that runs tests until its end or its hang."""

    def __init__(self, interpreter: Interpreter, tests: list[str], output: IO[bytes]) -> None:
        self.output = output
        self.report, write_end = os.pipe()
        with open(write_end, "wb"):  # ours is closed as soon as the process has its own
            self.process = subprocess.Popen(
                [interpreter.python, RUNNER, "run", str(write_end)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[write_end],
                start_new_session=True,
            )
        assert self.process.stdin is not None
        with self.process.stdin as stdin:
            stdin.write("\n".join(tests).encode())

    def events(self) -> Iterator[dict[str, Any] | None]:
        """Until the process ends; None is the last one if it hangs. Its end is seen on a pidfd: a worker that was
        left over may hold the pipe open."""
        pidfd = os.pidfd_open(self.process.pid)
        unread = b""
        try:
            while True:
                ready, _, _ = select.select([self.report, pidfd], [], [], WATCHDOG)
                if not ready:
                    yield None
                    return
                if self.report in ready and (data := os.read(self.report, 65536)):
                    *lines, unread = (unread + data).split(b"\n")
                    yield from map(json.loads, lines)
                elif pidfd in ready:
                    return
        finally:
            os.close(pidfd)

    def end(self, *, hung: bool) -> str:
        """What was wrong with how it ended, or nothing."""
        os.close(self.report)
        problem = ""
        session = self.process.pid
        if hung:
            problem = f"silent for {WATCHDOG:g} s"
            self._ask_for_stacks()
        elif (status := self.process.wait()) != 0:
            problem = f"ended with status {status}"
        elif left := wait_for_end_of_session(session):
            problem = f"left processes behind: {left}"
        kill_session(session)
        self.process.wait()
        return problem

    def _ask_for_stacks(self) -> None:
        self.process.send_signal(signal.SIGUSR1)
        # The usual case is that it has written its stacks and hangs on.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=2)

    def said(self) -> str:
        self.output.seek(0)
        return self.output.read().decode(errors="replace")[-OUTPUT_KEPT:]


def run_attempt(interpreter: Interpreter, tests: list[str], publish: Publish, group: str) -> list[str]:
    """The tests that are still to be run when this process has ended."""
    left = list(tests)
    running, hung = None, False
    with tempfile.TemporaryFile() as output:
        attempt = Attempt(interpreter, tests, output)
        for event in attempt.events():
            if event is None:
                hung = True
            elif event["outcome"] == "started":
                running = event["test"]
            else:
                running = None
                left.remove(event["test"])
                publish(event["test"], Outcome.of(event["outcome"], event["detail"]))
        problem = attempt.end(hung=hung)
        detail = f"{problem}\n{attempt.said()}"
    if running is not None:
        publish(running, Outcome("hung" if hung else "died", detail))
        left.remove(running)
        return left
    for test in left:  # it ended before it started one: another attempt would do the same
        publish(test, Outcome("not run", detail))
    publish(end_name(group), Outcome("hung" if hung else "died", detail) if problem else Outcome("passed"))
    return []


def run_group(interpreter: Interpreter, group: Group, publish: Publish) -> None:
    left = list(group.tests)
    while left:
        left = run_attempt(interpreter, left, publish, group.name)
    # The last test of all may have taken the process with it; that is told as that test's outcome.
    publish(end_name(group.name), Outcome("passed"))
